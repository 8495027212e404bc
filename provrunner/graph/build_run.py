"""One run: its activity, its attempts, its configuration and its agents."""

from __future__ import annotations

from provrunner.graph.build_environment import add_environment
from provrunner.graph.build_origin import add_origin
from provrunner.graph.build_plan import SEED, add_setting
from provrunner.graph.context import Context
from provrunner.graph.records import Event, Row, RunRecord
from provrunner.graph.terms import local_name, parse_json
from provrunner.ids import canonical_json, digest, qualified_id

__all__ = ["add_agent", "add_run"]


def add_run(context: Context, record: RunRecord) -> str:
    """State a run, what it was told, what it ran on and who is responsible for it.

    Returns:
        The id of its configuration.
    """
    run, span = context.run(record), context.run_span(record)
    row = record.row
    context.statements.add(
        "activity",
        run,
        ("pr:Run", "mls:Run", "provone:Execution", "schema:CreateAction"),
        f"run {row['run_id']}",
        run=record.number,
        start=span.start,
        end=span.end,
        attributes={
            "run": record.number,
            "runId": row["run_id"],
            "trial": row["trial_id"],
            "replicate": row["replicate"],
            "seed": row["seed"],
            "attempt": row["attempt"],
            "status": row["status"],
            "reason": row["reason"],
            "command": row["cmd"],
            "host": row["host"],
            "worldSize": row["world_size"],
            "logState": row["log_state"],
            **_asked(context, record),
        },
    )
    context.statements.relate(
        "was_started_by", run, context.sweep, run=record.number, time=span.start
    )
    config = _add_config(context, record)
    add_origin(context, record, config)
    _add_agents(context, record, config)
    add_environment(context, record)
    _add_attempts(context, record)
    return config


def add_agent(
    context: Context, name: str, version: str | None = None, *, person: bool = False
) -> str:
    """State a person, or a software of one version, and return its id."""
    if person:
        return context.statements.add(
            "agent", qualified_id("person", name), "prov:Person", name, attributes={"name": name}
        )
    return context.statements.add(
        "agent",
        qualified_id("software", name, version or ""),
        "prov:SoftwareAgent",
        f"{name} {version}" if version else name,
        attributes={"name": name, "version": version},
    )


def _add_config(context: Context, record: RunRecord) -> str:
    """State the composed configuration, addressed by its leaves, and what is swept in it."""
    values = {name: row["value"] for name, row in record.params.items()}
    told = canonical_json(values or [_planned(context, record), record.row["seed"]])
    sha256 = digest(told)
    config = context.statements.add(
        "entity",
        f"config-{sha256[:16]}",
        ("pr:RunConfig", "prov:Plan", "prov:Collection"),
        f"config of run {record.row['run_id']}",
        run=record.number,
        attributes={"sha256": sha256},
    )
    context.statements.relate("was_derived_from", config, context.sweep_config)
    if record.number in context.extensions:
        extension = context.extensions[record.number]
        context.statements.relate("was_derived_from", config, extension, "extension")
    context.use(record, config, "config")
    swept = _swept(context, record)
    for name in sorted(swept):
        _add_hyperparameter(context, record, config, name, swept[name])
    for name in sorted(record.params.keys() - swept.keys() - context.shared):
        add_setting(context, config, record.params[name])
    return config


def _asked(context: Context, record: RunRecord) -> dict[str, object]:
    """Say why an adaptive sweep asked for the trial, and how many results were known then."""
    trial = record.row["trial_id"]
    found = next((one for one in context.plan.asked if one.trial_id == trial), None)
    return {} if found is None else {"asked": found.reason, "told": found.told}


def _planned(context: Context, record: RunRecord) -> dict[str, object]:
    point = context.points.get(record.number)
    return dict(point.values) if point else {}


def _swept(context: Context, record: RunRecord) -> dict[str, Row]:
    """Return a run's seed and swept settings as rows of `params`, as planned if not logged."""
    planned = _planned(context, record)
    if record.row["seed"] is not None:
        planned[SEED] = record.row["seed"]
    return {
        name: record.params.get(name) or {"value": canonical_json(value)}
        for name, value in planned.items()
    }


