-- question: What were the initial hyperparameters of a run?
-- run (run) = best: the run
select run, name, value, type, origin
from params
where run = $run and phase = 'init'
order by run, name
