-- The finished runs that have an objective, the best one first.
select row_number() over (
         order by if(direction = 'maximize', -objective, objective), run
       )::integer as place,
       run, run_id, trial_id, runs.seed, objective, objective_epoch, objective_step, duration_s
from runs, sweep
where status = 'finished' and objective is not null
order by place
