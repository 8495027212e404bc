"""How exact, how honest and how fast the sensitivity analysis is, on tables whose truth is known.

    python -m benchmarks.sensitivity                    all of it, about ten minutes on two cores
    python -m benchmarks.sensitivity --quick null speed  a tenth of the studies, two parts

Every number is drawn from a fixed seed. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from threadpoolctl import threadpool_limits

from benchmarks.functions import FUNCTIONS, PARAMETERS, SMOOTH, TestFunction
from provrunner.report import analyze
from provrunner.sensitivity import Parameter, Study, build_summary
from provrunner.sensitivity.analysis import analyse
from provrunner.sensitivity.components import Component
from provrunner.sensitivity.one_trial import deciding_trial
from provrunner.sensitivity.sample import draw_sample

__all__ = [
    "Result",
    "accuracy",
    "components",
    "coverage",
    "main",
    "null_grid",
    "null_studies",
    "random_case",
    "speed",
    "summarize",
]

ERROR_TARGETS = {81: 0.045, 256: 0.015, 1000: 0.005}
FALSE_POSITIVES = 0.06
_Floats = npt.NDArray[np.float64]
Json = dict[str, Any]
Case = tuple[pa.Table, Study]


@dataclass(frozen=True, slots=True)
class Result:
    """One figure, and the limit it has to keep, if any.

    Attributes:
        is_most: whether the limit is the most allowed; else the least.
    """

    name: str
    value: float
    limit: float | None = None
    is_most: bool = True

    @property
    def is_kept(self) -> bool:
        """Whether the limit is kept; so it is where there is none."""
        if self.limit is None:
            return True
        return self.value <= self.limit if self.is_most else self.value >= self.limit


def accuracy(studies: int) -> Iterator[Result]:
    """Mean |error| of main shares on random tables without noise, beside Optuna's evaluators."""
    for n in (27, 81, 256, 1000):
        errors: dict[str, list[float]] = {}
        for function in FUNCTIONS:
            for k in range(max(1, studies * 128 // max(n, 128))):
                for method, error in _errors(function, n, k):
                    errors.setdefault(f"{method} {function.name}", []).append(error)
        smooth = [np.mean(errors[f"ours {name}"]) for name in SMOOTH]
        yield Result(f"error n={n} ours, smooth", float(np.mean(smooth)), ERROR_TARGETS.get(n))
        for name, found in errors.items():
            yield Result(f"error n={n} {name}", float(np.mean(found)))


def null_studies(studies: int) -> Iterator[Result]:
    """False positives where nothing but noise exists: of a test at 5 %, and of a whole study."""
    designs: dict[str, Callable[[np.random.Generator, bool], Case]] = {
        "random 27": lambda rng, unequal: _null_random(rng, 27, unequal=unequal),
        "random 81": lambda rng, unequal: _null_random(rng, 81, unequal=unequal),
        "random 27 x 3": lambda rng, unequal: _null_random(rng, 27, unequal=unequal, seeds=3),
        "grid 3x3x3 x 2": lambda rng, unequal: null_grid(rng, (3, 3, 3), 2, unequal=unequal),
        "grid 5x2 x 3": lambda rng, unequal: null_grid(rng, (5, 2), 3, unequal=unequal),
        "grid 5x2 x 5": lambda rng, unequal: null_grid(rng, (5, 2), 5, unequal=unequal),
        "grid 5x2 x 3 common": lambda rng, unequal: null_grid(
            rng, (5, 2), 3, unequal=unequal, seeds="common"
        ),
        "grid 3x3x3 x 1": lambda rng, unequal: null_grid(rng, (3, 3, 3), 1, unequal=unequal),
    }
    for (name, draw), unequal in itertools.product(designs.items(), (False, True)):
        tests: list[float] = []
        families: list[float] = []
        for k in range(studies):
            case = draw(np.random.default_rng([k, len(name)]), unequal)
            parts = [part for part in components(case) if part.p is not None]
            # pairs are listed because their p is small; a study counts them
            tests += [float((part.p or 0.0) < 0.05) for part in parts if part.kind == "main"]
            families.append(float(any(part.is_significant for part in parts)))
        noise = "unequal" if unequal else "equal"
        for what, found in (("test", tests), ("study", families)):
            rate = float(np.mean(found))
            yield Result(f"false positives, {what}, {name}, {noise}", rate, FALSE_POSITIVES)
    for sizes, seeds in (((3, 3, 3), 2), ((5, 2), 3)):
        name = "x".join(map(str, sizes))
        cases = [
            _one_noisy_trial(np.random.default_rng([k, 77]), sizes, seeds) for k in range(studies)
        ]
        found = [_says_effect(case) for case in cases]
        rate = float(np.mean([is_found for is_found, _ in found]))
        yield Result(f"false positives, study, grid {name} x {seeds}, one noisy trial", rate)
        rate = float(np.mean([is_found and not is_told for is_found, is_told in found]))
        name = f"the same, not said to rest on one trial, {name} x {seeds}"
        yield Result(name, rate, FALSE_POSITIVES)


def coverage(studies: int) -> Iterator[Result]:
    """How often the 95 % intervals of main shares hold the truth, a fifth of it being noise."""
    for n in (81, 256):
        for function in FUNCTIONS:
            if function.name == "g-function":
                continue
            inside = [
                hit for k in range(studies) for hit in _hits(function, n, 0.2, np.array([n, k, 1]))
            ]
            name = f"coverage random n={n} {function.name}"
            yield Result(name, float(np.mean(inside)), 0.9, is_most=False)
    for seeds in ("independent", "common"):
        inside = [hit for k in range(studies) for hit in _grid_hits(k, seeds)]
        yield Result(f"coverage grid 5x2 x 3 {seeds}", float(np.mean(inside)), 0.93, is_most=False)


def speed(_studies: int) -> Iterator[Result]:
    """CPU seconds for 10,000 runs of 20 parameters, and for the 30 runs of the first sweep."""
    rng = np.random.default_rng(0)
    unit = rng.random((10_000, 20))
    y = np.sin(6 * unit[:, 0]) + 3 * unit[:, 1] * unit[:, 2] + 0.3 * rng.normal(size=10_000)
    columns = {f"x{i:02d}": unit[:, i] for i in range(20)}
    table = pa.table({**columns, "loss": y, "duration_s": 1 + rng.random(10_000)})
    yield Result(
        "seconds, 10,000 runs x 20 parameters", _seconds(lambda: analyze(table, "loss")), 30
    )
    small = np.random.default_rng(1)
    case = null_grid(small, (5, 2), 3, unequal=False)
    took = min(_seconds(lambda: summarize(case)) for _ in range(3))
    yield Result("seconds, 30 runs of a 5 x 2 grid", took, 0.3)


def summarize(case: Case) -> Json:
    """Return the whole summary of a table of runs."""
    return dict(build_summary(*case).document)


def components(case: Case) -> tuple[Component, ...]:
    """Return the components alone, at a fraction of the time of a summary."""
    sample = draw_sample(*case)
    with threadpool_limits(1):
        return analyse(sample.design, sample.y).components


def random_case(unit: _Floats, y: _Floats, *, seeds: int = 1) -> Case:
    """Return runs of points of the unit cube, each with so many seeds in a row."""
    names = [f"x{i}" for i in range(unit.shape[1])]
    table = pa.table(
        {
            "run": list(range(y.size)),
            "status": ["finished"] * y.size,
            "objective": y,
            "seed": np.arange(y.size) % seeds,
            **{name: np.repeat(unit[:, i], seeds) for i, name in enumerate(names)},
        }
    )
    parameters = tuple(Parameter(name, (), "linear", low=0.0, high=1.0) for name in names)
    study = Study("benchmark", "y", "minimize", parameters, "independent", design="random")
    return table, study


def null_grid(
    rng: np.random.Generator,
    sizes: Sequence[int],
    replicates: int,
    *,
    unequal: bool,
    seeds: str = "independent",
    effect: float = 0.0,
) -> Case:
    """Return a grid of noise, one level of the first factor ten times as noisy if unequal."""
    *levels, replicate = (
        axis.ravel() for axis in np.meshgrid(*map(np.arange, (*sizes, replicates)), indexing="ij")
    )
    sigma = np.where(unequal & (levels[0] == sizes[0] - 1), 10.0, 1.0)
    y = sigma * rng.normal(size=replicate.size) + effect * levels[0]
    names = [f"x{i}" for i in range(len(sizes))]
    columns = dict(zip(names, levels, strict=True))
    table = pa.table(
        {
            "run": list(range(y.size)),
            "status": ["finished"] * y.size,
            "objective": y,
            "seed": replicate,
            **columns,
        }
    )
    parameters = tuple(
        Parameter(name, tuple(range(size))) for name, size in zip(names, sizes, strict=True)
    )
    return table, Study("benchmark", "y", "minimize", parameters, seeds)


def main(words: Sequence[str] | None = None) -> int:
    """Run the parts asked for, print a line a figure, and tell whether all limits were kept."""
    parts: dict[str, Callable[[int], Iterator[Result]]] = {
        "accuracy": accuracy,
        "null": null_studies,
        "coverage": coverage,
        "speed": speed,
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sensitivity")
    parser.add_argument("parts", nargs="*", help=", ".join(parts))
    parser.add_argument("--quick", action="store_true", help="a tenth of the studies")
    chosen = parser.parse_args(words)
    studies = {"accuracy": 10, "null": 200, "coverage": 100, "speed": 1}
    is_kept = True
    for name in chosen.parts or parts:
        for result in parts[name](max(1, studies[name] // (10 if chosen.quick else 1))):
            is_kept &= result.is_kept
            print(_line(result), flush=True)
    return 0 if is_kept else 1


def _line(result: Result) -> str:
    limit = ""
    if result.limit is not None:
        sign = "<=" if result.is_most else ">="
        limit = f"  {sign} {result.limit:g}  {'kept' if result.is_kept else 'MISSED'}"
    return f"{result.name:<58} {result.value:8.4f}{limit}"


def _errors(function: TestFunction, n: int, k: int) -> Iterator[tuple[str, float]]:
    rng = np.random.default_rng([n, k])
    unit = rng.random((n, PARAMETERS))
    y = function.call(unit)
    truth = np.array(function.shares)
    ours = {part.name: part.share for part in components(random_case(unit, y))}
    shares = np.array([ours[f"x{i}"].value for i in range(PARAMETERS)])
    yield "ours", float(np.abs(shares - truth).mean())
    if n <= 256:
        for name, shares in _optuna_shares(unit, y):
            yield name, float(np.abs(shares - truth).mean())


def _optuna_shares(unit: _Floats, y: _Floats) -> Iterator[tuple[str, _Floats]]:
    """Give what Optuna's evaluators say of the same table; nothing where it is not installed."""
    try:
        import optuna
    except ImportError:
        return
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spread: dict[str, optuna.distributions.BaseDistribution] = {
        f"x{i}": optuna.distributions.FloatDistribution(0.0, 1.0) for i in range(PARAMETERS)
    }
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={f"x{i}": float(value) for i, value in enumerate(row)},
                distributions=spread,
                value=float(value_of),
            )
            for row, value_of in zip(unit, y, strict=True)
        ]
    )
    importance = optuna.importance
    evaluators = {
        "Optuna fANOVA": importance.FanovaImportanceEvaluator(seed=0),
        "Optuna PED-ANOVA": importance.PedAnovaImportanceEvaluator(),
    }
    for name, evaluator in evaluators.items():
        found = importance.get_param_importances(study, evaluator=evaluator, normalize=True)
        yield name, np.array([found.get(f"x{i}", 0.0) for i in range(PARAMETERS)])


def _null_random(rng: np.random.Generator, n: int, *, unequal: bool, seeds: int = 1) -> Case:
    unit = rng.random((n, PARAMETERS))
    sigma = np.repeat(10 ** unit[:, 0] if unequal else np.ones(n), seeds)
    return random_case(unit, sigma * rng.normal(size=n * seeds), seeds=seeds)


def _one_noisy_trial(rng: np.random.Generator, sizes: Sequence[int], seeds: int) -> Case:
    """Return a grid of noise, one trial of which is ten times as noisy."""
    table, study = null_grid(rng, sizes, seeds, unequal=False)
    y = table["objective"].to_numpy().copy()
    trial = int(rng.integers(y.size // seeds))
    y[trial * seeds : (trial + 1) * seeds] *= 10
    return table.set_column(table.column_names.index("objective"), "objective", pa.array(y)), study


def _says_effect(case: Case) -> tuple[bool, bool]:
    """Tell whether an effect is said to be significant, and whether to rest on one trial."""
    sample = draw_sample(*case)
    with threadpool_limits(1):
        analysis = analyse(sample.design, sample.y)
        is_found = any(part.is_significant for part in analysis.components)
        return is_found, deciding_trial(sample, analysis) is not None


def _hits(function: TestFunction, n: int, noise: float, seed: _Floats) -> Iterator[bool]:
    rng = np.random.default_rng(seed.astype(int).tolist())
    unit = rng.random((n, PARAMETERS))
    sigma = np.sqrt(function.variance * noise / (1 - noise))
    found = components(random_case(unit, function.call(unit) + sigma * rng.normal(size=n)))
    mains = {part.name: part for part in found}
    for i, share in enumerate(function.shares):
        yield _holds(mains[f"x{i}"], share * (1 - noise))


def _grid_hits(k: int, seeds: str) -> Iterator[bool]:
    """Intervals of a grid whose main effects have the shares 0.5 and 0, and whose noise has 0.5."""
    effect = np.sqrt(1 / np.arange(5).var())
    case = null_grid(
        np.random.default_rng([k, 9]), (5, 2), 3, unequal=False, seeds=seeds, effect=effect
    )
    truth = {"x0": 0.5, "x1": 0.0}
    for part in components(case):
        if part.name in truth:
            yield _holds(part, truth[part.name])


def _holds(part: Component, share: float) -> bool:
    return part.share is not None and part.share.low - 1e-9 <= share <= part.share.high + 1e-9


def _seconds(work: Callable[[], object]) -> float:
    """Return the CPU's seconds, on one core, whatever else the machine does meanwhile."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    sys.exit(main())
