-- question: Which keys of the configuration were never read by the program?
-- empty: no key is known to be unread
-- run (run) = all: the run
select name, any_value(value) as value, any_value(origin) as origin, any_value(source) as source,
       list(run order by run) as runs
from params
where phase = 'init' and reads = 0 and run = coalesce($run, run)
group by name
order by min(coalesce(list_position(['axis', 'command line', 'file'], origin), 9)), name
