"""Tables of runs from anywhere: pandas, Polars, Arrow, files, the command line."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import csv, feather, parquet

import provrunner
from provrunner.errors import ConfigError
from provrunner.report import read_runs_table

RNG = np.random.default_rng(0)
N = 60
RATES = 10 ** RNG.uniform(-4, -1, N)
COLUMNS = {
    "run_id": [f"run-{i}" for i in range(N)],
    "optimizer.lr": RATES,
    "width": RNG.choice([16, 64], N),
    "seed": [0] * N,
    "device": ["cpu"] * N,
    "train/loss": RNG.random(N),
    "state": ["COMPLETE"] * N,
    "duration": RNG.uniform(1, 2, N),
    "val_loss": (np.log10(RATES) + 2.5) ** 2 + 0.1 * RNG.normal(size=N),
}
TABLE = pa.table(COLUMNS)


def test_a_table_of_runs_is_analysed():
    document = provrunner.analyze(TABLE, "val_loss").to_dict()
    assert document["components"][0]["component"] == "optimizer.lr"
    assert document["components"][0]["significant"]
    assert [row["name"] for row in document["parameters"]] == ["optimizer.lr", "width"]
    assert document["parameters"][0]["scale"] == "log"
    assert document["sweep"]["metric"] == "val_loss"


def test_what_looks_like_no_parameter_is_listed_with_the_reason():
    document = provrunner.analyze(TABLE, "val_loss").to_dict()
    assert {row["name"]: row["reason"].partition(";")[0] for row in document["dropped"]} == {
        "run_id": "looks like an id, path, seed, device or time",
        "device": "looks like an id, path, seed, device or time",
        "train/loss": "looks like a result",
    }


def test_pandas_and_polars_give_the_same_bytes_as_arrow():
    polars = pytest.importorskip("polars")
    expected = provrunner.analyze(TABLE, "val_loss").to_json()
    assert provrunner.analyze(TABLE.to_pandas(), "val_loss").to_json() == expected
    assert provrunner.analyze(polars.from_arrow(TABLE), "val_loss").to_json() == expected


def test_names_that_end_like_an_id_are_parameters_where_they_have_a_path():
    names = ["adam", "sgd"] * 30
    table = TABLE.append_column("optimizer.name", pa.array(names))
    table = table.append_column("data.path", pa.array(["a", "b"] * 30))
    document = provrunner.analyze(table, "val_loss").to_dict()
    assert "optimizer.name" in {row["name"] for row in document["parameters"]}
    assert "data.path" in {row["name"] for row in document["dropped"]}


def test_named_parameters_alone_are_analysed():
    document = provrunner.analyze(TABLE, "val_loss", parameters=["width", "train/loss"]).to_dict()
    assert {row["name"] for row in document["parameters"]} == {"width", "train/loss"}
    assert document["dropped"] == []


def test_the_direction_turns_the_best_run():
    lowest = provrunner.analyze(TABLE, "val_loss").to_dict()["best"]["objective"]
    highest = provrunner.analyze(TABLE, "val_loss", direction="maximize").to_dict()["best"]
    assert lowest == min(COLUMNS["val_loss"])
    assert highest["objective"] == max(COLUMNS["val_loss"])


def test_several_objectives_share_a_front():
    document = provrunner.analyze(
        TABLE, ["val_loss", "train/loss"], direction=["minimize", "maximize"]
    ).to_dict()
    assert document["objectives"]["list"][0]["metric"] == "train/loss"


def test_failed_and_pruned_runs_are_told_by_their_state():
    states = ["COMPLETE"] * 50 + ["FAIL"] * 6 + ["TrialState.PRUNED"] * 4
    table = TABLE.set_column(TABLE.column_names.index("state"), "state", pa.array(states))
    document = provrunner.analyze(table, "val_loss").to_dict()
    assert document["statuses"] == {"failed": 6, "finished": 50, "pruned": 4}
    assert document["failure_rates"]["failures"] == 6
    assert "adaptive" in [flag["flag"] for flag in document["flags"]]


def test_a_parameter_may_be_called_like_a_column_of_ours():
    losses = [1.0 + i % 2 + 0.1 * RNG.normal() for i in range(12)]
    table = pa.table({"run": [0.1, 0.2] * 6, "loss": losses, "seed": list(range(12))})
    document = provrunner.analyze(table, "loss", parameters=["run"]).to_dict()
    assert document["components"][0]["parameters"] == ["parameter run"]


LOSS = {"objective": "val_loss"}
NO_COLUMN = "{} is no column of the runs; did you mean {}?"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objective": "val_los"}, NO_COLUMN.format("objective 'val_los'", "'val_loss'")),
        ({"objective": "device"}, "objective 'device' is of type string; expected numbers"),
        ({"objective": []}, "no objective was named"),
        ({**LOSS, "direction": "up"}, "direction is 'up'; expected minimize or maximize"),
        ({**LOSS, "parameters": ["with"]}, NO_COLUMN.format("parameter 'with'", "'width'")),
        ({**LOSS, "parameters": ["seed"]}, "parameter 'seed' is the objective or the seed"),
        ({**LOSS, "seed": "sed"}, NO_COLUMN.format("seed 'sed'", "'seed'")),
        (
            {**LOSS, "direction": ["minimize", "minimize"]},
            "2 directions for 1 objectives; expected one each",
        ),
    ],
)
def test_a_wrong_argument_is_said_with_the_nearest_name(arguments, message):
    with pytest.raises(ConfigError) as error:
        provrunner.analyze(TABLE, **arguments)
    assert str(error.value) == message


def test_what_is_no_table_is_said():
    with pytest.raises(ConfigError, match="a list is no table of runs"):
        provrunner.analyze([1, 2], "loss")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather"])
def test_files_are_read_by_their_ending(tmp_path, ending):
    path = tmp_path / f"runs{ending}"
    write = {
        ".csv": csv.write_csv,
        ".parquet": parquet.write_table,
        ".feather": feather.write_feather,
    }
    write[ending](TABLE, path)
    assert read_runs_table(path).column_names == TABLE.column_names


def test_a_missing_or_unreadable_file_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"runs\.csv: there is no such file"):
        read_runs_table(tmp_path / "runs.csv")
    (tmp_path / "runs.parquet").write_text("no parquet")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_runs_table(tmp_path / "runs.parquet")
    (tmp_path / "runs.xlsx").write_text("")
    with pytest.raises(ConfigError, match=r"is \.csv, \.tsv, \.parquet"):
        read_runs_table(tmp_path / "runs.xlsx")


def test_the_verb_prints_and_fails_in_one_line(tmp_path):
    csv.write_csv(TABLE, tmp_path / "runs.csv")
    verb = [sys.executable, "-m", "provrunner", "analyze", str(tmp_path / "runs.csv")]
    found = subprocess.run(
        [*verb, "--objective", "val_loss", "--format", "json", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0
    assert json.loads(found.stdout)["components"][0]["component"] == "optimizer.lr"
    assert (tmp_path / "out" / "summary.json").read_text(encoding="utf-8") == found.stdout
    shares = parquet.read_table(tmp_path / "out" / "sensitivity.parquet")["share"].to_pylist()
    assert shares[0] == json.loads(found.stdout)["components"][0]["share"]
    assert "## Worth running next" in (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    sweep = yaml.safe_load((tmp_path / "out" / "next.yaml").read_text(encoding="utf-8"))["sweep"]
    assert len(sweep["points"]) > 1
    wrong = subprocess.run(
        [*verb, "--objective", "val_los"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "provrunner: objective 'val_los' is no column of the runs; did you mean 'val_loss'?\n"
    )
