from __future__ import annotations

import pytest
from omegaconf import OmegaConf
from support.written import Written

from provrunner.errors import ConfigError, LogError
from provrunner.run.record import masked_keys, read_record
from provrunner.run.recorded import write_recorded
from provrunner.run.rerun import prepare_rerun


@pytest.fixture
def folder(tmp_path):
    return Written(config={"data.password": "*** (0f3a9c11)", "note": "${x}"}).write(tmp_path / "s")


def config_of(folder, run=3):
    record = read_record(folder, run)
    return folder / "runs" / record.point.run_id / "config.yaml"


def test_a_record_holds_what_the_run_was_told(folder):
    record = read_record(folder, 3)
    assert record.config["optimizer"] == {"lr": 0.1}
    assert record.config["note"] == "${x}"
    assert record.threads == 1
    assert record.origin.run == 3
    assert record.origin.seed == 1
    assert record.origin.sweep_id == "s"
    assert masked_keys(record.config) == ("data.password",)


def test_the_graph_calls_the_configuration_as_the_origin_does(folder):
    from provrunner.report import open_sweep

    sha256 = read_record(folder, 3).origin.config_sha256
    ids = open_sweep(folder).graph().nodes["id"].to_pylist()
    assert f"config-{sha256[:16]}" in ids


def test_a_secret_must_be_given_anew(folder):
    with pytest.raises(ConfigError, match=r"data\.password was secret") as error:
        prepare_rerun(folder, 3)
    assert "provrunner rerun 3 data.password=..." in str(error.value)
    given = ["data.password=x"]
    assert prepare_rerun(folder, 3, given, code="here").changes == ("data.password=x",)


def test_code_that_cannot_be_had_is_not_replaced_in_silence(folder):
    with pytest.raises(LogError, match=r"its commit is unknown .*--code here"):
        prepare_rerun(folder, 3, ["data.password=x"])
    with pytest.raises(ConfigError, match="did you mean 'here'"):
        prepare_rerun(folder, 3, ["data.password=x"], code="hree")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimizer.lrr=1", "did you mean 'optimizer.lr'?"),
        ("optimizer=adam", "is a group of values"),
        ("optimizer.lr=1,2", "takes key=value only"),
        ("+optimizer.x=1", "takes key=value only"),
        ("sweep.replicates=3", "keeps the run's own 'sweep.replicates'"),
    ],
)
def test_only_values_of_the_record_can_be_changed(folder, change, message):
    with pytest.raises(ConfigError) as error:
        prepare_rerun(folder, 3, [change])
    assert message in str(error.value)


def test_a_configuration_that_was_changed_afterwards_is_refused(folder):
    path = config_of(folder)
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.2"))
    with pytest.raises(LogError, match=r"changed after the run: its optimizer\.lr"):
        read_record(folder, 3)


@pytest.mark.parametrize("text", ["a: [1", "- 1\n", ""])
def test_a_damaged_configuration_is_named(folder, text):
    config_of(folder).write_text(text)
    with pytest.raises(LogError, match=r"config\.yaml"):
        read_record(folder, 3)


def test_a_run_that_left_no_configuration_cannot_be_run_again(folder):
    config_of(folder).unlink()
    with pytest.raises(LogError, match=r"left no .*config\.yaml"):
        read_record(folder, 3)


def test_a_record_of_an_earlier_version_gets_the_keys_it_lacks(tmp_path):
    added = write_recorded(tmp_path, {"seed": 3, "capture": {"level": "light"}, "note": "${x}"})
    config = OmegaConf.load(tmp_path / "recorded.yaml")
    assert {"test", "on_error", "capture.strict", "capture.include"} <= set(added)
    assert config.capture.level == "light"
    assert config.capture.strict is False
    assert config.note == "${x}"
    assert config.seed == 3
