-- question: Does validation get worse while the training loss falls, and since which epoch?
-- live: yes
-- empty: no run has logged both metrics in an epoch
-- run (run) = all: the run
-- validation (metric) = objective: the metric of validation
-- direction (direction) = objective: minimize or maximize, of the metric of validation
-- training (metric) = train/loss: the loss of training
-- patience (int) = 2: epochs that it must have lasted
with losses as (
  select run, epoch,
         max(value) filter (where name = $validation) as validation,
         max(value) filter (where name = $training) as training,
         if($direction = 'maximize', -validation, validation) as cost
  from epoch_values
  where rank = 0 and run = coalesce($run, run)
  group by run, epoch
),
ends as (
  select run, arg_min(epoch, (cost, epoch)) as best_epoch, max(epoch) as epoch
  from losses
  where isfinite(validation) and isfinite(training)
  group by run
)
select ends.run, status, best_epoch, ends.epoch,
       best.validation as best_validation, now.validation as validation,
       best.training as training_then, now.training as training,
       now.cost > best.cost and now.training < best.training
         and ends.epoch - best_epoch >= $patience as overfits,
       if(overfits, best_epoch + 1, null) as since_epoch
from ends
join losses best on best.run = ends.run and best.epoch = best_epoch
join losses now on now.run = ends.run and now.epoch = ends.epoch
join runs on runs.run = ends.run
order by ends.run
