"""What readers of other tools' stores make of files that are cut off or were altered."""

import json
import math
import os
import shutil
import sqlite3
import struct
import zlib

import pyarrow as pa
import pytest
from pyarrow import parquet

from provrunner.errors import ConfigError
from provrunner.report import analyze_store, import_runs
from provrunner.report.stores import read_store


@pytest.fixture
def wandb_runs(stores, tmp_path):
    shutil.copytree(stores / "wandb", tmp_path / "wandb")
    return sorted((tmp_path / "wandb").rglob("*.wandb"))


def _flip(file, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def _cut(file, size):
    file.write_bytes(file.read_bytes()[:size])


def _varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


def _field(number, content):
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _write_wandb(file, config, *removed):
    """Write a log of a run whose settings, JSON by name, were given and in part removed."""
    given = b"".join(
        _field(1, _field(1, name.encode()) + _field(8, text.encode()))
        for name, text in config.items()
    )
    for path in removed:
        given += _field(2, b"".join(_field(2, part.encode()) for part in path.split(".")))
    record = _field(17, _field(1, b"one") + _field(4, given))
    head = struct.pack("<IHB", zlib.crc32(record, zlib.crc32(b"\1")), len(record), 1)
    file.write_bytes(b":W&B\xe1\xbe\0" + head + record)


def test_a_wandb_run_with_a_flipped_bit_is_named_and_left_out(wandb_runs):
    _flip(wandb_runs[4], 200)
    store = read_store(wandb_runs[4].parents[1])
    assert len(store.runs) == 17
    (message,) = store.skipped
    assert message.startswith(f"{wandb_runs[4].parent.name}/{wandb_runs[4].name} is damaged")
    with pytest.warns(UserWarning, match="is damaged and left out: byte"):
        document = analyze_store(wandb_runs[4].parents[1], "val/loss").to_dict()
    assert document["statuses"] == {"failed": 1, "finished": 16}


def test_a_wandb_run_that_was_cut_off_is_lost_with_all_it_had_logged(wandb_runs):
    data = wandb_runs[0].read_bytes()
    (whole,) = read_store(wandb_runs[0]).runs
    values = list(whole.metrics["val/loss"].values)
    counts = []
    for size in (*range(900, len(data) - 120, 97), len(data) - 120):
        wandb_runs[1].write_bytes(data[:size])
        (run,) = read_store(wandb_runs[1]).runs
        kept = list(run.metrics["val/loss"].values) if "val/loss" in run.metrics else []
        assert (run.run_id, kept) == (whole.run_id, values[: len(kept)])
        assert run.status == "lost"
        counts.append(len(kept))
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == len(values)
    assert run.facts["reason"].startswith("its log was cut off at byte ")


def test_a_folder_without_one_whole_run_is_refused(wandb_runs):
    _flip(wandb_runs[0], 0)
    with pytest.raises(ConfigError, match=r"none of its 1 runs can be read; .* does not begin as"):
        read_store(wandb_runs[0])


def test_a_tensorboard_run_with_a_flipped_bit_is_named_and_one_cut_off_is_lost(stores, tmp_path):
    shutil.copytree(stores / "tensorboard", tmp_path / "logs")
    (first,), (second,) = ((tmp_path / "logs" / f"run_{n}").iterdir() for n in (3, 4))
    _flip(first, first.stat().st_size - 10)
    _cut(second, second.stat().st_size - 10)
    store = read_store(tmp_path / "logs")
    assert len(store.runs) == 17
    assert store.skipped[0].startswith("run run_3 is damaged and left out: events.out.tfevents")
    (lost,) = [run for run in store.runs if run.status == "lost"]
    assert (lost.run_id, list(lost.metrics["val/loss"].steps)) == ("run_4", [0, 1])


def test_a_damaged_mlflow_run_is_named_in_the_plan_of_the_sweep(stores, tmp_path):
    shutil.copytree(stores / "mlflow" / "mlruns", tmp_path / "mlruns")
    file = next((tmp_path / "mlruns").glob("*/*/metrics/val/loss"))
    file.write_text("1 not-a-number 0\n")
    with pytest.warns(UserWarning, match="damaged and left out"):
        sweep = import_runs(tmp_path / "mlruns", "val/loss", to=tmp_path / "sweep")
    assert len(sweep.plan.points) == 17
    run = file.parents[2].name
    assert sweep.plan.imported.skipped == (
        f"run {run} is damaged and left out: could not convert string to float: 'not-a-number'",
    )
    assert sweep.about()[1].startswith(f"not imported: run {run}")


def test_a_journal_may_end_in_half_a_line_but_not_break_off_before(stores, tmp_path):
    lines = (stores / "optuna" / "optuna.log").read_bytes().splitlines(keepends=True)
    file = tmp_path / "journal.log"
    file.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    assert read_store(file).runs[-1].status == "RUNNING"
    file.write_bytes(b"".join([*lines[:5], b"{\n", *lines[5:]]))
    with pytest.raises(ConfigError, match="line 6 is no JSON"):
        read_store(file)


def test_an_infinity_in_mlflows_database_is_infinite(stores, tmp_path):
    shutil.copy(stores / "mlflow" / "mlflow.db", tmp_path)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute(
            "update metrics set value = ? where key = 'val/loss' and run_uuid = "
            "(select min(run_uuid) from metrics)",
            (-1.7976931348623157e308,),
        )
    database.close()
    values = read_store(tmp_path / "mlflow.db").table["val/loss"].to_pylist()
    assert values.count(-math.inf) == 1


def test_an_objective_too_large_for_a_variance_is_one_error(tmp_path):
    (tmp_path / "a.csv").write_text("lr,loss\n1,2\n2,1e200\n3,1\n")
    with pytest.raises(ConfigError, match=r"loss is 1e\+200 in a run, too large"):
        analyze_store(tmp_path / "a.csv", "loss")


def test_wandb_settings_that_were_removed_are_removed_where_they_stand(tmp_path):
    config = {"optimizer": '{"lr": 1, "b": 2}', "width": "3", "seed": "4"}
    _write_wandb(tmp_path / "run.wandb", config, "optimizer.b", "width")
    (run,) = read_store(tmp_path / "run.wandb").runs
    assert run.parameters == {"optimizer.lr": 1, "seed": 4}


def test_the_tail_of_a_wandb_log_is_searched_for_zeros_only_behind_an_empty_head(tmp_path):
    _write_wandb(tmp_path / "run.wandb", {"lr": "1"})
    data = (tmp_path / "run.wandb").read_bytes()
    (tmp_path / "run.wandb").write_bytes(data + b"\0" * 500)
    assert read_store(tmp_path / "run.wandb").runs[0].status == "lost"
    (tmp_path / "run.wandb").write_bytes(data + b"\0" * 500 + b"\1")
    with pytest.raises(ConfigError, match="other bytes than were written"):
        read_store(tmp_path / "run.wandb")


def _write_journal(file, *trials):
    """Write a journal of trials of one parameter: its internal value and its distribution."""
    told = [{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}]
    for number, (value, distribution) in enumerate(trials):
        held = {"trial_id": number, "param_name": "x", "param_value_internal": value}
        told += [
            {"op_code": 4, "worker_id": "w", "study_id": 0},
            {"op_code": 5, "worker_id": "w", "distribution": json.dumps(distribution), **held},
            {"op_code": 6, "worker_id": "w", "trial_id": number, "state": 1, "values": [0.5]},
        ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in told))


