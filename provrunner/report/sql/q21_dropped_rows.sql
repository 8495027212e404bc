-- question: What did each preprocessing step drop or alter?
-- empty: no preprocessing has been recorded
-- run (run) = all: the run
select name, params, split as fitted_on, n_in, n_out, n_in - n_out as dropped, changed,
       count(*)::integer as runs
from transforms
where run = coalesce($run, run)
group by name, params, split, n_in, n_out, changed
order by min(position), name
