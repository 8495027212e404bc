-- question: Which preprocessing came before a run's training, in which order, with which parameters?
-- empty: no preprocessing has been recorded
-- run (run) = best: the run
select run, position, name, params, split as fitted_on, n_in, n_out, changed
from transforms
where run = $run
order by position
