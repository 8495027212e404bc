"""The summary's sentences about the sweep as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from provrunner.sensitivity.advice import Need
from provrunner.sensitivity.analysis import Analysis
from provrunner.sensitivity.findings import Finding
from provrunner.sensitivity.numbers import format_list, format_number
from provrunner.sensitivity.sample import Sample
from provrunner.sensitivity.verdict import (
    describe_finding,
    describe_interaction,
    describe_need,
    describe_winner,
)
from provrunner.sensitivity.winner import Winner

__all__ = ["advise", "describe_design", "seconds_per_run", "write_verdicts"]

_KINDS = {
    "none": "no hyperparameter varies",
    "single_factor": "one hyperparameter with {sizes} levels",
    "full_grid": "full grid of {sizes} levels",
    "one_at_a_time": "one hyperparameter at a time, {sizes} levels",
    "partial_grid": "{cells} combinations of {sizes} levels",
    "random": "{cells} points in {axes}",
    "adaptive": "{cells} points in {axes}, placed in view of earlier results",
}


def seconds_per_run(sample: Sample) -> float | None:
    """Return the mean duration of the analysed runs; None when none is known."""
    known = [run.duration_s for run in sample.analysed if run.duration_s is not None]
    return fmean(known) if known else None


def describe_design(sample: Sample) -> str:
    """Say what design the analysed runs make up."""
    design = sample.design
    sizes = " × ".join(str(len(factor.levels)) for factor in design.factors)
    axes = _describe_axes(sample)
    text = _KINDS[design.kind].format(sizes=sizes, cells=design.n_cells, axes=axes)
    counts = np.bincount(design.cells) if design.n_runs else np.zeros(1, dtype=np.intp)
    if counts.max() < 2:
        return text
    span = (
        str(counts.max()) if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    )
    return f"{text}, {span} {'common seeds' if design.blocks is not None else 'seeds'} a trial"


def _describe_axes(sample: Sample) -> str:
    ranges = sum(factor.axis is not None for factor in sample.design.factors)
    choices = [str(len(f.levels)) for f in sample.design.factors if f.axis is None]
    parts = [f"{ranges} range{'' if ranges == 1 else 's'}"] if ranges else []
    if choices:
        word = "a choice" if len(choices) == 1 else f"{len(choices)} choices"
        parts.append(f"{word} of {format_list(choices)} levels")
    return format_list(parts)


def advise(
    analysis: Analysis, findings: Sequence[Finding], seconds: float | None
) -> dict[str, Any] | None:
    """Return what more runs would tell; None when nothing is open or nothing would help."""
    if analysis.noise_need is not None and analysis.noise_need.more_runs > 0:
        need = analysis.noise_need
        what = "make a conclusion possible" if analysis.noise is None else "show the noise"
        text = f"{describe_need(need, seconds)}, {need.replicates} seeds a trial, would {what}."
        return _advice(need, seconds, text)
    unseen = [
        found
        for found in findings
        if found.need is not None and found.need.more_runs > 0 and not found.is_significant
    ]
    if not unseen or analysis.sigma is None:
        return None
    need = max((found.need for found in unseen if found.need), key=lambda need: need.more_runs)
    names = format_list([found.factor.name for found in unseen])
    size = format_number(analysis.sigma)
    text = (
        f"{describe_need(need, seconds)}, {need.replicates} seeds a trial, would show an effect of "
        f"{size} (1 σ) of {names} four times in five."
    )
    return _advice(need, seconds, text)


def write_verdicts(
    sample: Sample, analysis: Analysis, findings: Sequence[Finding], winner: Winner | None
) -> list[str]:
    """Write one sentence a factor, one a significant interaction, and one on the best run."""
    n = len(sample.analysed)
    seconds = seconds_per_run(sample)
    verdicts = [describe_finding(found, n_runs=n, seconds_per_run=seconds) for found in findings]
    factors = analysis.design.factors
    verdicts += [
        describe_interaction(part, [factors[i].name for i in part.term])
        for part in analysis.components
        if part.kind == "interaction" and part.is_significant
    ]
    if winner is not None:
        trials = len(sample.trials)
        verdicts.append(describe_winner(winner, analysis.sigma, n_trials=trials))
    return verdicts


def _advice(need: Need, seconds: float | None, text: str) -> dict[str, Any]:
    return {
        "more_runs": need.more_runs,
        "seconds": None if seconds is None else need.more_runs * seconds,
        "text": text,
    }
