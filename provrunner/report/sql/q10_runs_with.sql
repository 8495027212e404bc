-- question: Which runs use an optimizer with a learning rate in a range, and dropout?
-- empty: no run is like that
-- optimizer (text) = all: part of the optimizer's class, such as Adam
-- lr_from (float) = all: least learning rate
-- lr_to (float) = all: largest learning rate
-- dropout_above (float) = all: dropout is larger than this
with settings as (
  select run, run_id,
         max(value) filter (where name in ('optimizer.type', 'optimizer._target_')) as optimizer,
         coalesce(
           max(number) filter (where name = 'optimizer.lr' and phase = 'object'),
           max(number) filter (where name = 'optimizer.lr')
         ) as lr,
         max(number) filter (where name = 'dropout' or name like '%.dropout') as dropout
  from params
  group by run, run_id
)
select run, run_id, runs.status, trim(settings.optimizer, '"') as optimizer, settings.lr,
       settings.dropout, runs.objective
from settings
join runs using (run, run_id)
where contains(lower(coalesce(settings.optimizer, '')), lower(coalesce($optimizer, '')))
  and ($lr_from is null or settings.lr >= $lr_from)
  and ($lr_to is null or settings.lr <= $lr_to)
  and ($dropout_above is null or settings.dropout > $dropout_above)
order by run
