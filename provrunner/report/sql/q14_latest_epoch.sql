-- question: What is the latest epoch of every active run and rank, with its time and metrics?
-- live: yes
-- empty: no such run has begun an epoch; status=all takes every run
-- status (status) = running: which runs; all takes every run
select epochs.run, status, epochs.* exclude (run, run_id)
from epochs
join runs using (run)
where status = coalesce($status, status)
qualify row_number() over (partition by epochs.run, rank order by epoch desc) = 1
order by epochs.run, rank
