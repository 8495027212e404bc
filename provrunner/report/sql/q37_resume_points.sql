-- question: What are the last epoch and checkpoint of each unfinished run, to go on from there?
-- live: yes
-- empty: no run was left unfinished
with checkpoints as (
  from artifacts
  where deleted is null
  qualify row_number() over (partition by run order by created desc, seq desc) = 1
)
select runs.run, runs.run_id, status, epochs as epochs_done, steps, path as checkpoint,
       checkpoints.epoch as checkpoint_epoch, checkpoints.step as checkpoint_step, sha256
from runs
left join checkpoints using (run)
where status in ('running', 'failed', 'interrupted', 'lost') and log_state is not null
order by runs.run
