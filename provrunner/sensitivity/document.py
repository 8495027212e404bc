"""The summary as one document of JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from provrunner.schema import RunStatus
from provrunner.sensitivity.analysis import Analysis, analyse, interaction_table
from provrunner.sensitivity.components import Component
from provrunner.sensitivity.findings import Finding, find_all
from provrunner.sensitivity.flags import count_statuses, raise_flags
from provrunner.sensitivity.one_trial import deciding_trial
from provrunner.sensitivity.sample import Sample, draw_sample
from provrunner.sensitivity.sections import build_sections
from provrunner.sensitivity.spread import noise_by_level
from provrunner.sensitivity.study import PROGRAM, Study
from provrunner.sensitivity.surfaces import fitted_pairs, fitted_surface
from provrunner.sensitivity.texts import advise, describe_design, seconds_per_run, write_verdicts
from provrunner.sensitivity.trials import Run, Trial, is_failure, seeds_per_trial
from provrunner.sensitivity.verdict import describe_finding, describe_winner
from provrunner.sensitivity.winner import Winner, find_winner

__all__ = ["FORMAT", "build_document"]

FORMAT = 1
_DIGITS = 12
_PROGRAM_TEXT = "each run is a trial of its own"

# What the logs hold and nothing computed: these stay as they are.
_SEEN = frozenset(
    {
        "as_good",
        "default",
        "level",
        "level_a",
        "level_b",
        "levels",
        "noisiest",
        "objective",
        "points",
        "values",
        "within_sigma",
    }
)

Json = dict[str, Any]


def build_document(table: pa.Table, study: Study, epochs: pa.Table | None = None) -> Json:
    """Analyse a sweep's runs; see `build_summary`.

    Computed numbers keep twelve significant digits, so that the last bits of a linear algebra
    library do not show; levels and objectives are as logged; unknown ones are None.
    """
    with threadpool_limits(1):  # tables this small are slower on many, and their last bits differ
        return _build(table, study, epochs)


def _build(table: pa.Table, study: Study, epochs: pa.Table | None) -> Json:
    sample = draw_sample(table, study)
    analysis = analyse(sample.design, sample.y)
    findings = find_all(analysis)
    winner = find_winner(
        sample.trials,
        analysis.noise,
        study.sign,
        common_seeds=sample.design.blocks is not None,
    )
    flags = raise_flags(
        analysis,
        sample.runs,
        deciding=deciding_trial(sample, analysis),
        reruns=sample.reruns,
        seeds_have_no_effect=sample.seeds_have_no_effect,
    )
    document = {
        "format": FORMAT,
        "sweep": _sweep(sample),
        "statuses": count_statuses(sample.runs),
        "components": [_component(sample, analysis, part) for part in analysis.components],
        "noise": _noise(sample, analysis),
        "parameters": [_parameter(sample, analysis, found) for found in findings],
        "marginals": [row for found in findings for row in _marginals(sample, found)],
        "interactions": _interactions(sample, analysis),
        "best": None if winner is None else _best(sample, analysis, winner),
        "trials": _trials(sample),
        "failures": [_failure(run) for run in sample.runs if is_failure(run)],
        "dropped": [{"name": item.name, "reason": item.reason} for item in sample.dropped],
        "flags": [{"flag": item.flag, "detail": item.detail} for item in flags],
        "advice": advise(analysis, findings, seconds_per_run(sample)),
        "verdicts": write_verdicts(sample, analysis, findings, winner),
        **build_sections(sample, analysis, findings, epochs),
    }
    rounded: Json = _clean(document)
    return rounded


def _sweep(sample: Sample) -> Json:
    runs, study = sample.runs, sample.study
    finished = sum(run.status == RunStatus.FINISHED for run in runs)
    return {
        "name": study.name,
        "metric": study.metric,
        "direction": study.direction,
        "design": study.design if study.design == PROGRAM else sample.design.kind,
        "design_text": _PROGRAM_TEXT if study.design == PROGRAM else describe_design(sample),
        "planned": study.planned,
        "runs": len(runs),
        "trials": len(sample.trials),
        "seeds": seeds_per_trial(runs),
        "finished": finished,
        "not_finished": max(study.planned, len(runs)) - finished,
    }


def _component(sample: Sample, analysis: Analysis, part: Component) -> Json:
    names = [name for i in part.term for name in analysis.design.factors[i].parameters]
    effect = analysis.curves[part.term[0]].effect if part.kind == "main" else None
    sigma = analysis.sigma
    return {
        "component": part.name,
        "kind": part.kind,
        "parameters": names,
        "order": len(part.term),
        **_ends("", part.share, value="share"),
        "total": part.total,
        "shapley": part.shapley,
        "df": part.df,
        "sum_of_squares": part.squares,
        "f": part.f,
        "p": part.p,
        "p_holm": part.p_holm,
        "significant": part.is_significant,
        **_ends("effect_", effect, value="effect"),
        "effect_sigma": effect.value / sigma if effect and sigma else None,
        "n_runs": len(sample.analysed),
        "runs": [run.number for run in sample.analysed],
    }


def _noise(sample: Sample, analysis: Analysis) -> Json:
    part = next((part for part in analysis.components if part.kind == "noise"), None)
    if part is None:
        return {
            "estimable": False,
            **_ends("", None, value="share"),
            **_ends("sigma_", None, value="sigma"),
            "df": None,
            "source": None,
        }
    variance = part.variance
    ends = (variance.value, variance.low, variance.high)
    sigma, low, high = (math.sqrt(max(end, 0.0)) for end in ends)
    blocked = sample.design.blocks is not None
    return {
        "estimable": True,
        **_ends("", part.share, value="share"),
        "sigma": sigma,
        "sigma_low": low,
        "sigma_high": high,
        "df": part.df,
        "source": "trial x seed residual" if blocked else "runs of one trial",
    }


def _parameter(sample: Sample, analysis: Analysis, found: Finding) -> Json:
    factor = found.factor
    axis = factor.axis
    text = describe_finding(
        found, n_runs=len(sample.analysed), seconds_per_run=seconds_per_run(sample)
    )
    return {
        "name": factor.name,
        "scale": factor.scale,
        "levels": list(factor.levels),
        "default": factor.default_value,
        "best": found.best,
        "as_good": list(found.as_good),
        **_ends("gain_", found.gain, value="gain"),
        "worth_tuning": found.worth_tuning,
        "not_excluded": found.not_excluded,
        "verdict": text,
        "range": None if axis is None else [axis.span.low, axis.span.high],
        "coverage": None if axis is None else axis.coverage,
        "within_sigma": list(found.within_sigma),
        **_noise_ratio(analysis, found),
    }


def _noise_ratio(analysis: Analysis, found: Finding) -> Json:
    """Say how much noisier one level is than another; unknown without replicates."""
    unknown = {"noise_ratio": None, "noisiest": None}
    if analysis.noise is None or analysis.noise.within is None:
        return unknown
    position = analysis.design.factors.index(found.factor)
    by_level = noise_by_level(analysis.design, analysis.noise.within, position)
    known = by_level[~np.isnan(by_level)]
    if known.size < 2 or not known.min() > 0:
        return unknown
    noisiest = found.factor.levels[int(np.nanargmax(by_level))]
    return {"noise_ratio": float(known.max() / known.min()), "noisiest": noisiest}


def _marginals(sample: Sample, found: Finding) -> list[Json]:
    curve, factor = found.curve, found.factor
    counts = np.bincount(factor.codes, minlength=len(factor.levels))  # null may come after the last
    rows = []
    for i, level in enumerate(factor.levels):
        mean = sample.study.sign * float(curve.means[i])
        width = None if curve.half_widths is None else float(curve.half_widths[i])
        rows.append(
            {
                "parameter": factor.name,
                "level": level,
                "position": i,
                "n": int(counts[i]),
                "mean": mean,
                "low": None if width is None else mean - width,
                "high": None if width is None else mean + width,
                "is_default": factor.default == i,
                "is_best": curve.best == i,
                "as_good": found.main is not None and curve.as_good[i],
            }
        )
    return rows


def _interactions(sample: Sample, analysis: Analysis) -> list[Json]:
    factors = analysis.design.factors
    is_surface = analysis.design.is_scattered
    pairs = fitted_pairs(analysis) if is_surface else combinations(range(len(factors)), 2)
    rows = []
    for i, j in pairs:
        fitted = interaction_table(analysis, i, j)
        surface = fitted_surface(analysis, i, j) if is_surface else None
        for a, b in np.ndindex(len(factors[i].levels), len(factors[j].levels)):
            inside = sample.y[(factors[i].codes == a) & (factors[j].codes == b)]
            sign = sample.study.sign
            rows.append(
                {
                    "a": factors[i].name,
                    "b": factors[j].name,
                    "level_a": factors[i].levels[a],
                    "level_b": factors[j].levels[b],
                    "n": int(inside.size),
                    "mean": sign * float(inside.mean()) if inside.size else None,
                    "component": None if fitted is None else sign * float(fitted[a, b]),
                    "surface": None if surface is None else sign * float(surface[0][a, b]),
                    "half_width": None if surface is None else float(surface[1][a, b]),
                }
            )
    return rows


def _best(sample: Sample, analysis: Analysis, winner: Winner) -> Json:
    rival = winner.runner_up
    return {
        **_run(winner.run),
        "epoch": winner.run.epoch,
        "runner_up": None if rival is None else _run(rival),
        "difference": winner.difference,
        "low": winner.low,
        "high": winner.high,
        "p": winner.p,
        "better": winner.better,
        "statement": describe_winner(winner, analysis.sigma, n_trials=len(sample.trials)),
    }


def _run(run: Run) -> Json:
    return {
        "run": run.number,
        "run_id": run.run_id,
        "trial_id": run.trial_id,
        "values": dict(run.values),
        "objective": run.objective,
    }


def _trials(sample: Sample) -> list[Json]:
    sign = sample.study.sign

    def rank(trial: Trial) -> tuple[float, str]:
        return math.inf if trial.mean is None else sign * trial.mean, trial.trial_id

    return [
        {
            "trial_id": trial.trial_id,
            "values": dict(trial.values),
            "n": len(trial.runs),
            "mean": trial.mean,
            "sd": trial.sd,
            "runs": [run.number for run in trial.runs],
        }
        for trial in sorted(sample.trials, key=rank)
    ]


def _failure(run: Run) -> Json:
    reason = run.reason
    if run.status == RunStatus.FINISHED:
        reason = "no objective" if run.objective is None else f"objective is {run.objective}"
    return {
        "run": run.number,
        "run_id": run.run_id,
        "status": str(run.status),
        "reason": reason,
        "values": dict(run.values),
        "seed": run.seed,
    }


def _ends(prefix: str, estimate: Any, *, value: str) -> Json:
    names = (value, f"{prefix}low", f"{prefix}high")
    if estimate is None:
        return dict.fromkeys(names)
    return dict(zip(names, (estimate.value, estimate.low, estimate.high), strict=True))


def _clean(value: Any, *, is_seen: bool = False) -> Any:
    """Round floats that were computed, and turn what JSON has no number for into None."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return value if is_seen else float(f"{value:.{_DIGITS}g}") + 0.0
    if isinstance(value, int | str | None):
        return value
    if isinstance(value, Mapping):
        return {
            str(key): _clean(item, is_seen=is_seen or key in _SEEN) for key, item in value.items()
        }
    if isinstance(value, Sequence):
        return [_clean(item, is_seen=is_seen) for item in value]
    return str(value)
