"""Test functions of six parameters on the unit cube, with the shares that are known of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FUNCTIONS", "PARAMETERS", "SMOOTH", "TestFunction"]

PARAMETERS = 6
_Floats = npt.NDArray[np.float64]
_G = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0])


@dataclass(frozen=True, slots=True)
class TestFunction:
    """A function, its variance, and the part of it that each parameter explains alone."""

    __test__ = False  # not for pytest

    name: str
    call: Callable[[_Floats], _Floats]
    variance: float
    shares: tuple[float, ...]


def _ishigami(u: _Floats) -> _Floats:
    x = np.pi * (2 * u - 1)
    return np.asarray(
        np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    )


def _g(u: _Floats) -> _Floats:
    return np.asarray(np.prod((np.abs(4 * u - 2) + _G) / (1 + _G), axis=1))


def _additive(u: _Floats) -> _Floats:
    return np.asarray(3 * u[:, 0] + 2 * u[:, 1] ** 2 + np.sin(np.pi * u[:, 2]) + u[:, 3] ** 3)


def _interaction(u: _Floats) -> _Floats:
    z = np.sqrt(12) * (u - 0.5)
    return np.asarray(z[:, 0] * z[:, 1] + 0.5 * z[:, 2] * z[:, 3])


def _friedman(u: _Floats) -> _Floats:
    """Friedman's (1991) first function."""
    return np.asarray(
        10 * np.sin(np.pi * u[:, 0] * u[:, 1])
        + 20 * (u[:, 2] - 0.5) ** 2
        + 10 * u[:, 3]
        + 5 * u[:, 4]
    )


def _make(
    name: str, call: Callable[[_Floats], _Floats], parts: list[float], total: float
) -> TestFunction:
    mains = [*parts, *[0.0] * (PARAMETERS - len(parts))]
    return TestFunction(name, call, total, tuple(part / total for part in mains))


def _make_ishigami() -> TestFunction:
    first = 0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2
    second, pair = 49 / 8, 8 * 0.01 * np.pi**8 / 225
    return _make("ishigami", _ishigami, [first, second], first + second + pair)


def _make_g() -> TestFunction:
    parts = 1 / (3 * (1 + _G) ** 2)
    return _make("g-function", _g, parts.tolist(), float(np.prod(1 + parts) - 1))


def _make_additive() -> TestFunction:
    parts = [9 / 12, 4 * (1 / 5 - 1 / 9), 0.5 - 4 / np.pi**2, 1 / 7 - 1 / 16]
    return _make("additive", _additive, parts, sum(parts))


def _make_friedman() -> TestFunction:
    """Integrate the one term that is no polynomial of one variable, on 64 × 64 Gauss nodes."""
    x, w = np.polynomial.legendre.leggauss(64)
    u, w = (x + 1) / 2, w / 2
    table = 10 * np.sin(np.pi * np.outer(u, u))
    mean = w @ table @ w
    main = float(w @ (table @ w - mean) ** 2)
    joint = float(w @ (table - mean) ** 2 @ w)
    parts = [main, main, 400 * (1 / 80 - 1 / 144), 100 / 12, 25 / 12]
    return _make("friedman", _friedman, parts, joint + sum(parts[2:]))


FUNCTIONS = (
    _make_ishigami(),
    _make_g(),
    _make_additive(),
    _make("interaction", _interaction, [], 1.25),
    _make_friedman(),
)

SMOOTH = ("ishigami", "additive", "interaction", "friedman")
