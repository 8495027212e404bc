-- question: Which ranks took part in an epoch, and with which metric?
-- live: yes
-- empty: no epoch has begun
-- run (run) = all: the run
-- epoch (int) = all: the epoch; the latest of each run if left out
-- metric (metric) = objective: the metric
select epochs.run, epochs.epoch, epochs.rank, epochs.start, epochs."end", duration_s, value
from epochs
left join epoch_values
  on epoch_values.run = epochs.run and epoch_values.rank = epochs.rank
  and epoch_values.epoch = epochs.epoch and name = $metric
where epochs.run = coalesce($run, epochs.run)
  and epochs.epoch = coalesce($epoch, (select max(epoch) from epochs e where e.run = epochs.run))
order by epochs.run, epochs.epoch, epochs.rank
