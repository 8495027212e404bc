-- `epochs` in long form: one row a run, rank, epoch and metric, with the metric's last value there.
select run, run_id, rank, epoch, name, value
from (
  unpivot epochs
  on columns(* exclude (run, run_id, rank, epoch, start, "end"))
  into name name value value
)
where name not in ('duration_s', 'elapsed_s')
