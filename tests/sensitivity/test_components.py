"""Shares against functions whose variance components are known."""

from dataclasses import replace

import numpy as np
import pytest
from sweeps_for_tests import full_grid, make_design

from provrunner.sensitivity.analysis import analyse
from provrunner.sensitivity.anova import fit_model
from provrunner.sensitivity.compare import curve_of
from provrunner.sensitivity.components import variance_components
from provrunner.sensitivity.noise import find_noise


def _centred(levels, variance):
    x = np.arange(levels, dtype=float)
    x -= x.mean()
    return x * np.sqrt(variance / (x**2).mean())


def _shares(analysis):
    return {part.name: part.share.value for part in analysis.components}


def _many(design, signal, *, studies, seed, sigma=1.0, seed_sigma=0.0, blocks=None):
    rng = np.random.default_rng(seed)
    for _ in range(studies):
        y = signal + sigma * rng.normal(size=signal.size)
        if blocks is not None:
            y = y + seed_sigma * rng.normal(size=blocks.max() + 1)[blocks]
        yield y


def _components(design, signal, **noise):
    for y in _many(design, signal, **noise):
        fit = fit_model(design, y)
        yield variance_components(design, fit, find_noise(design, fit, y), y)


def test_an_additive_function_has_its_own_shares_and_no_interaction():
    (a, b), _ = full_grid((5, 2), 3)
    noise = np.tile([-1.0, 0.0, 1.0], 10) * np.sqrt(0.1)
    y = _centred(5, 0.6)[a] + _centred(2, 0.3)[b] + noise
    analysis = analyse(make_design([a, b]), y)
    # s^2 = 0.1 and SS(a) = 30 * 0.6, so that V(a) = 0.6 - 4 * 0.1 / 30
    va, vb, vab = 0.6 - 0.4 / 30, 0.3 - 0.1 / 30, -0.4 / 30
    total = va + vb + vab + 0.1
    assert _shares(analysis) == pytest.approx(
        {"a": va / total, "b": vb / total, "a × b": 0.0, "noise": 0.1 / total}
    )
    main = analysis.main(0)
    assert main.total == pytest.approx((va + vab) / total)
    assert main.shapley == pytest.approx((va + vab / 2) / total)


def test_shares_add_to_one_with_negative_estimates_included():
    (a, b), s = full_grid((4, 3), 4)
    for parts in _components(make_design([a, b], s), 0.3 * a, studies=5, seed=1, blocks=s):
        raw = [part.variance.value for part in parts]
        shares = [part.share.value for part in parts]
        assert shares == pytest.approx(np.clip(np.array(raw) / sum(raw), 0, 1))


def test_pure_interaction_leaves_the_mains_nothing():
    (a, b), s = full_grid((2, 2), 6)
    y = np.where(a == b, 1.0, -1.0) + 0.01 * np.tile([1, -1, 0, 0, 2, -2], 4)
    analysis = analyse(make_design([a, b], s), y)
    shares = _shares(analysis)
    assert shares["a × b"] > 0.99
    assert shares["a"] == shares["b"] == 0.0
    assert [part.is_significant for part in analysis.components[:3]] == [False, False, True]
    assert analysis.main(0).total > 0.99
    assert analysis.main(0).shapley == pytest.approx(0.5, abs=0.01)


def test_estimates_are_unbiased_over_many_studies():
    (a, b), s = full_grid((5, 2), 3)
    signal = _centred(5, 0.5)[a] + _centred(2, 0.2)[b]
    design = make_design([a, b], s)
    found = {name: [] for name in ("a", "b", "a × b", "seed", "noise")}
    noise = {"sigma": 0.5, "seed_sigma": 0.4, "blocks": s}
    for parts in _components(design, signal, studies=400, seed=2, **noise):
        for part in parts:
            found[part.name].append(part.variance.value)
    means = {name: float(np.mean(values)) for name, values in found.items()}
    assert means == pytest.approx(
        {"a": 0.5, "b": 0.2, "a × b": 0.0, "seed": 0.16, "noise": 0.25}, abs=0.025
    )


