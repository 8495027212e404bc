-- question: What are the mean last value of a metric and the mean time, by value of each hyperparameter?
-- empty: no finished run has logged the metric, or nothing is varied
-- metric (metric) = train/loss: the metric
-- hyperparameter (hyperparameter) = all: by whose values
with last as (
  select run, arg_max(value, epoch) as value
  from epoch_values
  where rank = 0 and name = $metric
  group by run
)
select levels.name as hyperparameter, levels.value as level, count(*)::integer as runs,
       avg(last.value) as mean, stddev_samp(last.value) as sd, avg(duration_s) as mean_s
from levels
join runs using (run)
join last using (run)
where status = 'finished' and levels.name = coalesce($hyperparameter, levels.name)
group by levels.name, levels.value
order by levels.name, min(levels.number), levels.value
