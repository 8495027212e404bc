-- question: Who launched each run, with which command and software, and can it be repeated?
-- empty: no run has begun
-- run (run) = all: the run
with software as (
  select run, list(distinct agent order by agent) as names
  from (
    select run, subject || coalesce(' ' || (data ->> '$.version'), '') as agent
    from events
    where kind = 'agent' and (data ->> '$.type') = 'software'
  )
  group by run
),
patches as (select run, true as has_patch from environment where name = 'patch_sha256')
select runs.run, user, host, seed, commit, dirty,
       case
         when commit is null then 'no: the code is under no commit'
         when dirty and has_patch is null then 'no: the changes to the code were not kept'
         when seed is null then 'no: the seed is unknown'
         else 'yes'
       end as repeatable,
       names as software, cmd
from runs
left join software using (run)
left join patches using (run)
where start is not null and runs.run = coalesce($run, runs.run)
order by runs.run
