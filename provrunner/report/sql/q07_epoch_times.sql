-- question: How long did each run and its epochs take, and which epochs are outliers?
-- live: yes
-- note: An epoch that an exception broke off is left out
-- empty: no epoch has ended
-- run (run) = all: the run
-- mads (float) = 3: outliers are further from the median than so many median deviations
with broken as (
  select events.run, events.rank, epochs.epoch
  from events
  join epochs on epochs.run = events.run and epochs.rank = events.rank
    and events.time >= epochs.start and events.time < epochs."end"
  where kind = 'exception'
),
times as (
  select run, rank, epoch, duration_s, median(duration_s) over (partition by run, rank) as middle
  from epochs
  anti join broken using (run, rank, epoch)
  where duration_s is not null and run = coalesce($run, run)
),
spread as (
  select *, abs(duration_s - middle) as off,
         median(abs(duration_s - middle)) over (partition by run, rank) as mad
  from times
)
select spread.run, rank, any_value(runs.duration_s) as run_s, count(*)::integer as epochs,
       avg(spread.duration_s) as mean_s, stddev_samp(spread.duration_s) as sd_s,
       any_value(middle) as median_s, any_value(mad) as mad_s,
       coalesce(list(epoch order by epoch) filter (where mad > 0 and off > $mads * mad), [])
         as outliers
from spread
join runs using (run)
group by spread.run, rank
order by spread.run, rank
