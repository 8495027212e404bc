-- How far each run is, what it reached and when it will end: one row a run.
with done as (
  select run, max(epoch) as epoch,
         count("end")::integer as epochs_done,
         list_avg(list(duration_s order by epoch desc)
           filter (where duration_s is not null)[1:5]) as epoch_s
  from epochs
  where rank = 0
  group by run
),
latest as (
  select run, arg_max(value, epoch) as latest
  from epoch_values, sweep
  where rank = 0 and epoch_values.name in (metric, 'validate/' || metric)
  group by run
),
planned as (
  select run, max(number)::integer as epochs_planned
  from params
  where name = 'trainer.max_epochs' and number > 0
  group by run
),
rates as (
  select run, arg_max(rate, since_s) as lr
  from (
    select run, number as rate, -1.0 as since_s
    from params where name = 'optimizer.lr' and phase = 'object'
    union all
    select run, try_cast(new as double), elapsed_s
    from adaptations where name = 'optimizer.lr' and rank = 0
  )
  group by run
),
seen as (
  select run, max(time) as last_time,
         count(*) filter (where kind = 'capture_failed') as capture_failures
  from (select run, time, kind from events union all select run, time, null from metrics)
  group by run
)
select runs.run, runs.run_id, runs.status, done.epoch, planned.epochs_planned,
       runs.objective, runs.objective_epoch, latest.latest,
       (done.epoch - runs.objective_epoch)::integer as epochs_since_best,
       rates.lr, done.epoch_s, runs.duration_s as elapsed_s,
       if(runs.status = 'running',
          greatest(planned.epochs_planned - done.epochs_done, 0) * done.epoch_s, null) as left_s,
       seen.last_time, runs.gaps, seen.capture_failures
from runs
left join done using (run)
left join latest using (run)
left join planned using (run)
left join rates using (run)
left join seen using (run)
order by runs.run
