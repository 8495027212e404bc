-- question: Which points of the declared sweep are missing or duplicated?
-- live: yes
-- empty: each point of the plan has its run, and no point two
with recursive names as (
  select name, row_number() over (order by name) as place from (select distinct name from levels)
),
choices as (select distinct place, name, value from levels join names using (name)),
grid(place, key) as (
  select 0, ''
  union all
  select grid.place + 1, grid.key || choices.name || '=' || coalesce(choices.value, 'null') || ' '
  from grid join choices on choices.place = grid.place + 1
),
trials as (
  select run, string_agg(name || '=' || coalesce(value, 'null') || ' ', '' order by name) as key
  from levels
  group by run
)
select 'not begun' as finding, plan.run, plan.run_id, plan."values"::varchar as point, plan.seed
from plan
anti join (from runs where log_state is not null) using (run)
union all
select 'duplicated', run, run_id, "values"::varchar, seed
from plan
qualify count(*) over (partition by trial_id, seed) > 1
union all
select 'not planned', run, run_id, null, seed from runs where trial_id is null
union all
select 'not in the plan''s grid', null, null, trim(key), null
from grid, sweep
where design = 'grid' and place = (select max(place) from names)
  and key not in (select key from trials)
order by finding, run, point
