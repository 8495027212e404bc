-- question: What was changed in flight, by whom and why, and what came of it?
-- live: yes
-- empty: nothing was adapted
-- run (run) = all: the run
-- metric (metric) = objective: the metric that tells what came of it
with last as (
  select run, rank, arg_max(value, epoch) as value
  from epoch_values
  where name = $metric
  group by run, rank
)
select a.run, a.name, a.old, a.new, a.cause, a.agent, a.epoch, a.time,
       during.value as at_change, last.value as at_end, last.value - during.value as change, status
from adaptations a
join runs using (run)
left join epoch_values during
  on during.run = a.run and during.rank = a.rank and during.name = $metric
  and during.epoch = a.epoch
left join last on last.run = a.run and last.rank = a.rank
where a.run = coalesce($run, a.run)
order by a.run, a.rank, a.elapsed_s
