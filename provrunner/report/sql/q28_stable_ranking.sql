-- question: At which epoch did the final ranking become stable, so that runs could have been pruned?
-- empty: no finished run has logged the metric
-- metric (metric) = objective: the metric
-- rho (float) = 0.9: rank correlation with the last epoch from which a ranking counts as stable
with finished as (
  select run, epoch, value
  from epoch_values
  join runs using (run)
  where status = 'finished' and rank = 0 and name = $metric and isfinite(value)
),
ended as (select run, arg_max(value, epoch) as final from finished group by run),
ranked as (
  select epoch,
         rank() over early + (count(*) over (partition by epoch, value) - 1) / 2.0 as early_rank,
         rank() over late + (count(*) over (partition by epoch, final) - 1) / 2.0 as late_rank
  from finished
  join ended using (run)
  window early as (partition by epoch order by value), late as (partition by epoch order by final)
),
agreement as (
  select epoch, count(*)::integer as runs, corr(early_rank, late_rank) as correlation
  from ranked
  group by epoch
)
select *, coalesce(bool_and(correlation >= $rho) over (order by epoch desc), false) as stable
from agreement
order by epoch
