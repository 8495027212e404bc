"""Fill in what a question leaves open, in the words that people use."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from provrunner.errors import ConfigError, nearest
from provrunner.schema import RunStatus

if TYPE_CHECKING:
    from provrunner.report.questions import Question, QuestionParameter
    from provrunner.report.results import Sweep

__all__ = ["bind"]

_OPEN = "all"
_EXPECTED = {
    "int": "a whole number from 0 up",
    "float": "a number",
    "status": f"one of {', '.join(RunStatus)} or all",
}


def bind(sweep: Sweep, question: Question, given: Mapping[str, Any]) -> str:
    """Write a question's query with a literal for each of its parameters.

    Args:
        sweep: gives a meaning to words such as `best`, `objective`, `data`.
        question: what is asked.
        given: values by parameter; None and `all` leave one open.

    Raises:
        ConfigError: a parameter is unknown, a value is none of its kind, or it is left open which
            way a metric that is not the objective gets better.
        LogError: there is no such run.
    """
    known = [parameter.name for parameter in question.parameters]
    for name in given:
        if name not in known:
            hint = nearest(name, known) or (f"; it takes {', '.join(known)}" if known else "")
            raise ConfigError(f"question {question.name!r} takes no {name!r}{hint}")
    values = {
        parameter.name: _value(sweep, parameter, given.get(parameter.name, ...))
        for parameter in question.parameters
    }
    _check_direction(sweep, question, given, values)
    literals = {name: _literal(value) for name, value in values.items()}
    return re.sub(r"\$(\w+)", lambda match: literals.get(match[1], match[0]), question.query)


def _value(sweep: Sweep, parameter: QuestionParameter, given: Any) -> Any:
    value = parameter.default if given is ... else given
    if value is None or value == _OPEN:
        return None
    try:
        return _KINDS[parameter.kind](sweep, value)
    except (TypeError, ValueError) as error:
        expected = _EXPECTED.get(parameter.kind, parameter.kind)
        raise ConfigError(
            f"{parameter.name}={value}: expected {expected}: {parameter.meaning}"
        ) from error


def _check_direction(
    sweep: Sweep, question: Question, given: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Refuse to take the objective's direction, meant for the first metric, for another one."""
    metric = next((one.name for one in question.parameters if one.kind == "metric"), None)
    if metric is None or metric not in given:
        return
    objective = sweep.plan.objective.metric
    for parameter in question.parameters:
        if parameter.kind != "direction" or parameter.name in given:
            continue
        if values[metric] not in (objective, _validated(objective)):
            raise ConfigError(
                f"{values[metric]!r} is not the sweep's objective: say {parameter.name}=minimize "
                f"or {parameter.name}=maximize"
            )


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value) if math.isfinite(value) else f"'{value}'::double"


def _count(_: Sweep, term: Any) -> int:
    number = int(term)
    if number < 0:
        raise ValueError(term)
    return number


def _status(_: Sweep, term: Any) -> str:
    return RunStatus(str(term)).value


def _run(sweep: Sweep, term: Any) -> int:
    """Find a run by number, id, `best` or `runner_up`; of runs not finished, the best will do."""
    if term in ("best", "runner_up"):
        return _placed(sweep, term)
    return sweep.find_run(term).run


def _placed(sweep: Sweep, word: str) -> int:
    rows = sweep.sql(
        "select run from runs, sweep where log_state is not null order by status = 'finished' desc,"
        " if(direction = 'maximize', -objective, objective) nulls last, run limit 2"
    ).fetchall()
    place = 0 if word == "best" else 1
    if len(rows) <= place:
        raise ConfigError(f"{len(rows)} runs of {sweep.folder} have begun: there is no {word}")
    return int(rows[place][0])


def _metric(sweep: Sweep, term: Any) -> str:
    """Find a metric by its column in `epochs`, or validation's by the name that stages share."""
    name = _objective(sweep, term)
    known = [row[0] for row in sweep.sql("select distinct name from epoch_values").fetchall()]
    for candidate in (name, _validated(name)):
        if candidate in known:
            return candidate
    if not known:
        return name
    hint = nearest(name, known) or f"; there are {', '.join(sorted(known))}"
    raise ConfigError(f"no run has logged a metric {name!r} in an epoch{hint}")


def _validated(name: str) -> str:
    """Return the column of a metric's values in validation where other stages log it, too."""
    return f"validate/{name}"


def _objective(sweep: Sweep, term: Any) -> str:
    return sweep.plan.objective.metric if term == "objective" else str(term)


def _direction(sweep: Sweep, term: Any) -> str:
    text = sweep.plan.objective.direction if term == "objective" else str(term)
    if text not in ("minimize", "maximize"):
        raise ValueError(text)
    return text


def _node(sweep: Sweep, term: Any) -> str:
    from provrunner.graph.query import find_term

    if term == "data":
        rows = sweep.sql("select id from nodes where type = 'pr:Dataset' order by id").fetchall()
        if not rows:
            raise ConfigError(f"no data set is known in {sweep.folder}")
        return str(rows[0][0])
    return find_term(sweep.graph(), str(term))


def _hyperparameter(sweep: Sweep, term: Any) -> str:
    known = [axis.name for axis in sweep.plan.hyperparameters]
    places = {"first": 0, "second": 1}
    if term in places:
        if len(known) <= places[term]:
            raise ConfigError(f"this sweep varies {len(known)} hyperparameters: no {term} one")
        return known[places[term]]
    if term not in known:
        hint = nearest(str(term), known) or f"; it varies {', '.join(known) or 'none'}"
        raise ConfigError(f"this sweep varies no hyperparameter {term!r}{hint}")
    return str(term)


_KINDS: Mapping[str, Callable[[Any, Any], Any]] = {
    "int": _count,
    "float": lambda _, value: float(value),
    "text": lambda _, value: str(value),
    "status": _status,
    "run": _run,
    "metric": _metric,
    "objective": _objective,
    "direction": _direction,
    "node": _node,
    "hyperparameter": _hyperparameter,
}
