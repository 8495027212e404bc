"""The sections of the document beside the main analysis, as JSON values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from provrunner.sensitivity.analysis import Analysis
from provrunner.sensitivity.design import MIN_RUNS
from provrunner.sensitivity.failures import FailureModel, failure_model
from provrunner.sensitivity.findings import Finding
from provrunner.sensitivity.further import (
    Sides,
    better_half,
    duration_cost,
    front,
    further_objectives,
)
from provrunner.sensitivity.next_points import next_points
from provrunner.sensitivity.numbers import format_list, format_number
from provrunner.sensitivity.over_time import OverTime, over_time
from provrunner.sensitivity.precision import HALF_WIDTH, Precision, runs_for_share
from provrunner.sensitivity.sample import Sample
from provrunner.sensitivity.texts import seconds_per_run
from provrunner.sensitivity.trials import Run, Trial
from provrunner.sensitivity.verdict import describe_runs

__all__ = ["build_sections"]

Json = dict[str, Any]


def build_sections(
    sample: Sample, analysis: Analysis, findings: Sequence[Finding], epochs: pa.Table | None
) -> Json:
    """Return the sections method, trust, failure_rates, better_half, cost, and so on, by name.

    Args:
        sample: the sweep's runs.
        analysis: of their objective.
        findings: of each factor.
        epochs: columns run, epoch and value; None where there are none.
    """
    return {
        "method": analysis.method if analysis.noise is not None else None,
        "trust": _trust(analysis),
        "failure_rates": _failures(failure_model(sample)),
        "better_half": _better_half(sample),
        "cost": _cost(sample),
        "objectives": _objectives(further_objectives(sample)) if sample.study.others else None,
        "over_time": _over_time(sample, analysis, epochs),
        "precision": _precision(runs_for_share(analysis), seconds_per_run(sample)),
        "next_points": _next_points(sample, analysis, findings),
    }


def _trust(analysis: Analysis) -> Json | None:
    if analysis.trust is None:
        return None
    return {**asdict(analysis.trust), "level": analysis.trust.level}


def _failures(model: FailureModel | None) -> Json | None:
    if model is None:
        return None
    tests = [
        {
            "name": test.name,
            "df": test.df,
            "statistic": test.statistic,
            "p": test.p,
            "p_holm": test.p_holm,
            "significant": None if test.p_holm is None else test.p_holm < 0.05,
            "rates": [asdict(rate) for rate in test.rates],
            "curve": [{"value": value, "rate": rate} for value, rate in test.curve],
        }
        for test in model.tests
    ]
    return {
        "failures": model.failures,
        "successes": model.successes,
        "joint": model.is_joint,
        "parameters": tests,
        "text": _failure_text(model),
    }


def _failure_text(model: FailureModel) -> str:
    ended = model.failures + model.successes
    head = f"{model.failures} of {ended} ended runs failed or gave no objective"
    if all(test.p is None for test in model.tests):
        return f"{head}: too few of one kind to say why."
    guilty = [test.name for test in model.tests if test.p_holm is not None and test.p_holm < 0.05]
    if not guilty:
        return f"{head}: no hyperparameter is seen to change how often."
    return f"{head}; how often depends on {format_list(guilty)}."


def _better_half(sample: Sample) -> Json | None:
    half = better_half(sample)
    if half is None:
        return None
    components = _compact(half.analysis, with_tests=False)
    mains = [row for row in components if row["kind"] == "main" and row["share"]]
    text = None
    if mains:
        top = mains[0]
        text = f"Among the better half, {top['component']} explains most ({top['share']:.2f})."
    return {
        "limit": half.limit,
        "n_runs": len(half.runs),
        "runs": _numbers(half.runs),
        "components": components,
        "text": text,
    }


def _cost(sample: Sample) -> Json | None:
    side = duration_cost(sample)
    if side is None:
        return None
    seconds = {run.number: float(run.duration_s or 0.0) for run in side.runs}
    quality = {run.number: float(run.objective or 0.0) for run in side.runs}
    rows = front(sample.trials, [(quality, sample.study.direction), (seconds, "minimize")])
    components = _compact(side.analysis)
    costly = [
        row["component"] for row in components if row["kind"] == "main" and row["significant"]
    ]
    depends = f"depends on {format_list(costly)}" if costly else "depends on no hyperparameter seen"
    return {
        "components": components,
        "front": [
            {**_trial(trial), "objective": means[0], "duration_s": means[1]}
            for trial, means in rows
        ],
        "text": f"How long a run takes {depends}; {len(rows)} of {len(sample.trials)} trials "
        f"{'is' if len(rows) == 1 else 'are'} beaten by no other in both objective and time.",
    }


def _objectives(sides: Sides | None) -> Json | None:
    if sides is None:
        return None
    return {
        "list": [
            {
                "metric": side.metric,
                "direction": side.direction,
                "n_runs": len(side.runs),
                "components": _compact(side.analysis),
                "best": {**_trial(side.best), "mean": side.best_mean},
            }
            for side in sides.objectives
        ],
        "front": [{**_trial(trial), "means": list(means)} for trial, means in sides.front],
    }


def _over_time(sample: Sample, analysis: Analysis, epochs: pa.Table | None) -> Json | None:
    if epochs is None or analysis.noise is None or len(sample.analysed) < MIN_RUNS:
        return None
    found = over_time(analysis.design, sample.analysed, epochs, sample.study.sign)
    if found is None:
        return None
    return {
        "epochs": [asdict(moment) for moment in found.moments],
        "stable_from": found.stable_from,
        "leader": found.leader,
        "leader_from": found.leader_from,
        "text": _course(found, {part.name for part in analysis.components if part.is_significant}),
    }


def _course(found: OverTime, significant: Collection[str]) -> str:
    parts = []
    if found.leader is not None and found.leader_from is not None:
        since = f"from epoch {found.leader_from} on"
        if found.leader_from == found.moments[0].epoch:
            since = "throughout"
        is_sure = found.leader in significant
        shown = "explains most" if is_sure else "has the largest share, not significant,"
        parts.append(f"{found.leader} {shown} {since}")
    if found.stable_from is not None:
        parts.append(f"the ranking of trials is that of the end from epoch {found.stable_from} on")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text and found.leader is None else f"{text}."


def _precision(found: Precision | None, seconds: float | None) -> Json | None:
    if found is None:
        return None
    name = found.component.name
    if found.more_runs is None:
        text = f"No number of runs within reach would make the share of {name} known to ± 0.1."
    elif found.more_runs == 0:
        text = (
            f"All shares are known to ± {format_number(max(found.half_width, 0.001), 1)} or better."
        )
    else:
        text = (
            f"{describe_runs(found.more_runs, seconds)} of the same design would make the share of "
            f"{name} known to ± 0.1; now it is ± {found.half_width:.2f}."
        )
    return {
        "component": name,
        "half_width": found.half_width,
        "target": HALF_WIDTH,
        "more_runs": found.more_runs,
        "seconds": None
        if seconds is None or found.more_runs is None
        else found.more_runs * seconds,
        "text": text,
    }


def _next_points(sample: Sample, analysis: Analysis, findings: Sequence[Finding]) -> Json | None:
    found = next_points(sample, analysis, findings)
    if found is None:
        return None
    points = [dict(point) for point in found.points]
    return {"points": points, "reason": found.reason, "config": found.config}


def _compact(analysis: Analysis, *, with_tests: bool = True) -> list[Json]:
    """Return the components of another analysis, in short."""
    rows = []
    for part in analysis.components:
        share = part.share
        rows.append(
            {
                "component": part.name,
                "kind": part.kind,
                "share": share.value if share else None,
                "low": share.low if share else None,
                "high": share.high if share else None,
                "p_holm": part.p_holm if with_tests else None,
                "significant": part.is_significant if with_tests else None,
            }
        )
    return rows


def _trial(trial: Trial) -> Json:
    return {
        "trial_id": trial.trial_id,
        "values": dict(trial.values),
        "runs": [run.number for run in trial.runs],
    }


def _numbers(runs: Sequence[Run]) -> list[int]:
    return [run.number for run in runs]
