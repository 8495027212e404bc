"""What Optuna's samplers are asked through one thin layer, on a function that needs no training."""

from __future__ import annotations

import math
import statistics
import sys

import numpy as np
import pytest

from provrunner.compose.axes import Axis
from provrunner.compose.samplers import AskTell, describe_sampler
from provrunner.compose.space import Space
from provrunner.errors import ConfigError

pytest.importorskip("optuna")

SPACE = Space(
    {
        "lr": Axis("lr", (), "log", "", "", (1e-4, 1.0)),
        "decay": Axis("decay", (), "log", "", "", (1e-6, 1e-1)),
        "width": Axis("width", (), "linear", "", "", (8, 256)),
        "activation": Axis("activation", ("relu", "tanh", "gelu"), "categorical", "", ""),
    }
)
NOISE = 0.1


def truth(values):
    """Return a loss that is 0 at lr 0.006, decay 0.001, width 160 and tanh."""
    lr, decay = math.log10(values["lr"]), math.log10(values["decay"])
    step = {"relu": 0.5, "tanh": 0.0, "gelu": 1.0}[values["activation"]]
    return (lr + 2.2) ** 2 + 0.3 * (decay + 3) ** 2 + ((values["width"] - 160) / 100) ** 2 + step


def reached(path, seed, question):
    """Return the true loss of the point that 30 noisy runs would have one choose."""
    study = AskTell(path, "tpe", SPACE, ["minimize"], seed=seed, options={}, name="noisy")
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(30):
        point = getattr(study, question)()
        loss = truth(point.values)
        measured = loss + NOISE * rng.standard_normal()
        study.tell(point.number, [measured])
        seen.append((measured, loss))
    return min(seen)[1]


def test_tpe_beats_random_points_on_a_noisy_function_in_as_many_runs(tmp_path):
    """The median over 20 seeds of the loss of the point that looked best."""
    asked, drawn = (
        [reached(tmp_path / f"{question}{seed}", seed, question) for seed in range(20)]
        for question in ("ask", "draw")
    )
    assert statistics.median(asked) < 0.6 * statistics.median(drawn)


def test_numbers_come_back_as_the_axis_declares_them(tmp_path):
    axes = {
        "steps": Axis("steps", (2, 4, 6), "linear", "", ""),
        "lr": Axis("lr", (0.1, 0.01, 0.001), "log", "", ""),
        "mixed": Axis("mixed", (None, True, 1, "1", [1, 2]), "categorical", "", ""),
    }
    study = AskTell(
        tmp_path / "s", "tpe", Space(axes), ["minimize"], seed=0, options={}, name="kinds"
    )
    given = {"steps": 6, "lr": 0.01, "mixed": [1, 2]}
    study.give([given])
    assert study.ask().values == given
    for _ in range(12):
        values = study.ask().values
        for name, axis in axes.items():
            assert any(
                values[name] is one or repr(values[name]) == repr(one) for one in axis.levels
            )


@pytest.mark.parametrize("design", ["nsga2", "tpe"])
def test_several_objectives_are_searched_together(tmp_path, design):
    """Width costs and pays: the front holds wide and narrow points, and lr finds its best."""
    study = AskTell(
        tmp_path / "s", design, SPACE, ["minimize", "maximize"], seed=0, options={}, name="two"
    )
    early, late = [], []
    for number in range(80):
        point = study.ask()
        assert point.number == number
        gap = abs(math.log10(point.values["lr"]) + 2.2)
        study.tell(number, [gap + point.values["width"] / 256, -gap])
        (early if number < 20 else late).append(gap)
    assert statistics.median(late[-30:]) < 0.6 * statistics.median(early)


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"my.yaml: .* install provrunner\[optuna\]"):
        describe_sampler("tpe", {}, "my.yaml")
