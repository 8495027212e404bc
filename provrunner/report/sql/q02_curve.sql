-- question: What were loss, accuracy and time in each epoch of a run, so far?
-- live: yes
-- empty: no epoch of the run has begun
-- run (run) = best: the run
select * exclude (run_id)
from epochs
where run = $run
order by rank, epoch
