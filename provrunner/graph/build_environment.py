"""What a run ran on: its code, its software environment and its machine."""

from __future__ import annotations

from provrunner.graph.context import Context
from provrunner.graph.records import Row, RunRecord
from provrunner.graph.terms import content_id
from provrunner.ids import canonical_json, digest, qualified_id

__all__ = ["add_environment"]


def add_environment(context: Context, record: RunRecord) -> None:
    """State code, environment and machine, each shared by the runs that had the same."""
    _add_code(context, record)
    _add_software_and_hardware(context, record)


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
    context.use(record, entity, "code")


def _add_part(context: Context, code: str, type_: str, digest_: str, attribute: str) -> None:
    kind = type_.removeprefix("pr:").lower()
    part = context.statements.add(
        "entity",
        content_id(kind, digest_),
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


def _add_software_and_hardware(context: Context, record: RunRecord) -> None:
    """State the software environment and the machine, each shared by the runs that had the same."""
    event = record.event("environment")
    if event is None:
        return
    data = event.data
    packages = [f"{name}=={version}" for name, version in _pairs(data.get("packages"))]
    software = {
        "python": data.get("python"),
        "os": data.get("os"),
        "launcher": data.get("launcher"),
        "package": packages,
        "lockSha256": digest("".join(f"{one}\n" for one in packages)) if packages else None,
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
    python = f"Python {software['python'] or 'unknown'}, {len(packages)} packages"
    for kind, facts, label in (
        ("environment", software, python),
        ("hardware", hardware, hardware["cpu"] or hardware["machine"] or "hardware"),
    ):
        entity = context.statements.add(
            "entity",
            qualified_id(kind, canonical_json(facts)),
            f"pr:{kind.title()}",
            str(label),
            attributes=facts,
        )
        context.use(record, entity, kind)


def _pairs(mapping: object) -> list[tuple[str, str]]:
    return sorted(mapping.items()) if isinstance(mapping, dict) else []
