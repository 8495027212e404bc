"""The prospective plan: steps with their ports and settings, and what carried each of them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provrunner.graph.context import Context
from provrunner.graph.records import Row, RunRecord
from provrunner.graph.steps import STEPS, Step, steps_of
from provrunner.graph.terms import parse_json
from provrunner.ids import qualified_id

__all__ = ["add_carried_out", "add_run_steps", "add_steps"]

_TARGET = "._target_"


def add_steps(context: Context, settings: Mapping[str, str]) -> None:
    """State the steps of the plan, from the configuration alone.

    Args:
        context: the build; before any run there are steps, ports and swept hyperparameters.
        settings: ids of the settings that all runs share, by name.
    """
    targets = _targets(context)
    first = {path: found[0] for path, found in targets.items()}
    swept = {axis: context.hyperparameter(axis) for axis in sorted(context.axes)}
    entering: dict[str, list[str]] = {name: [] for name in STEPS}
    for setting, id_ in {**swept, **settings}.items():
        for name in steps_of(setting, first):
            entering[name].append(id_)
    for name, step in STEPS.items():
        if name != "test" or _is_tested(context):
            _add_step(context, name, step, _of_step(name, targets))
            for member in entering[name]:
                context.statements.relate("had_member", context.steps[name], member, member)


def add_carried_out(
    context: Context, name: str, activity: str, *, run: int | None = None, agent: str | None = None
) -> None:
    """State that an activity carried out a step: the step is the plan of its association."""
    if run is not None and agent is None:
        agent = next(iter(context.agents.get(run, ())), None)
    if agent is not None and name in context.steps:
        context.statements.relate(
            *("was_associated_with", activity, agent, f"step.{name}"),
            run=run,
            plan=context.steps[name],
            role="pr:software",
        )


def add_run_steps(context: Context, record: RunRecord) -> None:
    """State the steps that a run carried out in no activity of their own."""
    done = {
        "prepare": bool(record.datasets),
        "split": any(row["split"] is not None for row in record.datasets),
        "checkpoint": any(row["kind"] == "checkpoint" for row in record.artifacts),
    }
    for name, is_done in done.items():
        if is_done:
            add_carried_out(context, name, context.run(record), run=record.number)


def _add_step(context: Context, name: str, step: Step, targets: list[str]) -> None:
    root = qualified_id("step", context.plan.sweep_id)
    ports = [
        _add_port(context, f"{root}.{name}.in.{port}", port, _type_of(source), f"{root}.{source}")
        for port, source in step.inputs.items()
    ]
    ports += [
        _add_port(context, f"{root}.{name}.out.{port}", port, type_)
        for port, type_ in step.outputs.items()
    ]
    context.steps[name] = context.statements.add(
        "entity",
        f"{root}.{name}",
        ("pr:Step", "prov:Plan", "prov:Collection", "provone:Program"),
        name,
        attributes={
            "name": name,
            "does": step.does,
            "position": list(STEPS).index(name),
            "target": targets,
            "port": [_reference(port) for port in ports],
        },
    )
    context.statements.relate("had_member", context.sweep_config, context.steps[name], name)


def _add_port(context: Context, id_: str, name: str, type_: str, source: str | None = None) -> str:
    attributes: dict[str, object] = {
        "name": name,
        "direction": "in" if source else "out",
        "dataType": {"$": type_, "type": "xsd:QName"},
    }
    if source:
        step, _, port = source.rpartition(".")
        attributes["from"] = _reference(f"{step}.out.{port}")
    return context.statements.add(
        "entity", id_, ("pr:Port", "provone:Port"), name, attributes=attributes
    )


def _reference(id_: str) -> dict[str, str]:
    return {"$": f"art:{id_}", "type": "xsd:QName"}


def _type_of(source: str) -> str:
    step, _, port = source.partition(".")
    return STEPS[step].outputs[port]


def _targets(context: Context) -> dict[str, list[str]]:
    """Return the class paths that runs were configured with, by the path that holds them."""
    found: dict[str, set[str]] = {}
    for record in context.records:
        for name, row in record.params.items():
            if name.endswith(_TARGET):
                path = name.removesuffix(_TARGET)
                found.setdefault(path, set()).add(str(parse_json(row["value"])))
    return {path: sorted(found[path]) for path in sorted(found)}


def _of_step(name: str, targets: Mapping[str, list[str]]) -> list[str]:
    first = {path: found[0] for path, found in targets.items()}
    paths = [path for path in targets if name in steps_of(f"{path}{_TARGET}", first)]
    return sorted({target for path in paths for target in targets[path]})


def _is_tested(context: Context) -> bool:
    """Tell whether the plan has a test: unless the configuration says no, and no run had one."""
    rows: Iterable[Row] = (
        record.params["test"] for record in context.records if "test" in record.params
    )
    told = {row["value"] for row in rows}
    return told != {"false"} or any(record.tests for record in context.records)
