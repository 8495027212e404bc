-- question: Which active runs are best after the first epochs, with which hyperparameters?
-- live: yes
-- empty: no such run has a value of the metric yet; status=all takes every run
-- epochs (int) = 5: how many first epochs count
-- k (int) = 5: how many runs
-- metric (metric) = objective: the metric
-- direction (direction) = objective: minimize or maximize
-- status (status) = running: which runs; all takes every run
with best as (
  select run, run_id, value, epoch, if($direction = 'maximize', -value, value) as cost
  from epoch_values
  where rank = 0 and name = $metric and epoch < $epochs and isfinite(value)
  qualify row_number() over (partition by run order by cost, epoch) = 1
)
select best.run, best.run_id, status, value, epoch, "values"
from best
join runs using (run)
join plan using (run)
where status = coalesce($status, status)
order by cost, best.run
limit $k
