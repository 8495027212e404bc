-- question: What did runs cost by trial or hyperparameter value, and which are worth it?
-- empty: no run has finished
-- note: `objective_per_cpu_hour` is empty for an objective to be minimized, of which more is worse
-- by (hyperparameter) = all: by whose values; by trial if left out
with spent as (
  select coalesce(levels.value, nullif("values"::varchar, '{}'), plan.trial_id) as level, levels.number, objective, cpu_s,
         peak_rss_bytes, read_bytes, written_bytes,
         if(direction = 'maximize', -objective, objective) as cost,
         if(direction = 'maximize', objective, null) as gain
  from sweep, runs
  join plan using (run)
  left join levels on levels.run = runs.run and levels.name = $by
  left join resources on resources.run = runs.run
  where status = 'finished'
),
groups as (
  select level, any_value(number) as number, count(*)::integer as runs,
         avg(objective) as mean_objective, avg(cost) as mean_cost, avg(cpu_s) as mean_cpu_s,
         avg(gain) / (avg(cpu_s) / 3600) as objective_per_cpu_hour,
         max(peak_rss_bytes) as peak_rss_bytes, avg(read_bytes) as mean_read_bytes,
         avg(written_bytes) as mean_written_bytes
  from spent
  group by level
)
select level, runs, mean_objective, mean_cpu_s, objective_per_cpu_hour, peak_rss_bytes,
       mean_read_bytes, mean_written_bytes,
       mean_cost is not null and mean_cpu_s is not null and not exists (
         from groups other
         where other.mean_cost <= one.mean_cost and other.mean_cpu_s <= one.mean_cpu_s
           and (other.mean_cost < one.mean_cost or other.mean_cpu_s < one.mean_cpu_s)
       ) as on_pareto_front
from groups one
order by number, level
