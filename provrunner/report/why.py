"""What a number of the summary rests on: its method, its runs and the values they logged."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import GraphError, nearest
from provrunner.report.escape import visible
from provrunner.report.logged import logged_values
from provrunner.report.numbers import count, interval, number, share
from provrunner.report.results import Sweep
from provrunner.report.rows import plain, render_rows
from provrunner.report.wording import component_name, noise_sentence, short_names

if TYPE_CHECKING:
    from provrunner.graph import Graph

__all__ = ["Why", "explain"]

_BEST = "best"
_CROSS = " × "
_SPELT_CROSS = re.compile(r"\s*(?:×|\*|\bx\b)\s*")
_NOT_A_NUMBER = ("component", "kind", "parameters", "runs")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Why:
    """A number of the summary with all that it rests on.

    Attributes:
        term: what was asked for, by its full name.
        statement: what the summary says of it.
        method: how it was computed, in one line.
        numbers: the figures themselves: share, interval, effect, p; as in `summary.json`.
        values: one row a logged value that it rests on; columns run, run_id, seed, objective,
            stage, metric, epoch, step, log, row (of that file) and one a hyperparameter.
        node: id of its statement in the graph, without `art:`.
        statements: the relations of that node; columns relation, object, label.
    """

    term: str
    statement: str
    method: str
    numbers: Json
    values: pa.Table
    node: str
    statements: pa.Table

    def to_json(self) -> str:
        """Write it as indented JSON."""
        document = {
            "term": self.term,
            "statement": self.statement,
            "method": self.method,
            "numbers": dict(self.numbers),
            "values": self.values.to_pylist(),
            "graph": {"node": f"art:{self.node}", "statements": self.statements.to_pylist()},
        }
        return json.dumps(plain(document), indent=1, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """Write it as lines and an aligned table of the values."""
        told = [
            f"{name.replace('_', ' ')} {number(value, 4)}"
            if isinstance(value, float)
            else f"{name.replace('_', ' ')} {visible(value)}"
            for name, value in self.numbers.items()
            if value is not None and not isinstance(value, dict | list)
        ]
        counts = pc.value_counts(self.statements["relation"]).to_pylist()
        graph = ", ".join(f"{row['values']} × {row['counts']}" for row in counts)
        rests = f"It rests on {count(self.values.num_rows, 'logged value')}:"
        return (
            f"{visible(self.term)}\n  {visible(self.statement)}\n\n"
            f"method   {visible(self.method)}\nnumbers  {', '.join(told)}\n"
            f"graph    art:{visible(self.node)} ({graph})\n\n"
            f"{rests}\n{render_rows(self.values)}"
        )


def explain(sweep: Sweep, term: str) -> Why:
    """Explain a number of a sweep's summary.

    Args:
        sweep: an open sweep, also one that still runs.
        term: a hyperparameter (`optimizer.lr`, or its short name), an interaction
            (`optimizer.lr x model.width`), `noise`, `seed`, `unresolved`, `best`, or one value of a
            metric as in `val/loss@3/9` (run 3, epoch 9).

    Raises:
        GraphError: the summary has no such number; the message names the nearest.
    """
    summary = sweep.sensitivity().to_dict()
    if term == _BEST:
        return _explain_best(sweep, summary)
    part = _component(summary, term)
    if part is not None:
        return _explain_component(sweep, summary, part)
    return _explain_value(sweep, summary, term)


def _component(summary: Json, term: str) -> Json | None:
    parts = {part["component"]: part for part in summary["components"]}
    full = {short: name for name, short in _short(summary).items()}
    words = [full.get(word, word) for word in _SPELT_CROSS.split(term)]
    for name in (term, *(_CROSS.join(order) for order in (words, words[::-1]))):
        if name in parts:
            return dict(parts[name])
    return next(
        (part for part in parts.values() if sorted(part["parameters"]) == sorted(words)), None
    )


def _short(summary: Json) -> dict[str, str]:
    return short_names(name for part in summary["components"] for name in part["parameters"])


def _explain_component(sweep: Sweep, summary: Json, part: Json) -> Why:
    numbers = {name: value for name, value in part.items() if name not in _NOT_A_NUMBER}
    node = _find(sweep, part["component"])
    metrics = _derivations(sweep.graph(), node)
    return Why(
        term=str(part["component"]),
        statement=_statement(summary, part),
        method=_method(summary, part),
        numbers=numbers,
        values=logged_values(sweep, part["runs"]),
        node=node,
        statements=metrics,
    )


def _statement(summary: Json, part: Json) -> str:
    if part["kind"] == "main":
        found = [row for row in summary["parameters"] if row["name"] == part["component"]]
        if found and found[0]["verdict"]:
            return str(found[0]["verdict"])
    name = component_name(part, _short(summary))
    limits = interval(part["low"], part["high"])
    told = f"{name}: {share(part['share'])} of the variance of one run's "
    told += f"{summary['sweep']['metric']} (95 % interval {limits})."
    return f"{told} {noise_sentence(summary['noise'])}" if part["kind"] == "noise" else told


def _method(summary: Json, part: Json) -> str:
    from provrunner.sensitivity.flags import ROBUST

    robust = any(ROBUST in flag["detail"] for flag in summary["flags"])
    tests = sum(one["p_holm"] is not None for one in summary["components"])
    kind, noise = part["kind"], summary["noise"]
    method = (
        f"{summary['sweep']['design_text']}: unbiased part of the variance of one run's "
        f"{summary['sweep']['metric']} in one linear model of orthonormal contrasts"
    )
    if kind == "noise":
        return f"{method}; from {noise['source']}, {part['df']} degrees of freedom"
    if kind in ("main", "interaction") and part["p"] is not None:
        robustly = " on the HC3 covariance" if robust else ""
        test = f"Wald's type III test{robustly}, by Holm over {tests} tests"
        return f"{method}; interval from noncentral F; p from {test}"
    return method


def _explain_best(sweep: Sweep, summary: Json) -> Why:
    best = summary["best"]
    if best is None:
        raise GraphError(f"sweep {sweep.plan.name!r} has no best run: none has finished")
    node = _find(sweep, _BEST)
    rival = best["runner_up"]
    trials = {best["trial_id"], rival["trial_id"] if rival else None}
    runs = [
        run for trial in summary["trials"] if trial["trial_id"] in trials for run in trial["runs"]
    ]
    numbers = {
        name: best[name] for name in ("objective", "epoch", "difference", "low", "high", "p")
    }
    at = "the best epoch" if sweep.plan.objective.at == "best" else "the last epoch"
    return Why(
        term=f"best run {best['run_id']}",
        statement=str(best["statement"]),
        method=(
            f"run with the {_extreme(summary)} {summary['sweep']['metric']} at {at}; the "
            "difference is between its trial's mean and that of the best other trial, with a 95 % "
            "interval"
        ),
        numbers={**numbers, "run": best["run"], "runner up": rival["run_id"] if rival else None},
        values=logged_values(
            sweep, [best["run"], *(run for run in sorted(runs) if run != best["run"])]
        ),
        node=node,
        statements=_derivations(sweep.graph(), node),
    )


def _extreme(summary: Json) -> str:
    return "lowest" if summary["sweep"]["direction"] == "minimize" else "highest"


def _explain_value(sweep: Sweep, summary: Json, term: str) -> Why:
    """Explain one value of a metric, as the graph knows it."""
    graph = sweep.graph()
    try:
        node = _find(sweep, term)
    except GraphError:
        raise _unknown(sweep, summary, term) from None
    row = graph.nodes.filter(pc.equal(graph.nodes["id"], node)).to_pylist()[0]
    if row["type"] != "pr:Metric":
        raise _unknown(sweep, summary, term)
    told = json.loads(row["attributes"])
    name, stage, epoch = told["pr:name"], told["pr:stage"], told.get("pr:epoch")
    run = sweep.find_run(row["run"]).run_id
    return Why(
        term=f"{name} of run {run}" + ("" if epoch is None else f" at epoch {epoch}"),
        statement=f"{name} is {told['prov:value']}.",
        method=f"logged in stage {stage}; the last value of the epoch",
        numbers={"value": told["prov:value"], "epoch": epoch},
        values=logged_values(sweep, [row["run"]], name=name, stage=stage, epoch=epoch),
        node=node,
        statements=_derivations(graph, node),
    )


def _unknown(sweep: Sweep, summary: Json, term: str) -> GraphError:
    known = [part["component"] for part in summary["components"]]
    known += [*_short(summary).values(), *([_BEST] if summary["best"] else [])]
    some = f"; it has {', '.join(known[:6])}" if known else "; it has no numbers yet"
    logged = sorted(set(sweep.table("metrics")["name"].unique().to_pylist()))
    hint = nearest(term, [*known, *logged])
    return GraphError(f"the summary has no number called {term!r}{hint or some}")


def _find(sweep: Sweep, term: str) -> str:
    from provrunner.graph import find_term

    return find_term(sweep.graph(), term)


def _derivations(graph: Graph, node: str) -> pa.Table:
    edges = graph.edges.filter(pc.equal(graph.edges["subject"], node))
    labels = dict(zip(graph.nodes["id"].to_pylist(), graph.nodes["label"].to_pylist(), strict=True))
    ends = edges["object"].to_pylist()
    return pa.table(
        {
            "relation": edges["relation"],
            "object": pa.array([f"art:{end}" for end in ends], pa.utf8()),
            "label": pa.array([labels.get(end) for end in ends], pa.utf8()),
        }
    )
