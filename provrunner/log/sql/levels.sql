-- The value that each planned run has of each hyperparameter: one row a run and hyperparameter.
select run, run_id, trial_id, seed, name,
       "values" ->> ('$."' || name || '"') as value,
       try_cast("values" ->> ('$."' || name || '"') as double) as number
from (select *, unnest(json_keys("values")) as name from plan)
