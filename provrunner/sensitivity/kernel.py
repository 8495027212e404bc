"""The kernel of a Gaussian process, and how it is learnt from runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from provrunner.sensitivity.basis import Floats

__all__ = ["Kernel", "correlations", "covariances", "learn_kernel"]

_LEARNING_RUNS = 120
"""Runs that a kernel is learnt from, the first ones: time grows as their cube."""

_SEARCH_STEPS = 30
_START = (1.0, 0.6, 0.1)
_AMPLITUDES, _LENGTHS, _NOISES = (1e-2, 1e4), (0.05, 30.0), (1e-8, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A squared exponential kernel, the product over factors, with noise of one variance.

    Attributes:
        amplitude: its variance.
        lengths: of each factor, a length scale a coordinate.
        noise: variance of the noise.
    """

    amplitude: float
    lengths: tuple[Floats, ...]
    noise: float


def learn_kernel(points: Sequence[Floats], y: Floats) -> Kernel:
    """Return the likeliest amplitude, length scales and noise (Rasmussen and Williams 2006, 5.4).

    Args:
        points: of each factor, (n, coordinates) in the order of the runs.
        y: (n,) of mean 0 and variance about 1.
    """
    # fmin_l_bfgs_b is the one thing wanted of scipy.optimize, a fifth of a second to load
    from scipy.optimize import fmin_l_bfgs_b

    table, y = np.hstack(points)[:_LEARNING_RUNS], y[:_LEARNING_RUNS]
    squares = np.stack([(column[:, None] - column) ** 2 for column in table.T])
    limits = [_AMPLITUDES, *[_LENGTHS] * table.shape[1], _NOISES]
    start = [_START[0], *[_START[1]] * table.shape[1], _START[2]]
    found, _, _ = fmin_l_bfgs_b(
        _unlikelihood,
        np.log(start),
        args=(squares, y),
        bounds=np.log(limits),
        maxiter=_SEARCH_STEPS,
    )
    amplitude, *lengths, noise = np.exp(found).tolist()
    stops = np.cumsum([own.shape[1] for own in points])[:-1]
    return Kernel(amplitude, tuple(np.split(np.array(lengths), stops)), noise)


def correlations(a: Floats, b: Floats, length: Floats) -> Floats:
    """Return the correlation of every point of one factor with every other one.

    Example:
        >>> correlations(np.array([[0.0]]), np.array([[0.0], [2.0]]), np.ones(1)).round(3).tolist()
        [[1.0, 0.135]]
    """
    differences = (a[:, None, :] - b[None, :, :]) / length
    return np.asarray(np.exp(-0.5 * (differences**2).sum(axis=2)))


def covariances(a: Sequence[Floats], b: Sequence[Floats], kernel: Kernel) -> Floats:
    """Return the covariance of the surface between two sets of points, given factor by factor."""
    triples = zip(a, b, kernel.lengths, strict=True)
    tables = [correlations(left, right, length) for left, right, length in triples]
    return np.asarray(kernel.amplitude * np.prod(tables, axis=0))


def _unlikelihood(theta: Floats, squares: Floats, y: Floats) -> tuple[float, Floats]:
    """Return minus the log likelihood, with its slopes along the parameters' logarithms."""
    amplitude, lengths, noise = np.exp(theta[0]), np.exp(theta[1:-1]), np.exp(theta[-1])
    surface = amplitude * np.exp(-0.5 * np.tensordot(lengths**-2, squares, axes=1))
    table = surface + noise * np.eye(y.size)
    inverse = np.linalg.inv(table)
    weights = inverse @ y
    determinant = float(np.linalg.slogdet(table)[1])
    value = 0.5 * (float(y @ weights) + determinant + y.size * float(np.log(2 * np.pi)))
    half = 0.5 * (inverse - np.outer(weights, weights))
    by_surface = half * surface
    by_lengths = np.tensordot(squares, by_surface, axes=2) / lengths**2
    slopes = [by_surface.sum(), *by_lengths, noise * np.trace(half)]
    return value, np.array(slopes)
