-- question: Is the best trial better than the runner-up beyond the noise of seeds?
-- empty: no run has finished
with trials as (
  select trial_id, avg(objective) as mean, stddev_samp(objective) as sd, count(*)::integer as runs,
         row_number() over (
           order by if(any_value(direction) = 'maximize', -avg(objective), avg(objective)), trial_id
         ) as place
  from ranking, sweep
  group by trial_id
),
pairs as (
  select count(*)::integer as n, avg(a.objective - b.objective) as mean,
         stddev_samp(a.objective - b.objective) as sd
  from ranking a
  join ranking b on a.seed = b.seed
  where a.trial_id = (select trial_id from trials where place = 1)
    and b.trial_id = (select trial_id from trials where place = 2)
),
verdict as (select "value" from summary where section = 'best')
select best.trial_id as best, best.mean as best_mean, best.sd as best_sd,
       second.trial_id as runner_up, second.mean as second_mean, second.sd as second_sd,
       pairs.n as seeds_paired, pairs.mean as paired_difference,
       pairs.mean / (pairs.sd / sqrt(pairs.n)) as paired_t,
       (verdict."value" ->> '$.p')::double as p, verdict."value" ->> '$.statement' as statement
from (from trials where place = 1) best
left join (from trials where place = 2) second on true
left join pairs on true
left join verdict on true
