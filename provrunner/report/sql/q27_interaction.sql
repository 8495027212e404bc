-- question: How does the effect of one hyperparameter depend on another?
-- empty: no run has finished
-- a (hyperparameter) = first: one hyperparameter
-- b (hyperparameter) = second: the other one
with cells as (
  select a.value as level_a, a.number as number_a, b.value as level_b, b.number as number_b,
         objective
  from runs
  join levels a on a.run = runs.run and a.name = $a
  join levels b on b.run = runs.run and b.name = $b
  where status = 'finished' and objective is not null
),
means as (
  select level_a, level_b, any_value(number_a) as number_a, any_value(number_b) as number_b,
         count(*)::integer as n, avg(objective) as mean, stddev_samp(objective) as sd
  from cells
  group by level_a, level_b
)
select $a as a, level_a, $b as b, level_b, n, mean, sd,
       mean - avg(mean) over (partition by level_a) - avg(mean) over (partition by level_b)
         + avg(mean) over () as interaction
from means
order by number_a, level_a, number_b, level_b
