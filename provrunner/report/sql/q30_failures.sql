-- question: Which runs failed, with which exception, at which step, for which hyperparameters?
-- live: yes
-- empty: no run failed, diverged, was interrupted or lost
with failed as (
  from runs where status in ('failed', 'diverged', 'interrupted', 'lost')
),
exceptions as (
  select run, arg_max(data ->> '$.type', seq) as exception, arg_max(step, seq) as step,
         arg_max(epoch, seq) as epoch
  from events
  where kind = 'exception'
  group by run
),
reached as (select run, max(epoch) as epoch from epochs group by run),
rates as (
  select name, value, count(failed.run) as bad, count(*) as all_runs
  from levels
  semi join (from runs where log_state is not null) using (run)
  left join failed using (run)
  group by name, value
),
region as (
  select levels.run,
         list(format('{}={}: {} of {}', rates.name, rates.value, bad, all_runs)
              order by bad / all_runs desc, rates.name) as failures_by_value
  from levels
  join rates using (name, value)
  group by levels.run
)
select failed.run, failed.run_id, status,
       coalesce(reason, if(status = 'lost', 'its process is gone', null)) as reason, exception,
       coalesce(exceptions.step, failed.steps) as step, coalesce(exceptions.epoch, reached.epoch) as epoch,
       "values",
       failures_by_value
from failed
left join plan using (run)
left join exceptions using (run)
left join reached using (run)
left join region using (run)
order by failed.run