def _between(low, high):
    return {"name": "FloatDistribution", "attributes": {"low": low, "high": high, "log": False}}


def test_a_range_that_changed_between_trials_is_that_of_all(tmp_path):
    _write_journal(tmp_path / "a.log", (0.5, _between(0, 1)), (3.0, _between(0.5, 4)))
    assert read_store(tmp_path / "a.log").ranges == {"x": (0, 4, "linear")}


def _write_csv_log(folder, settings):
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("epoch,step,loss\n0,1,0.5\n")
    (folder / "hparams.yaml").write_text(settings)


def test_what_lightning_dumped_of_python_is_read_without_importing_it(tmp_path):
    _write_csv_log(
        tmp_path / "a",
        "betas: !!python/tuple [0.9, 0.99]\nact: !!python/name:nowhere.ReLU ''\n"
        "path: !!python/object/apply:nowhere.Path\n- a\n- b\n",
    )
    (run,) = read_store(tmp_path).runs
    assert run.parameters == {
        "betas": [0.9, 0.99],
        "act": "nowhere.ReLU",
        "path": "!!python/object/apply:nowhere.Path - a - b",
    }


_BOMB = "a0: &a0 [1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
_MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "settings", ["x: &a {y: *a}", "x: &a [1, *a]", "x: " + "[" * 1500, _BOMB, _MERGES]
)
def test_settings_that_never_end_lose_their_run_alone(stores, tmp_path, settings):
    _write_csv_log(tmp_path / "csv" / "a", settings)
    _write_csv_log(tmp_path / "csv" / "b", "lr: 1\n")
    shutil.copytree(stores / "tensorboard", tmp_path / "logs")
    (tmp_path / "logs" / "run_3" / "hparams.yaml").write_text(settings)
    for folder, whole in (("csv", 1), ("logs", 17)):
        store = read_store(tmp_path / folder)
        assert (len(store.runs), len(store.skipped)) == (whole, 1)


