"""The README of a restored run: what lies there, and how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from provrunner.report.escape import markdown_text
from provrunner.report.runref import RunRef

__all__ = ["build_readme"]

_README = """\
# {run}

Run {number} of the sweep {sweep} ({created}), laid out from its record by `provrunner restore`.
Objective {metric}: {objective}. Status: {status}.

| here | what |
|---|---|
{files}

## Run it again

```
{commands}
```

The last command runs the configuration of the record with its seed, and compares every metric with
the values in the record. It exits with 1 where they differ.
{remarks}"""


def build_readme(run: RunRef, files: Mapping[str, str], remarks: Sequence[str], start: Path) -> str:
    """Write the README as Markdown, with nothing of the log in it but text.

    Args:
        run: the run.
        files: what lies there, by path, each with what it is.
        remarks: what could not be restored exactly.
        start: where in `code/` the run was started, relative to it.
    """
    row, plan = run.row, run.sweep.plan
    told = "\n".join(f"- {markdown_text(remark)}" for remark in remarks)
    return _README.format(
        run=markdown_text(run.point.run_id),
        number=run.point.run,
        sweep=markdown_text(plan.name),
        created=markdown_text(plan.created),
        metric=markdown_text(plan.objective.metric),
        objective="unknown" if row["objective"] is None else repr(row["objective"]),
        status=row["status"],
        files="\n".join(
            f"| {markdown_text(name)} | {markdown_text(what)} |" for name, what in files.items()
        ),
        commands="\n".join(_commands(run, files, start)),
        remarks=f"\n## Not as it was\n\n{told}\n" if told else "",
    )


def _commands(run: RunRef, files: Mapping[str, str], start: Path) -> Iterator[str]:
    if "constraints.txt" in files:
        yield "python -m venv .venv && . .venv/bin/activate"
        yield "pip install -c constraints.txt provrunner"
    record = "record"
    if "code/" in files:
        yield f"cd {shlex.quote((Path('code') / start).as_posix())}"
        record = "../" * (1 + len(start.parts)) + record
    yield f"python -m provrunner rerun {shlex.quote(run.point.run_id)} {record} --verify"
