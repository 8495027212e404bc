"""What readers of other tools' stores make of files that are cut off or were altered."""

import shutil

import pytest

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
    whole = read_store(wandb_runs[0])
    for size in range(900, wandb_runs[0].stat().st_size, 97):
        _cut(wandb_runs[1], 0)
        wandb_runs[1].write_bytes(wandb_runs[0].read_bytes()[:size])
        (run,) = read_store(wandb_runs[1]).runs
        assert run.run_id == whole.runs[0].run_id
    assert run.status in ("lost", "finished")
    _cut(wandb_runs[1], wandb_runs[1].stat().st_size - 120)
    (run,) = read_store(wandb_runs[1]).runs
    assert run.status == "lost"
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
