from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provrunner.errors import ConfigError
from provrunner.zoo import Table

_ROWS = 40


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Forty rows: a number with gaps, a text, a target of classes with a gap, one of numbers."""
    lines = ["age,town,kind,income"]
    for row in range(_ROWS):
        age = "" if row % 10 == 0 else str(20 + row)
        town = ("Ulm", "Köln", "")[row % 3]
        kind = "" if row == 7 else ("a", "b")[row % 2]
        lines.append(f"{age},{town},{kind},{row * 1.5}")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_text_becomes_columns_of_zeros_and_ones_and_gaps_are_filled(people):
    data = Table(str(people), "kind", features=["age", "town"], scale=False)
    data.setup()
    assert (data.in_shape, data.out_features, data.problem) == ((3,), 2, "classification")
    inputs = data.train_dataloader().dataset.inputs.numpy()
    assert np.isfinite(inputs).all()
    assert set(np.unique(inputs[:, 1:])) == {0.0, 1.0}


def test_what_was_done_to_a_table_is_told(people):
    found = Table(str(people), "kind", features=["age", "town"]).provenance()
    steps = [
        (step["name"], step["split"], step["n_in"], step["n_out"], step["changed"])
        for step in found["transforms"]
    ]
    assert steps[:4] == [
        ("drop_missing_target", None, 40, 39, 1),
        ("encode_target", None, 39, 39, 0),
        ("fill_gaps", "train", 39, 39, 4),
        ("one_hot", "train", 39, 39, 39),
    ]
    assert found["transforms"][3]["params"] == {"column": "town", "categories": ["Köln", "Ulm"]}
    assert found["transforms"][1]["params"] == {"classes": ["a", "b"]}
    assert found["dataset"]["name"] == "people.csv"
    assert (found["dataset"]["size"], found["dataset"]["features"]) == (39, [2])


def test_indices_count_rows_of_the_file(people):
    splits = Table(str(people), "kind").provenance()["splits"]
    together = np.concatenate([split["indices"] for split in splits.values()])
    assert sorted(together) == [row for row in range(_ROWS) if row != 7]


def test_a_column_of_numbers_is_a_regression(people):
    data = Table(str(people), "income")
    data.setup()
    assert (data.problem, data.out_features) == ("regression", 1)


def test_whole_numbers_of_few_kinds_are_classes_unless_told_otherwise(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [0.5] * 30, "y": [1, 5, 9] * 10}), path)
    data = Table(str(path), "y")
    data.setup()
    assert (data.problem, data.out_features) == ("classification", 3)
    data = Table(str(path), "y", problem="regression")
    data.setup()
    assert data.problem == "regression"


def test_a_target_that_is_not_a_number_is_missing(tmp_path):
    path = tmp_path / "t.parquet"
    targets = [float("nan"), float("inf"), None, *map(float, range(27))]
    pq.write_table(pa.table({"x": [0.5] * 30, "y": targets}), path)
    assert Table(str(path), "y").provenance()["dataset"]["size"] == 27


def test_what_is_learnt_is_learnt_from_the_training_split_alone(people):
    data = Table(str(people), "income", features=["age"], scale=False)
    found = data.provenance()
    train = found["splits"]["train"]["indices"]
    ages = [20 + row for row in train if row % 10]
    (fill,) = [step for step in found["transforms"] if step["name"] == "fill_gaps"]
    assert fill["params"]["mean"] == pytest.approx(sum(ages) / len(ages))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "peple.csv"}, "no file .*peple.csv; did you mean 'people.csv'?"),
        ({"path": "nowhere/people.csv"}, "no file .*nowhere/people.csv$"),
        ({"target": "incme"}, "data.target: .* has no column 'incme'.*did you mean 'income'?"),
        ({"features": ["aeg"]}, "data.features: .* has no column 'aeg'"),
        ({"features": ["kind"]}, "'kind' is the target itself"),
        ({"problem": "regression"}, "'kind' holds string, such as 'a'; a regression needs numbers"),
        ({"problem": "regresion"}, "did you mean 'regression'?"),
        ({"path": "notes.txt"}, "notes.txt is no .csv"),
        ({"path": "empty.csv"}, "empty.csv"),
        ({"path": "header.csv"}, "header.csv has no rows"),
        ({"path": "gaps.csv"}, "gaps.csv has no row with a 'kind'"),
        ({"path": "one.csv"}, "has only the class 'a'"),
        ({"path": "alone.csv"}, "no column beside the target"),
        ({"path": "ids.csv"}, "'name' has .* categories"),
        ({"path": "bad.parquet"}, "bad.parquet cannot be read"),
        ({"batch_sise": 3}, "batch_sise"),
    ],
)
def test_a_table_of_no_use_is_refused_before_any_run(people, monkeypatch, settings, message):
    monkeypatch.chdir(people.parent)
    Path("notes.txt").write_text("a\n")
    Path("empty.csv").write_text("")
    Path("header.csv").write_text("age,kind\n")
    Path("gaps.csv").write_text("age,kind\n1,\n2,\n")
    Path("one.csv").write_text("age,kind\n" + "1,a\n" * 20)
    Path("alone.csv").write_text("kind\n" + "a\nb\n" * 20)
    Path("ids.csv").write_text("name,kind\n" + "".join(f"n{row},{row % 2}\n" for row in range(400)))
    Path("bad.parquet").write_text("not a parquet file")
    with pytest.raises((ConfigError, TypeError), match=message):
        Table.check(**{"path": "people.csv", "target": "kind", **settings})
