-- question: Is each run's log complete and unaltered?
-- empty: no run has begun
-- note: `log_state` rests on checksums and seals; `provrunner verify --read-data` reads every byte again
with seqs as (
  select run, rank, count(*) as rows, count(distinct seq) as different, max(seq) + 1 as expected
  from events
  group by run, rank
),
holes as (
  select run, sum(expected - different)::bigint as missing_events,
         sum(rows - different)::bigint as repeated_events
  from seqs
  group by run
),
told as (
  select run, sum((data ->> '$.metric_rows')::bigint)::bigint as rows_stated
  from (
    from events where kind = 'run_end'
    qualify row_number() over (partition by run, rank order by seq desc) = 1
  )
  group by run
)
select runs.run, runs.run_id, status, log_state, missing_events, repeated_events, metric_rows,
       rows_stated, gaps as lost_rows,
       log_state = 'complete' and missing_events = 0 and repeated_events = 0 and gaps = 0 as whole
from runs
left join holes using (run)
left join told using (run)
where log_state is not null
order by runs.run