def test_common_and_independent_seeds_estimate_the_same_shares():
    (a, b), s = full_grid((5, 2), 4)
    signal = _centred(5, 0.5)[a]
    common = _components(
        make_design([a, b], s), signal, studies=300, seed=3, seed_sigma=1.0, blocks=s
    )
    apart = _components(make_design([a, b]), signal, studies=300, seed=4, sigma=np.sqrt(2.0))
    of_a = [np.mean([parts[0].variance.value for parts in found]) for found in (common, apart)]
    assert of_a == pytest.approx([0.5, 0.5], abs=0.05)


@pytest.mark.parametrize("blocked", [False, True])
def test_few_null_studies_of_a_replicated_grid_show_anything(blocked):
    (a, b), s = full_grid((5, 2), 3)
    design = make_design([a, b], s if blocked else None)
    shown = [
        any(part.is_significant for part in parts)
        for parts in _components(design, np.zeros(30), studies=200, seed=6)
    ]
    assert sum(shown) / 200 <= 0.07


def test_few_null_studies_with_unequal_noise_show_anything():
    (a, b), _ = full_grid((5, 2), 3)
    design = make_design([a, b])
    sigma = np.where(a == 4, 8.0, 1.0)
    shown = [
        any(part.is_significant for part in parts)
        for parts in _components(design, np.zeros(30), studies=200, seed=7, sigma=sigma)
    ]
    assert sum(shown) / 200 <= 0.08


def test_few_null_studies_of_a_damaged_grid_with_trial_effects_blame_a_factor():
    # trials differ by an effect of no factor: runs are not independent, trials are
    columns, _ = full_grid((3, 3, 2), 3)
    keep = ~((columns[0] == 2) & (columns[1] == 2) & (columns[2] == 1))
    columns = [column[keep] for column in columns]
    design = make_design(columns)
    rng = np.random.default_rng(8)
    shown = 0
    for _ in range(200):
        trial = rng.normal(size=design.n_cells)[design.cells]
        y = trial + 0.2 * rng.normal(size=design.n_runs)
        fit = fit_model(design, y)
        parts = variance_components(design, fit, find_noise(design, fit, y), y)
        shown += any(part.is_significant for part in parts)
    assert shown / 200 <= 0.08


@pytest.mark.parametrize("blocked", [False, True])
def test_intervals_cover_the_true_shares(blocked):
    (a, b), s = full_grid((5, 2), 3)
    signal = _centred(5, 0.4)[a] + _centred(2, 0.2)[b]
    truth = {"a": 0.4, "b": 0.2, "a × b": 0.0, "noise": 0.3}
    if blocked:
        truth |= {"seed": 0.1}
    total = sum(truth.values())
    hits = dict.fromkeys(truth, 0)
    design = make_design([a, b], s if blocked else None)
    found = _components(
        design, signal, studies=300, seed=9, sigma=np.sqrt(0.3), seed_sigma=np.sqrt(0.1),
        blocks=s if blocked else None,
    )  # fmt: skip
    for parts in found:
        for part in parts:
            hits[part.name] += part.share.low <= truth[part.name] / total <= part.share.high
    assert min(hits.values()) / 300 >= 0.93


def test_effects_and_gains_cover_the_truth():
    (a, b), s = full_grid((4, 2), 3)
    curve = np.array([0.0, 0.2, 0.9, 1.0])
    design = make_design([a, b], s)
    first, second = design.factors
    design = replace(design, factors=(replace(first, default=2), second))
    effect = gain = good = 0
    for y in _many(design, curve[a], studies=300, seed=10, sigma=0.6, blocks=s):
        fit = fit_model(design, y)
        found = curve_of(design, fit, find_noise(design, fit, y).error, 0)
        effect += found.effect.low <= 1.0 <= found.effect.high
        gain += found.gain.low <= 0.9 <= found.gain.high
        good += found.as_good[0]
    assert min(effect, gain, good) / 300 >= 0.94
