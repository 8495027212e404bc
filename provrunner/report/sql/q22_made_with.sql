-- question: Which code, packages, host, device, threads and seed made a checkpoint?
-- empty: no such checkpoint has been recorded
-- artifact (text) = all: its path or the first digits of its SHA-256; the latest of `run` if left out
-- run (run) = best: the run whose latest checkpoint is meant
with chosen as (
  from artifacts
  where if($artifact is null, run = $run,
           starts_with(sha256, $artifact) or path = $artifact or ends_with(path, '/' || $artifact))
  order by created desc, seq desc
  limit 1
),
facts as (
  select 0 as place, 'artifact' as kind, 'path' as name, path as value from chosen
  union all select 1, 'artifact', 'sha256', sha256 from chosen
  union all select 2, 'run', 'run_id', run_id from chosen
  union all select 3, 'run', 'seed', seed::varchar from runs join chosen using (run)
  union all select 4, 'run', 'host', host from runs join chosen using (run)
  union all select 5, 'run', 'command', cmd from runs join chosen using (run)
  union all
  select 6, 'device', substring(params.name, 9), trim(params.value, '"') from params join chosen using (run)
  where phase = 'object'
    and params.name in ('trainer.accelerator', 'trainer.num_devices', 'trainer.strategy', 'trainer.precision')
  union all
  select 7, environment.kind, environment.name, environment.value from environment join chosen using (run)
)
select kind, name, value
from facts
order by place, kind, name