def test_a_file_of_brackets_is_no_journal(tmp_path):
    (tmp_path / "a.txt").write_text("[" * 60_000)
    assert read_store(tmp_path / "a.txt") is None


def test_numbers_over_64_bits_and_texts_beyond_utf8_are_kept_as_near_as_can_be(tmp_path):
    _write_csv_log(tmp_path / "a", "seed: 1234567890123456789012\n")
    assert read_store(tmp_path).table["seed"].to_pylist() == [1234567890123456789012.0]
    config = {"lr": "1", "name": json.dumps("\ud800")}
    _write_wandb(tmp_path / "run.wandb", config)
    assert read_store(tmp_path / "run.wandb").table["name"].to_pylist() == ["\\ud800"]
    choice = {"name": "CategoricalDistribution", "attributes": {"choices": ["\ud800", "b"]}}
    _write_journal(tmp_path / "a.log", (0, choice), (1, choice))
    assert read_store(tmp_path / "a.log").table["x"].to_pylist() == ["\\ud800", "b"]


def test_a_table_may_lack_a_duration_but_not_repeat_a_column(tmp_path):
    table = pa.table({"lr": [1.0, 2.0], "loss": [1.0, 2.0], "duration_s": [math.nan, 3.0]})
    parquet.write_table(table, tmp_path / "a.parquet")
    sweep = import_runs(tmp_path / "a.parquet", "loss", to=tmp_path / "sweep")
    assert len(sweep.plan.points) == 2
    (tmp_path / "a.csv").write_text("lr,lr,loss\n1,1,2\n")
    with pytest.raises(ConfigError, match="several columns are called lr"):
        analyze_store(tmp_path / "a.csv", "loss")


def test_a_store_has_no_files_that_lie_outside_it_and_no_pipes(stores, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s: 1\n")
    shutil.copytree(stores / "mlflow" / "mlruns", tmp_path / "mlruns")
    params = next((tmp_path / "mlruns").glob("*/*/params"))
    (params / "stolen").symlink_to(secret)
    os.mkfifo(params / "pipe")
    assert not {"stolen", "pipe"} & read_store(tmp_path / "mlruns").columns.keys()
    _write_csv_log(tmp_path / "csv" / "a", "lr: 1\n")
    (tmp_path / "csv" / "a" / "hparams.yaml").unlink()
    (tmp_path / "csv" / "a" / "hparams.yaml").symlink_to(secret)
    (run,) = read_store(tmp_path / "csv").runs
    assert run.parameters == {}


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("wandb", {"experiment": "tune"}, "a store of wandb, which has no experiments"),
        ("tensorboard", {"experiment": "tune"}, "a store of tensorboard, which has no exp"),
        ("mlflow/mlflow.db", {"tool": "optuna"}, "a store of mlflow; leave out the tool"),
        ("optuna/optuna.log", {"tool": "wandb"}, "a store of optuna; leave out the tool"),
        ("optuna", {"tool": "optuna"}, "name Optuna's database or journal itself"),
    ],
)
def test_an_option_that_cannot_apply_is_refused(stores, name, options, told):
    with pytest.raises(ConfigError, match=told):
        read_store(stores / name, **options)


def test_a_table_of_runs_takes_no_tool_and_no_experiment(tmp_path):
    (tmp_path / "a.csv").write_text("lr,loss\n1,2\n")
    for options in ({"tool": "optuna"}, {"experiment": "tune"}):
        with pytest.raises(ConfigError, match="no store of a tool, but maybe a table"):
            read_store(tmp_path / "a.csv", **options)
