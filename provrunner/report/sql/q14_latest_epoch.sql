-- question: What is the latest epoch of every active run and rank, with its time and metrics?
-- live: yes
-- note: One under way that has logged nothing yet gives way to the one before
-- empty: no such run has begun an epoch; status=all takes every run
-- status (status) = running: which runs; all takes every run
select epochs.run, status, epochs.* exclude (run, run_id)
from epochs
join runs using (run)
left join (select distinct run, rank, epoch, true as is_told from epoch_values) told
  using (run, rank, epoch)
where status = coalesce($status, status)
qualify row_number() over (partition by epochs.run, rank order by coalesce(is_told, epochs."end" is not null) desc, epoch desc) = 1
order by epochs.run, rank
