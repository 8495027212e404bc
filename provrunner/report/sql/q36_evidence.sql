-- question: Which statement of the summary rests on which rows of the logs?
-- empty: no statement rests on runs yet
-- component (text) = all: a hyperparameter, interaction, seed or noise
with rests as (
  select component, share, unnest(runs) as run from sensitivity
)
select component, share, rests.run, runs.run_id, objective, metrics.name as metric, metrics.stage,
       metrics.epoch, metrics.step, metrics.time, metrics.rank, metrics.segment
from rests
join runs using (run)
cross join sweep
left join metrics
  on metrics.run = rests.run and metrics.name = sweep.metric
  and metrics.step = objective_step and metrics.value = objective
where component = coalesce($component, component)
order by share desc, component, rests.run
