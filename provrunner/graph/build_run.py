"""One run: its activity, configuration, code, environment, agents and result."""

from __future__ import annotations

from provrunner.graph.build_plan import SEED, add_setting
from provrunner.graph.context import Context
from provrunner.graph.records import Row, RunRecord
from provrunner.graph.terms import local_name, parse_json
from provrunner.ids import canonical_json, digest, qualified_id

__all__ = ["add_agent", "add_run", "add_use"]

_RUNNER = "provrunner"


def add_run(context: Context, record: RunRecord) -> None:
    """State a run, what it was told, what it ran on and who is responsible for it."""
    run, span = context.run(record), context.run_span(record)
    row = record.row
    context.statements.add(
        "activity",
        run,
        ("pr:Run", "mls:Run"),
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
        },
    )
    context.statements.relate(
        "was_started_by", run, context.sweep, run=record.number, time=span.start
    )
    config = _add_config(context, record)
    _add_agents(context, record, config)
    _add_code(context, record)
    _add_environment(context, record)


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


def add_use(
    context: Context, record: RunRecord, entity: str, what: str, *, role: str | None = None
) -> str:
    """State that a run used an entity from its start on."""
    return context.statements.relate(
        "used",
        context.run(record),
        entity,
        what,
        run=record.number,
        time=context.run_span(record).start,
        role=role or f"pr:{what}",
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
    add_use(context, record, config, "config")
    swept = _swept(context, record)
    for name in sorted(swept):
        _add_hyperparameter(context, record, config, name, swept[name])
    for name in sorted(record.params.keys() - swept.keys() - context.shared):
        add_setting(context, config, record.params[name])
    return config


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
        ("mls:HyperParameterSetting", "pr:Seed" if seed else "pr:SweptSetting"),
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
    add_use(context, record, setting, f"hp.{part}", role="pr:seed" if seed else "pr:hyperparameter")
    if name in context.axes:
        relate("specialization_of", setting, context.hyperparameter(name), run=run)


def _add_agents(context: Context, record: RunRecord, config: str) -> None:
    """State who ran it: the user, the software, and on whose behalf the software acted."""
    agents = {event.subject or "": event.data for event in record.events.get("agent", ())}
    user = record.row["user"]
    if user and not any(data.get("type") == "person" for data in agents.values()):
        agents[user] = {"type": "person"}
    agents.setdefault(_RUNNER, {"type": "software", "on_behalf_of": user})
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
    context.agents[record.number] = (ids[_RUNNER], *(ids[name] for name in sorted(people)))


def _associate(
    context: Context, record: RunRecord, agent: str, plan: str | None, role: str
) -> None:
    relate = context.statements.relate
    run = context.run(record)
    relate("was_associated_with", run, agent, agent, run=record.number, plan=plan, role=role)
    sweep = context.sweep
    relate("was_associated_with", sweep, agent, agent, plan=context.sweep_config, role=role)


def _add_code(context: Context, record: RunRecord) -> None:
    """State the code: a commit, the uncommitted patch on it, and the user's files that ran."""
    event = record.event("code")
    code = event.data if event else {"commit": record.row["commit"], "dirty": record.row["dirty"]}
    files = sorted(
        {(source.subject or "", source.text or "") for source in record.events.get("source", ())}
    )
    commit, patch = code.get("commit"), code.get("patch_sha256")
    if not (commit or patch or files):
        return
    known = {key: code.get(key) for key in ("commit", "dirty", "branch", "remote", "patch_sha256")}
    entity = context.statements.add(
        "entity",
        qualified_id("code", canonical_json(known), canonical_json(files)),
        ("pr:SourceCode", "prov:Collection"),
        f"code {str(commit)[:10] if commit else 'of no commit'}{' + patch' if patch else ''}",
        attributes={
            "gitCommit": commit,
            "gitBranch": known["branch"],
            "gitRemote": known["remote"],
            "dirty": known["dirty"],
            "patchSha256": patch,
            "reason": code.get("reason"),
        },
    )
    if commit:
        _add_part(context, entity, "pr:Commit", str(commit), "gitCommit")
    if patch:
        _add_part(context, entity, "pr:Patch", str(patch), "sha256")
    for source in record.events.get("source", ()):
        _add_source(context, entity, source.subject or "", source.data)
    add_use(context, record, entity, "code")


def _add_part(context: Context, code: str, type_: str, digest_: str, attribute: str) -> None:
    kind = type_.removeprefix("pr:").lower()
    part = context.statements.add(
        "entity",
        qualified_id(kind, digest_),
        type_,
        f"{kind} {digest_[:10]}",
        attributes={attribute: digest_},
    )
    context.statements.relate("was_derived_from", code, part, part)


def _add_source(context: Context, code: str, name: str, data: Row) -> None:
    path = data.get("path")
    source = context.statements.add(
        "entity",
        qualified_id("source", name, path, data.get("sha256")),
        "pr:SourceFile",
        str(name or path),
        attributes={"name": name or None, "path": path, "sha256": data.get("sha256")},
    )
    context.statements.relate("had_member", code, source, source)


def _add_environment(context: Context, record: RunRecord) -> None:
    """State the software environment and the machine, each shared by the runs that had the same."""
    event = record.event("environment")
    if event is None:
        return
    data = event.data
    software = {
        "python": data.get("python"),
        "os": data.get("os"),
        "launcher": data.get("launcher"),
        "package": [f"{name}=={version}" for name, version in _pairs(data.get("packages"))],
        "variable": [f"{name}={value}" for name, value in _pairs(data.get("variables"))],
    }
    hardware = {
        "host": record.row["host"],
        "machine": data.get("machine"),
        "cpu": data.get("cpu"),
        "cores": data.get("cores"),
        "threads": data.get("threads"),
        "memoryBytes": data.get("memory_bytes"),
        "gpu": data.get("gpus") or [],
    }
    for kind, facts, label in (
        ("environment", software, f"Python {software['python']}"),
        ("hardware", hardware, hardware["cpu"] or hardware["machine"] or "hardware"),
    ):
        entity = context.statements.add(
            "entity",
            qualified_id(kind, canonical_json(facts)),
            f"pr:{kind.title()}",
            str(label),
            attributes=facts,
        )
        add_use(context, record, entity, kind)


def _pairs(mapping: object) -> list[tuple[str, str]]:
    return sorted(mapping.items()) if isinstance(mapping, dict) else []
