"""What a sweep and its runs did, in the words of a Provenance Run Crate: actions and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from provrunner.graph.export.crate_facts import Facts, Node, refs
from provrunner.graph.terms import local_name
from provrunner.ids import canonical_json, digest

__all__ = ["STEP", "TOOL", "WORKFLOW", "add_actions"]

WORKFLOW = "plan.json"
TOOL = "#training"
STEP = "#step-run"

_ORCHESTRATION = "#orchestration"
_STATUS = "http://schema.org/{}ActionStatus"
_TOLD = ("/config.yaml", "/overrides.yaml")
_WELL = frozenset({"finished", "pruned"})
_OPEN = frozenset({"running", "planned"})
_TYPES = ((bool, "Boolean"), (int, "Integer"), (float, "Float"))

_Given = Mapping[int | None, Sequence[str]]


def add_actions(facts: Facts, results: Sequence[str], engine: str) -> list[str]:
    """Add the actions of a sweep, of each run, and of the engine that set them off.

    Args:
        facts: the graph, and the crate's entities so far.
        results: ids of the files that the sweep as a whole made.
        engine: id of what set the runs off.

    Returns:
        The ids of the actions that the crate is about: the sweep's, then the runs'.
    """
    runs, given, data = facts.nodes("pr:Run"), _add_parameters(facts), _add_data(facts)
    outcomes = {one.run: one for one in facts.nodes("pr:RunResult")}
    done = [
        _add_run(facts, run, [*given.get(run.run, ()), *data.get(run.run, ())], outcomes)
        for run in runs
    ]
    used = {one for some in (*given.values(), *data.values()) for one in some}
    sweep = facts.nodes("pr:Sweep")[0]
    action = _add_action(
        facts,
        sweep,
        f"All runs of {sweep.label}, as {WORKFLOW} declares them.",
        instrument=WORKFLOW,
        used=sorted(used),
        made=results,
        status=_overall([str(run.attributes.get("pr:status")) for run in runs]),
    )
    _add_orchestration(facts, action, runs, engine)
    return [action, *done]


def _add_parameters(facts: Facts) -> dict[int | None, list[str]]:
    """Add what the workflow may be given, and each value that was; return these by run."""
    given: dict[int | None, list[str]] = {}
    parameters: dict[str, tuple[set[str], set[str]]] = {}
    for setting in facts.nodes("mls:HyperParameterSetting"):
        if setting.run is None:
            continue
        name, value = str(setting.attributes["pr:name"]), setting.attributes.get("prov:value")
        parameter = _parameter(name)
        id_ = f"{parameter}-{digest(canonical_json(value))[:8]}"
        of = refs([parameter])
        facts.add(id_, "PropertyValue", name=name, value=_plain(value), exampleOfWork=of)
        given.setdefault(setting.run, []).append(id_)
        examples, types = parameters.setdefault(name, (set(), set()))
        examples.add(id_)
        types.add(_type(value))
    for name, (examples, types) in sorted(parameters.items()):
        facts.add(
            _parameter(name),
            "FormalParameter",
            name=name,
            additionalType=types.pop() if len(types) == 1 else "Text",
            workExample=refs(sorted(examples)),
            valueRequired="True",
        )
    return given


def _parameter(name: str) -> str:
    return f"#parameter-{local_name(name)}"


def _type(value: object) -> str:
    return next((name for type_, name in _TYPES if isinstance(value, type_)), "Text")


def _plain(value: Any) -> str | float:
    if isinstance(value, dict):
        return str(value["$"])
    return value if isinstance(value, int | float) else str(value)


def _add_data(facts: Facts) -> dict[int | None, list[str]]:
    """Add the data sets, which lie elsewhere; return their ids by run."""
    ids = {}
    for one in facts.nodes("pr:Dataset"):
        sha256 = one.attributes.get("pr:sha256")
        ids[one.id] = facts.add(
            f"#{one.id}",
            "CreativeWork",
            name=one.label,
            description=f"Data set {one.label}, {one.attributes.get('pr:size')} samples.",
            identifier=f"sha256:{sha256}" if sha256 else None,
        )
    edges = facts.graph.edges
    used = edges.filter(pc.equal(edges["role"], "pr:dataset"))
    found: dict[int | None, list[str]] = {}
    for run, data in zip(used["run"].to_pylist(), used["object"].to_pylist(), strict=True):
        if data in ids:
            found.setdefault(run, []).append(ids[data])
    return found


def _add_run(
    facts: Facts, run: Node, used: Sequence[str], outcomes: Mapping[int | None, Node]
) -> str:
    told, outcome = run.attributes, outcomes.get(run.run)
    files = facts.files.get(run.run, ())
    made = [file for file in files if not file.endswith(_TOLD)]
    if outcome and outcome.attributes.get("pr:objective") is not None:
        value = _plain(outcome.attributes["pr:objective"])
        made.append(facts.add(f"#{outcome.id}", "PropertyValue", name="objective", value=value))
    status = str(told.get("pr:status"))
    return _add_action(
        facts,
        run,
        f"{run.label} with seed {told.get('pr:seed')}: {status}.",
        instrument=TOOL,
        used=[*used, *(file for file in files if file.endswith(_TOLD))],
        made=made,
        status=_overall([status]),
        error=told.get("pr:reason") if status not in _WELL | _OPEN else None,
    )


def _add_action(
    facts: Facts,
    activity: Node,
    description: str,
    *,
    instrument: str,
    used: Sequence[str],
    made: Sequence[str],
    status: str | None,
    error: str | None = None,
) -> str:
    return facts.add(
        f"#{activity.id}",
        "CreateAction",
        name=activity.label,
        description=description,
        instrument=refs([instrument]),
        object=refs(used),
        result=refs(made),
        agent=refs(facts.people),
        startTime=activity.start,
        endTime=activity.end,
        actionStatus={"@id": _STATUS.format(status)} if status else None,
        error=error,
    )


def _overall(statuses: Sequence[str]) -> str | None:
    """Return how an action of some runs ended; None where one may still go on."""
    if _OPEN.intersection(statuses):
        return None
    return "Completed" if _WELL.issuperset(statuses) else "Failed"


def _add_orchestration(facts: Facts, action: str, runs: Sequence[Node], engine: str) -> None:
    """State that the engine set off each run as the workflow's one step."""
    controls = [
        facts.add(
            f"#{run.id}.orchestration",
            "ControlAction",
            name=f"orchestration of {run.label}",
            instrument=refs([STEP]),
            object=refs([f"#{run.id}"]),
        )
        for run in runs
    ]
    facts.add(
        _ORCHESTRATION,
        "OrganizeAction",
        name="orchestration of the sweep",
        instrument=refs([engine]),
        object=refs(controls),
        result=refs([action]),
        agent=refs(facts.people),
    )
