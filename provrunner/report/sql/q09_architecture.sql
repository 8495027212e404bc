-- question: Which layers has a model, of what type, shape and size, and do two runs differ in them?
-- empty: no layer has been recorded
-- a (run) = best: one run
-- b (run) = runner_up: the other run
with a as (from layers where run = $a),
b as (from layers where run = $b),
whole as (
  select any_value(parameters) filter (where run = $a) as a_total,
         any_value(parameters) filter (where run = $b) as b_total,
         count(distinct architecture_hash) = 1 as same_architecture
  from runs
  where run in ($a, $b)
)
select coalesce(a.position, b.position) as position, name,
       a.type as a_type, a.output_shape as a_shape, a.parameters as a_parameters,
       b.type as b_type, b.output_shape as b_shape, b.parameters as b_parameters,
       (a.type, a.input_shape, a.output_shape, a.parameters)
         is not distinct from (b.type, b.input_shape, b.output_shape, b.parameters) as same,
       a_total, b_total, same_architecture
from (a full join b using (name)), whole
order by position, name
