"""Warn of settings that somebody chose and no run read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.plan import Plan
from provrunner.report.wording import SWEPT_BUT_NEVER_READ
from provrunner.sensitivity import Summary

__all__ = ["flag_unread"]

_SET_BUT_NEVER_READ = "set_but_never_read"


def flag_unread(summary: Summary, params: pa.Table, plan: Plan) -> Summary:
    """Add a flag for hyperparameters, and one for other keys, that were set in vain.

    A key counts when no run whose reads are known read it. Of keys that are not swept, those count
    that the command line or a file of the user's own sets. A file is the user's own if it does not
    lie beside the one that holds the defaults.

    Args:
        summary: what the runs say.
        params: the public table `params`.
        plan: names what was swept.
    """
    unread = _unread(params)
    if not unread:
        return summary
    swept = [axis.name for axis in plan.hyperparameters]
    in_vain = [name for name in swept if _is_unread(name, unread, params)]
    others = [
        name for name in _chosen(params, unread) if not any(_is_at(name, axis) for axis in swept)
    ]
    flags = []
    if in_vain:
        detail = f"{', '.join(in_vain)}: no run read it, so what it seems to do is chance"
        flags.append({"flag": SWEPT_BUT_NEVER_READ, "detail": detail})
    if others:
        flags.append({"flag": _SET_BUT_NEVER_READ, "detail": ", ".join(others)})
    return Summary({**summary.document, "flags": [*flags, *summary.document["flags"]]})


def _unread(params: pa.Table) -> set[str]:
    """Return the keys that some run tells of and none read."""
    known = params.filter(pc.equal(params["phase"], "init"))
    reads = known.group_by("name", use_threads=False).aggregate([("reads", "max")])
    return set(reads.filter(pc.equal(reads["reads_max"], 0))["name"].to_pylist())


def _is_unread(axis: str, unread: set[str], params: pa.Table) -> bool:
    """Say whether a swept key, or all keys of a swept group, were read by no run."""
    init = params.filter(pc.equal(params["phase"], "init"))
    names = {name for name in init["name"].unique().to_pylist() if _is_at(name, axis)}
    return bool(names) and names <= unread


def _chosen(params: pa.Table, unread: set[str]) -> Iterator[str]:
    """Yield the unread keys that somebody set."""
    defaults = params.filter(pc.equal(params["origin"], "default"))["source"].unique().to_pylist()
    folders = {PurePath(source).parent for source in defaults if source}
    rows = params.filter(pc.is_in(params["name"], pa.array(sorted(unread), pa.utf8())))
    chosen = rows.group_by(["name", "origin", "source"], use_threads=False).aggregate([])
    names = {
        row["name"]
        for row in chosen.to_pylist()
        if row["origin"] == "command line" or _is_own(row["origin"], row["source"], folders)
    }
    yield from sorted(names)


def _is_own(origin: str | None, source: str | None, folders: set[PurePath]) -> bool:
    if origin not in ("file", "group choice") or not source or not folders:
        return False
    return not folders.intersection(PurePath(source).parents)


def _is_at(name: str, axis: str) -> bool:
    return name == axis or name.startswith(f"{axis}.")
