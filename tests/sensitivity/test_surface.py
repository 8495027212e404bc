"""Points drawn from ranges: shares of known functions, tests, refusals, flags."""

import json

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.functions import FUNCTIONS
from benchmarks.sensitivity import components, null_grid, random_case, summarize
from provrunner.sensitivity import Parameter, Study, build_summary
from provrunner.sensitivity.adaptivity import adaptivity_p

GRID = (np.arange(10_000) + 0.5) / 10_000
KNOWN = {function.name: function for function in FUNCTIONS}


def random_study(unit, y):
    return summarize(random_case(unit, y))


def _unit(n, k=6, seed=0):
    return np.random.default_rng([seed, n]).random((n, k))


def _shares(document):
    return {part["component"]: part["share"] for part in document["components"]}


def _flags(document):
    return [flag["flag"] for flag in document["flags"]]


def _table(columns, y, **more):
    n = len(y)
    fixed = {"run": list(range(n)), "status": ["finished"] * n, "objective": [*map(float, y)]}
    return pa.table({**fixed, **columns, **more})


@pytest.mark.parametrize(
    ("name", "n", "limit"),
    [
        ("ishigami", 81, 0.045),
        ("ishigami", 256, 0.015),
        ("additive", 81, 0.045),
        ("interaction", 81, 0.045),
        ("friedman", 81, 0.045),
        ("g-function", 256, 0.015),
    ],
)
def test_shares_of_known_functions(name, n, limit):
    function = KNOWN[name]
    unit = _unit(n)
    found = _shares(random_study(unit, function.call(unit)))
    errors = [abs(found[f"x{i}"] - share) for i, share in enumerate(function.shares)]
    assert np.mean(errors) <= limit


def test_ishigami_interaction_is_found_with_its_share():
    unit = _unit(256)
    document = random_study(unit, KNOWN["ishigami"].call(unit))
    part = next(p for p in document["components"] if p["component"] == "x0 × x2")
    assert part["share"] == pytest.approx(0.2437, abs=0.01)
    assert part["significant"]
    assert document["parameters"][0]["name"] == "x1"


def test_shares_with_the_rest_add_to_one():
    unit = _unit(81)
    y = KNOWN["friedman"].call(unit) + np.random.default_rng(1).normal(size=81)
    assert sum(_shares(random_study(unit, y)).values()) == pytest.approx(1, abs=0.02)


def test_pure_noise_finds_no_more_than_its_level():
    cases = [
        random_case(_unit(27, seed=k), np.random.default_rng([k, 5]).normal(size=27))
        for k in range(12)
    ]
    found = [any(part.is_significant for part in components(case)) for case in cases]
    assert sum(found) <= 1


def test_noise_that_grows_along_a_range_finds_no_more_than_its_level():
    found = []
    for k in range(12):
        unit = _unit(81, seed=k)
        y = 10 ** unit[:, 0] * np.random.default_rng([k, 6]).normal(size=81)
        found.append(any(part.is_significant for part in components(random_case(unit, y))))
    assert sum(found) <= 1


def test_a_surface_that_predicts_nothing_is_said():
    document = random_study(_unit(40), np.random.default_rng(8).normal(size=40))
    assert "low_trust" in _flags(document)
    assert document["trust"]["level"] == "low"


def test_a_good_surface_is_trusted():
    unit = _unit(81)
    document = random_study(unit, KNOWN["additive"].call(unit))
    assert document["trust"]["level"] == "high"
    assert document["trust"]["press_r2"] > 0.99
    assert "low_trust" not in _flags(document)


def test_too_few_points_for_the_parameters_make_no_conclusion():
    document = random_study(_unit(12), np.arange(12.0))
    assert document["flags"][0] == {
        "flag": "cannot_conclude",
        "detail": "12 points for 7 coefficients, at least 14 are needed: means only",
    }
    assert document["components"] == []


def test_ranges_and_choices_mix():
    unit = _unit(80, 2)
    choice = ["adam" if value < 0.5 else "sgd" for value in unit[:, 1]]
    y = 3 * unit[:, 0] ** 2 + 2.0 * np.array([name == "sgd" for name in choice])
    y = y + 0.1 * np.random.default_rng(2).normal(size=80)
    study = Study(
        "s",
        "loss",
        "minimize",
        (Parameter("lr", (), "linear", low=0.0, high=1.0), Parameter("opt", ("adam", "sgd"))),
    )
    document = build_summary(_table({"lr": unit[:, 0], "opt": choice}, y), study).to_dict()
    total = 9 * (1 / 5 - 1 / 9) + 1.0 + 0.01
    assert _shares(document)["lr"] == pytest.approx(9 * (1 / 5 - 1 / 9) / total, abs=0.05)
    assert _shares(document)["opt"] == pytest.approx(1.0 / total, abs=0.05)
    assert document["sweep"]["design_text"] == "80 points in 1 range and a choice of 2 levels"
    assert document["parameters"][1]["best"] == 0.0


