-- question: When and to what value was the learning rate adapted, by what, how long after the start?
-- live: yes
-- empty: nothing was adapted
-- run (run) = all: the run
-- name (text) = all: what was changed, such as optimizer.lr
select run, rank, name, old, new, cause, agent, epoch, step, time, elapsed_s
from adaptations
where run = coalesce($run, run) and name = coalesce($name, name)
order by run, rank, elapsed_s
