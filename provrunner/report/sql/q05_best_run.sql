-- question: Which run has the best value of a metric, at which epoch, with which hyperparameters?
-- empty: no run that finished or goes on has logged the metric
-- metric (metric) = objective: the metric
-- direction (direction) = objective: minimize or maximize
-- k (int) = 1: how many runs, the best one first
with best as (
  select run, run_id, value, epoch,
         if($direction = 'maximize', -value, value) as cost
  from epoch_values
  where rank = 0 and name = $metric and isfinite(value)
  qualify row_number() over (partition by run order by cost, epoch) = 1
)
select best.run, best.run_id, status, value, epoch, "values"
from best
join runs using (run)
join plan using (run)
where status in ('finished', 'running')
order by cost, best.run
limit $k
