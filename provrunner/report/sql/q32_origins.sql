-- question: Where does each value of the configuration come from?
-- empty: no value has this origin
-- run (run) = best: the run
-- origin (text) = all: axis, command line, file, group choice or default
select run, name, value, origin, source
from params
where phase = 'init' and run = $run and coalesce(origin, '') = coalesce($origin, origin, '')
order by name
