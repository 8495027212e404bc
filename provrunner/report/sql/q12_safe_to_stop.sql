-- question: Has a run improved in the last epochs, is it safe to stop, and how much time is left?
-- live: yes
-- empty: no run has logged the metric
-- run (run) = all: the run
-- metric (metric) = objective: the metric
-- direction (direction) = objective: minimize or maximize
-- k (int) = 3: epochs in which it should have improved
-- d (float) = 0: by more than this
with costs as (
  select run, epoch, if($direction = 'maximize', -value, value) as cost,
         max(epoch) over (partition by run) as now
  from epoch_values
  where rank = 0 and name = $metric and isfinite(value) and run = coalesce($run, run)
),
bests as (
  select run, max(now) as epoch, min(cost) as best,
         min(cost) filter (where epoch <= now - $k) as before
  from costs
  group by run
)
select bests.run, progress.status, bests.epoch, epochs_planned,
       if($direction = 'maximize', -best, best) as best, before - best as improvement,
       before is not null and before - best <= $d as safe_to_stop, epoch_s, left_s
from bests
join progress using (run)
order by bests.run
