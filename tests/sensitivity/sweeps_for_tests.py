"""Small sweeps for the tests of sensitivity."""

import itertools

import numpy as np
import pyarrow as pa

from provrunner.ids import run_id, trial_id
from provrunner.sensitivity import Parameter, Study
from provrunner.sensitivity.design import Design, build_design
from provrunner.sensitivity.factors import Factor


def make_runs(axes, seeds, objective, *, points=None):
    """One row a run of a grid (or of the points given); objective(values, seed) gives its value."""
    names = list(axes)
    points = list(itertools.product(*axes.values())) if points is None else points
    rows = []
    for point in points:
        values = dict(zip(names, point, strict=True))
        for replicate in range(seeds):
            number = len(rows)
            rows.append(
                {
                    "run": number,
                    "run_id": run_id(number, values, replicate),
                    "trial_id": trial_id(values),
                    "replicate": replicate,
                    "seed": 100 + replicate,
                    "status": "finished",
                    "reason": None,
                    "objective": float(objective(values, replicate)),
                    "objective_epoch": 9,
                    "duration_s": 2.0,
                    **values,
                }
            )
    return rows


def make_table(rows):
    return pa.Table.from_pylist(rows)


def make_study(axes, *, direction="minimize", seeds="common", defaults=None, planned=0):
    parameters = tuple(
        Parameter(name, tuple(levels), "categorical", (defaults or {}).get(name))
        for name, levels in axes.items()
    )
    return Study("a_sweep", "val/loss", direction, parameters, seeds, planned)


def make_factor(name, codes, *, default=None):
    codes = np.asarray(codes, dtype=np.intp)
    levels = tuple(range(int(codes.max()) + 1))
    return Factor(name, (name,), "categorical", levels, codes, default, default)


def make_design(columns, seeds=None) -> Design:
    """A design from a list of level codes a factor."""
    factors = [make_factor("abcdef"[i], codes) for i, codes in enumerate(columns)]
    blocks = None if seeds is None else np.asarray(seeds, dtype=np.intp)
    return build_design(factors, blocks, n_runs=len(columns[0]))


def full_grid(sizes, replicates):
    """Level codes of every factor, and the replicate, one entry a run."""
    *columns, seeds = np.meshgrid(*(range(n) for n in (*sizes, replicates)), indexing="ij")
    return [column.ravel() for column in columns], seeds.ravel()
