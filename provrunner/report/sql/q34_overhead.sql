-- question: How much did capture itself cost, in time, bytes and dropped events?
-- live: yes
-- run (run) = all: the run
from overhead
where run = coalesce($run, run)
order by run
