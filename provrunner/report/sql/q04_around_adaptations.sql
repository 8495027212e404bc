-- question: What was the metric in the epochs before, of and after each adaptation?
-- empty: nothing was adapted
-- run (run) = all: the run
-- metric (metric) = objective: the metric
select a.run, a.name, a.old, a.new, a.cause, a.epoch,
       before.value as before, during.value as during, after.value as after,
       after.value - before.value as change
from adaptations a
left join epoch_values before
  on before.run = a.run and before.rank = a.rank and before.name = $metric
  and before.epoch = a.epoch - 1
left join epoch_values during
  on during.run = a.run and during.rank = a.rank and during.name = $metric
  and during.epoch = a.epoch
left join epoch_values after
  on after.run = a.run and after.rank = a.rank and after.name = $metric
  and after.epoch = a.epoch + 1
where a.run = coalesce($run, a.run)
order by a.run, a.rank, a.elapsed_s