def test_a_parameter_of_one_branch_alone_is_estimated_there():
    unit = _unit(120, 2, seed=3)
    choice = ["adam", "sgd"] * 60
    momentum = [
        None if name == "adam" else float(u) for name, u in zip(choice, unit[:, 0], strict=True)
    ]
    y = np.array([0.0 if m is None else 4 * (m - 0.5) ** 2 for m in momentum])
    y = y + 0.05 * np.random.default_rng(4).normal(size=120)
    study = Study(
        "s",
        "loss",
        "minimize",
        (Parameter("opt", ("adam", "sgd")), Parameter("momentum", (), low=0.0, high=1.0)),
    )
    document = build_summary(_table({"opt": choice, "momentum": momentum}, y), study).to_dict()
    found = {part["component"]: part for part in document["components"]}
    within, between = 16 / 2 * (1 / 80 - 1 / 144), (1 / 3) ** 2 / 4
    total = within + between + 0.0025
    assert found["momentum"]["share"] == pytest.approx(within / total, abs=0.06)
    assert found["opt"]["share"] == pytest.approx(between / total, abs=0.06)
    assert found["momentum"]["significant"]
    momentum_row = next(p for p in document["parameters"] if p["name"] == "momentum")
    assert momentum_row["best"] == pytest.approx(0.5, abs=0.11)


def test_ranges_that_move_together_are_one_effect():
    unit = _unit(40, 2)
    parameters = tuple(Parameter(name, (), low=0.0, high=1.0) for name in ("a", "b", "c"))
    columns = {"a": unit[:, 0], "b": unit[:, 0], "c": unit[:, 1]}
    document = build_summary(
        _table(columns, unit[:, 0] * 2), Study("s", "y", "minimize", parameters)
    ).to_dict()
    assert "aliased" in _flags(document)
    assert document["components"][0]["component"] == "a & b"


def test_points_that_close_in_on_the_best_are_called_adaptive_and_have_no_p():
    rng = np.random.default_rng(0)
    points, values = [], []
    for t in range(60):
        center = points[int(np.argmin(values))] if t >= 10 else None
        point = (
            rng.random(2) if center is None else np.clip(center + 0.08 * rng.normal(size=2), 0, 1)
        )
        points.append(point)
        values.append(float(((point - 0.3) ** 2).sum() + 0.01 * rng.normal()))
    unit = np.array(points)
    parameters = tuple(Parameter(f"x{i}", (), low=0.0, high=1.0) for i in range(2))
    table = _table({"x0": unit[:, 0], "x1": unit[:, 1]}, values)
    document = build_summary(table, Study("s", "y", "minimize", parameters)).to_dict()
    assert "adaptive" in _flags(document)
    assert [part["p"] for part in document["components"]] == [None] * len(document["components"])
    row = document["parameters"][0]
    assert row["coverage"] < 1
    assert "there is no test, since points were placed, or runs stopped, in view" in row["verdict"]
    assert not any("no effect seen" in text for text in document["verdicts"])


def test_a_search_over_choices_has_no_p_where_the_sweep_says_so():
    rng = np.random.default_rng(1)
    columns = {"a": rng.integers(0, 3, 60).tolist(), "b": rng.integers(0, 2, 60).tolist()}
    y = np.array(columns["a"]) + 0.1 * rng.normal(size=60)
    parameters = (Parameter("a", (0, 1, 2)), Parameter("b", (0, 1)))
    study = Study("s", "y", "minimize", parameters, design="tpe")
    document = build_summary(_table(columns, y), study).to_dict()
    assert document["sweep"]["design"] == "adaptive"
    assert {part["p"] for part in document["components"] if part["parameters"]} == {None}
    assert _shares(document)["a"] > 0.9


def test_failed_points_count_where_points_close_in_on_the_best():
    rng = np.random.default_rng(0)
    points, values = [], []
    for t in range(60):
        center = points[int(np.argmin(values))] if t >= 10 else rng.random(2)
        points.append(np.clip(center + 0.08 * rng.normal(size=2), 0, 1) if t >= 10 else center)
        values.append(np.inf if t % 3 == 1 else float(((points[-1] - 0.3) ** 2).sum()))
    unit = np.array(points)
    parameters = tuple(Parameter(f"x{i}", (), low=0.0, high=1.0) for i in range(2))
    table = _table({"x0": unit[:, 0], "x1": unit[:, 1]}, values)
    document = build_summary(table, Study("s", "y", "minimize", parameters)).to_dict()
    assert document["sweep"]["design"] == "adaptive"
    assert len(document["failures"]) == 20


def test_blind_points_are_not_called_adaptive():
    p = [
        adaptivity_p(_unit(60, 3, seed=k), ((_unit(60, 3, seed=k) - 0.3) ** 2).sum(axis=1))
        for k in range(40)
    ]
    assert min(p) > 1e-3
    assert 0.2 < np.mean(np.array(p) < 0.5) < 0.8


