"""The picture of the fitted surface over two ranges."""

import numpy as np
import pytest

from benchmarks.sensitivity import random_case
from provrunner.report.figures import list_pictures
from provrunner.report.frame import render_svg
from provrunner.report.surface import surface
from provrunner.report.theme import RAMP
from provrunner.sensitivity import build_summary


@pytest.fixture(scope="module")
def study():
    """Points of a plane twisted by an interaction, their summary, and their values by run."""
    rng = np.random.default_rng(0)
    unit = rng.random((80, 2))
    y = (unit[:, 0] - 0.5) * (unit[:, 1] - 0.5) + 0.01 * rng.normal(size=80)
    table, told = random_case(unit, y)
    values = {run: {"x0": float(a), "x1": float(b)} for run, (a, b) in enumerate(unit)}
    return build_summary(table, told).to_dict(), table, values


def _layers(chart):
    document = chart.to_dict()
    return [document["datasets"][layer["data"]["name"]] for layer in document["layer"]]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_bands_follow_the_surface_from_the_best_colour_on(study, direction):
    summary, runs, values = study
    summary = {**summary, "sweep": {**summary["sweep"], "direction": direction}}
    bands, dots = _layers(surface(summary, "x0", "x1", runs, values))
    corner = next(row for row in bands if row["x"] == 0 and row["y"] == 0)
    assert corner["colour"] == (RAMP[-1] if direction == "minimize" else RAMP[0])
    assert len(dots) == 80
    covered = sum((row["x2"] - row["x"]) * (row["y2"] - row["y"]) for row in bands)
    assert covered == pytest.approx(1.0)


def test_bands_of_a_small_range_far_from_zero_have_colours_of_their_own(study):
    summary, runs, values = study
    cells = [
        {**row, "surface": 0.95 + 1e-4 * row["surface"], "half_width": 1e-4 * row["half_width"]}
        for row in summary["interactions"]
    ]
    bands = _layers(surface({**summary, "interactions": cells}, "x0", "x1", runs, values))[0]
    looks = {(row["rank"], row["band"], row["colour"]) for row in bands}
    assert len(looks) == len({row["band"] for row in bands}) == len(RAMP)


def test_what_is_uncertain_is_paler(study):
    summary, runs, values = study
    sure = _layers(surface(summary, "x0", "x1", runs, values))[0]
    cells = [{**row, "half_width": 1.0} for row in summary["interactions"]]
    unsure = _layers(surface({**summary, "interactions": cells}, "x0", "x1", runs, values))[0]
    assert max(row["opacity"] for row in unsure) < 0.3 < min(row["opacity"] for row in sure)


def test_a_surface_that_predicts_little_and_levels_are_not_drawn(study):
    summary, runs, values = study
    poor = {**summary, "trust": {**summary["trust"], "press_r2": 0.29}}
    assert surface(poor, "x0", "x1", runs, values) is None
    cells = [{**row, "surface": None} for row in summary["interactions"]]
    assert surface({**summary, "interactions": cells}, "x0", "x1", runs, values) is None
    assert surface(summary, "x1", "no such", runs, values) is None


def test_the_page_has_the_surface_beside_the_pair(study):
    from types import SimpleNamespace

    summary, runs, values = study
    points = tuple(SimpleNamespace(run=run, values=given) for run, given in values.items())
    pictures = list_pictures(summary, SimpleNamespace(points=points), runs, runs)
    keys = [picture.key for picture in pictures]
    assert keys.index("surface0") == keys.index("pair0") + 1
    svg = render_svg(pictures[keys.index("surface0")].draw(0))
    assert svg.count('aria-label="run ') == 80
