"""Trainers that know nothing of provrunner, recorded because a variable asks for it."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import provrunner
from provrunner.own_values import open_runs
from provrunner.report import verify_sweep, watch
from provrunner.run.attach import attached_callbacks

# Lightning's own remarks on tiny data, and a name that torch has renamed under it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
]

_VARIABLES = ("", "_SWEEP", "_NEXT_RUN", "_FOLDER", "_OBJECTIVE", "_DIRECTION")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in _VARIABLES:
        # Set first, so that what a run leaves there is taken away again.
        monkeypatch.setenv(f"PROVRUNNER{name}", "")
        monkeypatch.delenv(f"PROVRUNNER{name}")
    yield
    for run in open_runs():
        run.close()


def fit(package="lightning.pytorch", **settings):
    lightning = import_module(package)
    trainer = lightning.Trainer(
        max_epochs=1,
        limit_train_batches=2,
        limit_val_batches=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.fit(import_module(f"{package}.demos.boring_classes").BoringModel())
    return trainer


def rows(query, folder="outputs"):
    for run in open_runs():
        run.close()
    return provrunner.open_sweep(folder).sql(query).fetchall()


@pytest.mark.parametrize("value", ["", "0", "off", "False"])
def test_nothing_is_recorded_unless_it_is_asked_for(monkeypatch, value):
    monkeypatch.setenv("PROVRUNNER", value)
    assert attached_callbacks() == []


def test_asking_in_vain_costs_no_import():
    code = (
        "import sys\n"
        "from provrunner.run.attach import attached_callbacks\n"
        "assert attached_callbacks() == []\n"
        "print(sorted({'torch', 'hydra', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_each_trainer_is_a_run_of_one_sweep_whatever_its_package(monkeypatch, package):
    pytest.importorskip(package)
    monkeypatch.setenv("PROVRUNNER", "1")
    fit(package)
    fit(package)
    assert rows("select run, status, steps from runs order by run") == [
        (0, "finished", 1),
        (1, "finished", 1),
    ]
    assert [path.name for path in Path().iterdir()] == ["outputs"]


@pytest.mark.slow
def test_the_variables_name_the_folder_and_the_objective(monkeypatch):
    monkeypatch.setenv("PROVRUNNER", "elsewhere")
    monkeypatch.setenv("PROVRUNNER_OBJECTIVE", "accuracy")
    monkeypatch.setenv("PROVRUNNER_DIRECTION", "maximize")
    fit()
    plan = provrunner.open_sweep("elsewhere").plan
    assert (plan.objective.metric, plan.objective.direction) == ("accuracy", "maximize")
    assert [path.name for path in Path().iterdir()] == ["elsewhere"]


@pytest.mark.slow
def test_a_trainer_trains_where_nothing_can_be_recorded(monkeypatch):
    monkeypatch.setenv("PROVRUNNER", "file")
    Path("file").write_text("in the way")
    with pytest.warns(RuntimeWarning, match="provrunner records no run: .*file"):
        trainer = fit()
    assert trainer.global_step == 2


@pytest.mark.slow
def test_the_scripts_own_callback_keeps_the_trainer_to_itself(monkeypatch):
    monkeypatch.setenv("PROVRUNNER", "1")
    own = provrunner.ProvenanceCallback("mine")
    fit(callbacks=[own])
    assert rows("select count(*) from runs", "mine") == [(1,)]
    assert [path.name for path in Path().iterdir()] == ["mine"]


@pytest.mark.slow
def test_a_further_trainer_of_one_callback_is_the_next_run_and_is_shown_everywhere():
    callback = provrunner.ProvenanceCallback("logs", name="mine", objective="x")
    fit(callbacks=[callback])
    assert callback.is_recording
    second = fit(callbacks=[callback])
    second.validate(second.lightning_module)  # of the same Trainer: the same run
    second.test(second.lightning_module)  # 64 batches, numbered from 0
    callback.close()
    fit(callbacks=[callback])

    stages = (
        "select run, status, list(subject order by seq) from events join runs using (run) "
        "where kind = 'stage_start' group by all order by run"
    )
    assert rows(stages, "logs") == [
        (0, "finished", ["fit"]),
        (1, "finished", ["fit", "validate", "test"]),
        (2, "finished", ["fit"]),
    ]
    assert rows("select steps from runs", "logs") == [(1,), (1,), (1,)]
    ids = [run_id for (run_id,) in rows("select run_id from runs order by run", "logs")]
    told = provrunner.open_sweep("logs").about()
    assert [line.split(",")[0] for line in told] == [f"run {run_id}: finished" for run_id in ids]
    assert provrunner.open_sweep("logs").plan.points[2].run_id == ids[2]
    assert provrunner.open_sweep("logs").table("plan").num_rows == 3
    assert len({trial for (trial,) in rows("select trial_id from runs", "logs")}) == 3
    assert verify_sweep(Path(str(provrunner.open_sweep("logs").folder))).findings == ()
    assert watch("logs", once=True).counts == {"finished": 3}
