-- question: Which are the best runs of all sweeps of the project, with their hyperparameters?
-- empty: no run of the project has finished with a value of this objective
-- metric (objective) = objective: the objective of the sweeps that are compared
-- k (int) = 10: how many runs
select sweep, run, run_id, objective, objective_epoch, "values", folder
from project_runs
where metric = $metric and status = 'finished' and objective is not null
order by if(direction = 'maximize', -objective, objective), folder, run
limit $k
