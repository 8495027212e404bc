-- question: How much did capture itself cost, in time, bytes and dropped events?
-- live: yes
-- empty: no run has begun
-- run (run) = all: the run
from overhead
where run = coalesce($run, run)
order by run
