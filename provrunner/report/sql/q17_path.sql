-- question: Which is the shortest way from one thing to another that it came from?
-- a (node) = best: the later thing, as `provrunner lineage` takes it; order does not matter
-- b (node) = data: the earlier thing
with recursive steps as (
  select subject as source, object as target, relation from edges
  union
  select subject, plan, 'was_associated_with' from edges where plan is not null
),
reached(start, id, before, relation, depth) using key (start, id) as (
  select unnest([$a, $b]), unnest([$a, $b]), null::varchar, null::varchar, 0
  union
  select reached.start, target, min(source), arg_min(steps.relation, (source, steps.relation)),
         min(reached.depth) + 1
  from reached
  join steps on source = reached.id
  left join recurring.reached seen on seen.id = target and seen.start = reached.start
  where seen.id is null
  group by reached.start, target
),
way as (
  select * from reached where (start, id) in (($a, $b), ($b, $a)) and depth > 0
  union all
  select reached.* from way join reached on reached.start = way.start and reached.id = way.before
)
select way.depth, way.relation, kind, type, label, way.id
from way
join nodes using (id)
order by way.depth
