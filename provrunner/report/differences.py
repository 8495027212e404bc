"""Why two runs differ: each difference with what the sweep itself knows of its effect."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provrunner.ids import canonical_json
from provrunner.report.facts import ASPECTS, DIGEST, SAMPLES, Fact, facts_of
from provrunner.report.numbers import number
from provrunner.report.runref import RunRef
from provrunner.report.scatter import objective_scatter

__all__ = ["Difference", "differences_of"]

_BUILT_FROM = ("data", "model", "task")
_MODEL = "architecture"

_Values = tuple[str | None, str | None]
_Found = tuple[float | None, bool | None, float | None, str]
_UNKNOWN: _Found = (None, None, None, "unknown")
_Means = dict[str | None, tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in two runs.

    Attributes:
        aspect: configuration, data, code, architecture, seed or environment.
        name: what differs: a configuration path, a module, a package.
        a: the first run's value; None where it has none.
        b: the second run's value.
        expected: the difference of the objective's means at the two values, b - a, in its sweep;
            None where the sweep did not vary it.
        beyond_noise: whether that effect is significant and these two means differ by more than
            the noise in them; None when unknown.
        explains: how much of the difference of the objective it may explain beyond noise: the part
            of `expected` that the noise in the two means does not reach, 0 within noise; None when
            unknown.
        why: the same in words.
    """

    aspect: str
    name: str
    a: str | None
    b: str | None
    expected: float | None
    beyond_noise: bool | None
    explains: float | None
    why: str


def differences_of(a: RunRef, b: RunRef) -> tuple[Difference, ...]:
    """Return the least that tells two runs apart, what may explain most of their results first.

    Effects beyond noise come first, by how far they are beyond it; then what no sweep knows the
    effect of; then what is within noise. What follows from another difference is left out.
    """
    facts_a, facts_b = facts_of(a), facts_of(b)
    facts = dict.fromkeys([*facts_a, *facts_b])
    differing = {fact: (facts_a.get(fact), facts_b.get(fact)) for fact in facts}
    differing = {fact: values for fact, values in differing.items() if values[0] != values[1]}
    groups = _differing_groups(a, b, facts_a)
    found = [
        _difference(("configuration", name), levels, _effect(a, b, name, levels))
        for name, levels in groups.items()
    ]
    found += [
        _difference(fact, differing[fact], _explain(fact, a, b, differing))
        for fact in _minimal(differing, groups, a, facts_a.keys() & facts_b.keys())
    ]
    return tuple(sorted(found, key=_rank))


def _difference(fact: Fact, values: _Values, found: _Found) -> Difference:
    aspect, name = fact
    a, b = values
    return Difference(aspect, name, a, b, *found)


def _differing_groups(a: RunRef, b: RunRef, facts: Mapping[Fact, str]) -> dict[str, _Values]:
    """Return the swept groups (`optimizer`) in which the two runs made different choices."""
    return {
        name: (canonical_json(a.point.values[name]), canonical_json(b.point.values[name]))
        for name in sorted(a.point.values.keys() & b.point.values.keys())
        if ("configuration", name) not in facts and a.point.values[name] != b.point.values[name]
    }


def _minimal(
    differing: Mapping[Fact, object],
    groups: Mapping[str, object],
    a: RunRef,
    known: Collection[Fact],
) -> Iterator[Fact]:
    """Leave out what follows from another difference.

    A swept choice brings its settings; code, configuration and data build the network; a data set
    and what splits it decide the splits. What none of these explains stays.
    """
    aspects = {aspect for aspect, _ in differing}
    builds = [name for aspect, name in differing if aspect == "configuration" and _builds(name)]
    other_data = any(kind == "data" and not _data_sets(name, known) for kind, name in differing)
    is_built = bool(groups or builds or other_data or "code" in aspects)
    is_split = bool(groups or builds or aspects & {"code", "seed"})
    layers = any(name.startswith("layer ") for aspect, name in differing if aspect == _MODEL)
    for aspect, name in differing:
        follows = {
            "configuration": name.split(".")[0] in groups and name not in a.point.values,
            _MODEL: is_built or (layers and name == "hash"),
            "data": _is_of_other_data(name, differing, known, is_split=is_split),
        }
        if not follows.get(aspect, False):
            yield aspect, name


