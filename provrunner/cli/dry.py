"""What a command line would run, told before it is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from provrunner.cli.app import echo
from provrunner.errors import ConfigError

if TYPE_CHECKING:
    from provrunner.plan import Plan
    from provrunner.run.prospect import Prospect

__all__ = ["DRY", "show_prospect", "take_dry"]

DRY = "--dry"
_SHOWN = 20
_PICTURES = (".svg", ".png")


def take_dry(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Take `--dry`, or `--dry=FILE`, out of a command line.

    Returns:
        The other words; and the file, empty without one, None without the flag.
    """
    own = [word for word in words if word == DRY or word.startswith(f"{DRY}=")]
    others = [word for word in words if word not in own]
    return others, own[-1].partition("=")[2] if own else None


def show_prospect(prospect: Prospect, file: str) -> None:
    """Print what would be run, and how long it may take.

    Args:
        prospect: as `look_ahead` gives it.
        file: where the picture of the plan goes, `.svg` or `.png`, or its graph as a PROV document,
            `.json` or `.provn` and so on; empty for neither.

    Raises:
        ConfigError: no such format, or the file cannot be written.
    """
    from provrunner.report import render_rows, visible

    plan = prospect.plan
    runs, trials = plan.runs_promised, plan.runs_promised // plan.replicates
    seeds = f" = {trials} trials × {plan.replicates} seeds" if plan.replicates > 1 else ""
    echo(visible(f"{plan.name}: {runs} runs{seeds}, design {plan.design}; nothing is run"))
    if plan.sampler is not None:
        axes = ", ".join(axis.grammar for axis in plan.hyperparameters)
        echo(visible(f"asked for, {plan.sampler.batch} trials at a time: {axes}"))
    else:
        echo(render_rows(_points(plan), "table"), end="")
    if len(plan.points) > _SHOWN:
        echo(f"... and {runs - _SHOWN} more")
    echo(visible(_steps(plan)))
    echo(_time(prospect))
    if file:
        _write(plan, Path(file))


def _points(plan: Plan) -> object:
    import pyarrow as pa

    from provrunner.log.runs import level_column, level_type

    points = plan.points[:_SHOWN]
    columns = {
        "run": pa.array([point.run for point in points]),
        "seed": pa.array([point.seed for point in points]),
    }
    for axis in plan.hyperparameters:
        values = [point.values.get(axis.name) for point in points]
        columns[axis.name] = level_column(values, level_type(values))
    return pa.table(columns)


def _steps(plan: Plan) -> str:
    """Say which steps every run takes, and where the swept settings enter."""
    from provrunner.graph.steps import STEPS, steps_of

    entering: dict[str, list[str]] = {}
    for axis in plan.hyperparameters:
        for step in steps_of(axis.name, {}):
            entering.setdefault(step, []).append(axis.name)
    told = (f"{step} ({', '.join(entering[step])})" if step in entering else step for step in STEPS)
    return "steps  " + " → ".join(told)


def _time(prospect: Prospect) -> str:
    from provrunner.report.numbers import duration

    found = prospect.estimate
    if found is None:
        return "time   unknown: no earlier sweep of the same model and data below output"
    return (
        f"time   about {duration(found.total_s)}, {prospect.n_jobs} at once: "
        f"{duration(found.run_s)} a run, as {found.runs} earlier runs of the same model and data"
    )


def _write(plan: Plan, path: Path) -> None:
    from provrunner.graph import build_graph, draw_plan
    from provrunner.report.export import FORMATS, graph_writers

    graph = build_graph({}, plan)
    suffix = path.suffix.lower()
    if suffix not in (*_PICTURES, *(f".{one}" for one in FORMATS)):
        known = ", ".join([*_PICTURES, *(f".{one}" for one in FORMATS)])
        raise ConfigError(f"{DRY}={path}: no such format; one of {known}")
    try:
        if suffix in _PICTURES:
            path.write_bytes(draw_plan(graph, format_=suffix[1:]))
        else:
            graph_writers(graph)[suffix[1:]](path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
    echo(f"graph  {path}")
