-- question: What differs between two runs, and which difference is the likely cause?
-- empty: nothing differs
-- a (run) = best: one run
-- b (run) = runner_up: the other run
with facts as (
  select run, 'setting' as kind, name, any_value(value order by phase) as value
  from params where run in ($a, $b) group by run, name
  union all
  select run, kind, name, value from environment where run in ($a, $b)
  union all
  select run, 'model', 'architecture', architecture_hash from runs where run in ($a, $b)
  union all
  select run, 'data', dataset || coalesce('/' || split, ''), coalesce(digest, index_digest)
  from datasets where run in ($a, $b)
  union all
  select run, 'metric', name, arg_max(value, epoch)::varchar
  from epoch_values where rank = 0 and run in ($a, $b) group by run, name
),
pairs as (
  select kind, name, max(value) filter (where run = $a) as a, max(value) filter (where run = $b) as b
  from facts group by kind, name
)
select pairs.kind, name, a, b, share as explains
from pairs
left join sensitivity on component = name and sensitivity.kind = 'main'
where a is distinct from b
order by share desc nulls last,
         list_position(['setting', 'data', 'model', 'code', 'metric'], pairs.kind) nulls last, name
