-- question: What did a number come from, back to the raw data?
-- node (node) = best: a run, metric, checkpoint, data set or id, as `provrunner lineage` takes it
with recursive steps as (
  select subject as source, object as target from edges
  union
  select subject, plan from edges where plan is not null
),
reached(id, depth) using key (id) as (
  select $node, 0
  union
  select target, reached.depth + 1
  from reached
  join steps on source = reached.id
  left join recurring.reached seen on seen.id = target
  where seen.id is null
)
select depth, kind, type, label, run, id
from reached
join nodes using (id)
order by depth, id
