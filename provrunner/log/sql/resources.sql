-- What each run used, all its ranks and attempts together: one row a run that told so.
with parts as (
  select run, rank, segment,
         max((data ->> '$.cpu_s')::double) as cpu_s,
         max((data ->> '$.rss_bytes')::bigint) as rss_bytes,
         max((data ->> '$.gpu_bytes')::bigint) as gpu_bytes,
         max((data ->> '$.read_bytes')::bigint) as read_bytes,
         max((data ->> '$.written_bytes')::bigint) as written_bytes
  from events
  where kind = 'resources'
  group by run, rank, segment
)
select run, sum(cpu_s) as cpu_s, max(rss_bytes) as peak_rss_bytes,
       max(gpu_bytes) as peak_gpu_bytes,
       sum(read_bytes)::bigint as read_bytes, sum(written_bytes)::bigint as written_bytes
from parts
group by run
order by run