def _add_hyperparameter(
    context: Context, record: RunRecord, config: str, name: str, row: Row
) -> None:
    part = local_name(name)
    seed = name == SEED
    setting = context.statements.add(
        "entity",
        f"{context.run(record)}.hp.{part}",
        (
            "mls:HyperParameterSetting",
            "pr:Seed" if seed else "pr:SweptSetting",
            "schema:PropertyValue",
        ),
        f"{name} = {row['value']}",
        run=record.number,
        attributes={
            "name": name,
            "prov:value": parse_json(row["value"]),
            "origin": row.get("origin"),
            "source": row.get("source"),
            "reads": row.get("reads"),
        },
    )
    relate, run = context.statements.relate, record.number
    relate("was_derived_from", setting, config, run=run)
    context.use(record, setting, f"hp.{part}", role="pr:seed" if seed else "pr:hyperparameter")
    if name in context.axes:
        relate("specialization_of", setting, context.hyperparameter(name), run=run)


def _add_agents(context: Context, record: RunRecord, config: str) -> None:
    """State who ran it: the user, the software, and on whose behalf the software acted."""
    agents = {event.subject or "": event.data for event in record.events.get("agent", ())}
    user = record.row["user"]
    if user and not any(data.get("type") == "person" for data in agents.values()):
        agents[user] = {"type": "person"}
    agents.setdefault(context.runner, {"type": "software", "on_behalf_of": user})
    people = {name: data for name, data in agents.items() if data.get("type") == "person"}
    ids = {
        name: add_agent(context, name, data.get("version"), person=name in people)
        for name, data in sorted(agents.items())
    }
    for name, agent in ids.items():
        plan = None if name in people else config
        role = "pr:user" if name in people else "pr:software"
        _associate(context, record, agent, plan, role)
        responsible = ids.get(agents[name].get("on_behalf_of") or "")
        if responsible and responsible != agent:
            context.statements.relate(
                "acted_on_behalf_of",
                agent,
                responsible,
                responsible,
                because=(context.sweep, None, None),
            )
    context.agents[record.number] = (ids[context.runner], *(ids[name] for name in sorted(people)))


def _associate(
    context: Context, record: RunRecord, agent: str, plan: str | None, role: str
) -> None:
    relate = context.statements.relate
    run = context.run(record)
    relate("was_associated_with", run, agent, agent, run=record.number, plan=plan, role=role)
    sweep = context.sweep
    relate("was_associated_with", sweep, agent, agent, plan=context.sweep_config, role=role)


def _add_attempts(context: Context, record: RunRecord) -> None:
    """State the attempts of a run that was begun more than once, each informed by the last."""
    starts = record.events.get("run_start", [])
    if len(starts) < 2:
        return
    run, span, relate = context.run(record), context.run_span(record), context.statements.relate
    previous = None
    for number, start in enumerate(starts):
        until = starts[number + 1].time if number + 1 < len(starts) else None
        end = _end_of_attempt(record, start.time, until)
        inner = span.inner(start.time, end.time if end else None)
        attempt = context.statements.add(
            "activity",
            f"{run}.attempt.{number}",
            "pr:Attempt",
            f"attempt {number}",
            run=record.number,
            start=inner.start,
            end=inner.end,
            attributes={
                "attempt": start.data.get("attempt"),
                "status": end.data.get("status") if end else None,
                "reason": end.data.get("reason") if end else None,
            },
        )
        relate("was_started_by", attempt, run, run=record.number, time=inner.start)
        if previous:
            relate("was_informed_by", attempt, previous, run=record.number)
        previous = attempt


def _end_of_attempt(record: RunRecord, start: int | None, until: int | None) -> Event | None:
    """Return the end that was logged between two starts."""
    for event in record.events.get("run_end", ()):
        late = start is None or event.time is None or event.time >= start
        early = until is None or event.time is None or event.time <= until
        if late and early:
            return event
    return None
