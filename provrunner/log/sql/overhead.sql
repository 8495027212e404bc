-- What capture itself cost each run so far: one row a run that has begun.
with told as (
  select run, rank, segment,
         max((data ->> '$.hook_s')::double) as hook_s,
         max((data ->> '$.dropped')::bigint) as dropped
  from events
  where kind = 'overhead'
  group by run, rank, segment
),
cost as (
  select run, sum(hook_s) as hook_s, sum(dropped)::bigint as dropped from told group by run
),
written as (select run, count(*) as event_rows from events group by run)
select runs.run, run_id, status, cost.hook_s, cost.hook_s / duration_s as share,
       event_rows, metric_rows, log_bytes, cost.dropped, gaps as lost_rows
from runs
join written using (run)
left join cost using (run)
order by runs.run