def _is_of_other_data(
    name: str, differing: Collection[Fact], known: Collection[Fact], *, is_split: bool
) -> bool:
    """Say whether a fact of the data follows from the digest of its data set, or from the split."""
    thing, _, what = name.rpartition(": ")
    if what == SAMPLES and ("data", f"{thing}: {DIGEST}") in differing:
        return True
    return any(is_split or fact in differing for fact in _data_sets(name, known))


def _data_sets(name: str, known: Collection[Fact]) -> list[Fact]:
    """Return the digests of the data sets that a fact's split may be of; none for no split."""
    end = f": {DIGEST}"
    return [
        (aspect, other)
        for aspect, other in known
        if aspect == "data"
        and other.endswith(end)
        and name.startswith(f"{other.removesuffix(end)} ")
    ]


def _explain(fact: Fact, a: RunRef, b: RunRef, differing: Mapping[Fact, _Values]) -> _Found:
    aspect, name = fact
    if aspect == "configuration":
        return _effect(a, b, name, differing[fact])
    noise = objective_scatter(a.sweep)
    if aspect == "seed" and noise is not None:
        return None, False, 0.0, f"noise: ±{number(noise.tolerance, 2)} in 19 of 20 cases"
    return _UNKNOWN


def _builds(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in _BUILT_FROM


def _effect(a: RunRef, b: RunRef, name: str, levels: _Values) -> _Found:
    """Say what the sweep that varied a hyperparameter found of its two levels."""
    for sweep in (a.sweep, b.sweep):
        summary = sweep.sensitivity().to_dict()
        means = _means(summary, name)
        part = next((one for one in summary["components"] if one["component"] == name), None)
        if part is not None and levels[0] in means and levels[1] in means:
            expected, margin = _contrast(means[levels[0]], means[levels[1]])
            metric = sweep.plan.objective.metric
            if part["significant"] is None or margin is None:
                text = _effect_text(expected, margin, metric, "whether beyond noise is unknown")
                return expected, None, None, text
            beyond = bool(part["significant"]) and abs(expected) > margin
            text = _effect_text(expected, margin, metric, _judged(beyond, part["p_holm"]))
            return expected, beyond, abs(expected) - margin if beyond else 0.0, text
    return _UNKNOWN


def _means(summary: Mapping[str, Any], name: str) -> _Means:
    """Return the mean of the objective, with its half width, by the JSON of each level."""
    return {
        canonical_json(row["level"]): (
            row["mean"],
            None if row["high"] is None else row["high"] - row["mean"],
        )
        for row in summary["marginals"]
        if row["parameter"] == name and row["mean"] is not None
    }


def _contrast(
    a: tuple[float, float | None], b: tuple[float, float | None]
) -> tuple[float, float | None]:
    """Return the difference of two means and its 95 % half width, as of independent means.

    Means of one sweep share the noise of its overall mean, so that this is rather too wide.
    """
    widths = (a[1], b[1])
    margin = None if None in widths else math.hypot(*(width or 0.0 for width in widths))
    return b[0] - a[0], margin


def _effect_text(expected: float, margin: float | None, metric: str, judged: str) -> str:
    sign = "+" if expected >= 0 else "-"
    reach = "" if margin is None else f" ± {number(margin, 2)}"
    return f"{metric} {sign}{number(abs(expected), 3)}{reach} on average over the sweep, {judged}"


def _judged(beyond: bool, p: float | None) -> str:
    told = "" if p is None else f" (p = {p:.2g} for all its values)"
    return f"{'beyond' if beyond else 'within'} noise{told}"


def _rank(found: Difference) -> tuple[int, float, int, str]:
    place = {True: 0, None: 1, False: 2}[found.beyond_noise]
    size = found.explains or abs(found.expected or 0.0)
    return place, -size, ASPECTS.index(found.aspect), found.name
