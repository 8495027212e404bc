-- question: What were the initial hyperparameters of a run?
-- empty: no setting of the run has been recorded
-- run (run) = best: the run
select run, name, value, type, origin
from params
where run = $run and phase = 'init'
order by run, name