def test_sorted_points_are_not_called_adaptive():
    points = np.sort(_unit(60, 1), axis=0)
    assert adaptivity_p(points, points[:, 0]) is None


def test_replicates_of_random_points_tell_the_noise():
    unit = np.repeat(_unit(40, 2), 3, axis=0)
    y = 2 * unit[:, 0] + 0.3 * np.random.default_rng(5).normal(size=120)
    parameters = tuple(Parameter(f"x{i}", (), low=0.0, high=1.0) for i in range(2))
    table = _table({"x0": unit[:, 0], "x1": unit[:, 1]}, y, seed=[0, 1, 2] * 40)
    document = build_summary(
        table, Study("s", "y", "minimize", parameters, seeds="independent")
    ).to_dict()
    assert document["noise"]["sigma"] == pytest.approx(0.3, abs=0.05)
    assert document["noise"]["estimable"]
    assert _shares(document)["x0"] == pytest.approx((4 / 12) / (4 / 12 + 0.09), abs=0.08)


def test_a_gaussian_process_takes_over_where_it_predicts_better():
    unit = _unit(40, 2)
    bump = np.exp(-30 * (unit - 0.5) ** 2)
    document = random_study(unit, bump[:, 0] * bump[:, 1])
    assert document["method"] == "gaussian_process"
    nodes = np.exp(-30 * (GRID - 0.5) ** 2)
    mean, square = nodes.mean(), (nodes**2).mean()
    main, total = mean**2 * (square - mean**2), square**2 - mean**4
    found = _shares(document)
    assert found["x0"] == pytest.approx(main / total, abs=0.04)
    assert found["x1"] == pytest.approx(main / total, abs=0.04)
    assert found["x0 × x1"] == pytest.approx(1 - 2 * main / total, abs=0.06)
    _check_surface(document, lambda a, b: np.exp(-30 * ((a - 0.5) ** 2 + (b - 0.5) ** 2)), 0.15)


def _check_surface(document, truth, limit):
    cells = [row for row in document["interactions"] if (row["a"], row["b"]) == ("x0", "x1")]
    assert len(cells) == 11**2
    for cell in cells:
        assert cell["surface"] == pytest.approx(truth(cell["level_a"], cell["level_b"]), abs=limit)


def test_the_fitted_surface_of_a_pair_averages_all_others():
    unit = _unit(120, 3)
    noise = 0.05 * np.random.default_rng(2).normal(size=120)
    document = random_study(unit, 2 * unit[:, 0] * unit[:, 1] + unit[:, 2] + noise)
    assert document["method"] == "linear_model"
    assert document["components"][3]["component"] == "x0 × x1"
    _check_surface(document, lambda a, b: 2 * a * b + 0.5, 0.1)
    assert 0 < max(row["half_width"] for row in document["interactions"]) < 0.2


def test_the_same_points_give_the_same_bytes_in_any_order():
    unit = _unit(54)
    table = _table({f"x{i}": unit[:, i] for i in range(6)}, KNOWN["friedman"].call(unit) + 0.0)
    parameters = tuple(Parameter(f"x{i}", (), low=0.0, high=1.0) for i in range(6))
    study = Study("s", "y", "minimize", parameters, design="random")
    shuffled = table.take(np.random.default_rng(0).permutation(54))
    assert build_summary(table, study).to_json() == build_summary(shuffled, study).to_json()


def test_the_next_points_of_a_surface_are_a_sweep_file():
    unit = _unit(60, 2)
    y = (unit[:, 0] - 0.7) ** 2 + (unit[:, 1] - 0.2) ** 2
    y = y + 0.01 * np.random.default_rng(3).normal(size=60)
    found = random_study(unit, y)["next_points"]
    assert abs(found["points"][0]["x0"] - 0.7) < 0.1
    assert abs(found["points"][0]["x1"] - 0.2) < 0.1
    assert "  design: list\n  points:\n    - {x0: " in found["config"]


def test_a_search_over_choices_proposes_no_point_that_was_run_nor_one_twice():
    rng = np.random.default_rng(5)
    a, b = rng.choice([*"xyz"], 40), rng.choice([*"uvw"], 40)
    y = (a == "x") * 1.0 + rng.normal(size=40) * 0.1
    parameters = (Parameter("a", ()), Parameter("b", ()))
    study = Study("s", "y", "minimize", parameters, design="tpe")
    found = build_summary(_table({"a": a.tolist(), "b": b.tolist()}, y), study).to_dict()
    assert found["components"][0]["p_holm"] is None
    assert set(zip(a, b, strict=True)) == {(i, j) for i in "xyz" for j in "uvw"}
    assert found["next_points"] is None


def test_unequal_noise_no_longer_hides_a_clear_effect():
    document = summarize(null_grid(np.random.default_rng(4), (5, 2), 5, unequal=True, effect=8.0))
    assert document["components"][0]["component"] == "x0"
    assert document["components"][0]["significant"]
    assert json.dumps(document["flags"]).count("heteroscedastic") == 1
