-- question: Which runs and models came of a data set or transform, and must be run again if it is wrong?
-- empty: nothing came of it
-- node (node) = data: a data set, split, transform or id, as `provrunner lineage` takes it
with recursive steps as (
  select object as source, subject as target from edges
  union
  select plan, subject from edges where plan is not null
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
select nodes.run, type, label, status, depth, id
from reached
join nodes using (id)
left join runs using (run)
where type in ('pr:Run', 'pr:Model', 'pr:Checkpoint')
order by nodes.run, depth, id
