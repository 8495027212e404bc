-- question: How were the data split: ratio, seed, sizes, classes, digests, and does any split overlap?
-- empty: no split has been recorded
-- run (run) = best: the run
select run, dataset, split, size, ratio, seed, classes, index_digest, overlap,
       list_sum(list_transform(
         json_keys(overlap), lambda other: (overlap ->> ('$."' || other || '"'))::bigint
       ))::bigint as shared_samples
from datasets
where split is not null and run = $run
order by dataset, split
