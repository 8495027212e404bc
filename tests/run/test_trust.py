"""A record of another machine calls no more than it needs."""

from __future__ import annotations

import socket
import sys

import pytest
from support.written import Written

from provrunner.errors import ConfigError
from provrunner.run.record import read_record
from provrunner.run.trust import check_trust

FOREIGN = [
    "os.system",
    "builtins.eval",
    "torch.hub.load",
    "duckdb.connect",
    # ways out of what is known: a module it imported, a function, the running of a script
    "lightning.pytorch.trainer.trainer.os.system",
    "torch.nn.modules.module.functools.partial",
    "lightning.fabric.utilities.cloud_io._load",
    "provrunner.repository.subprocess.run",
    "provrunner.run.run_script",
]


def record(tmp_path, target, host=None):
    config = {"model._target_": target}
    return read_record(Written(config=config, host=host, seeds=1).write(tmp_path / "s"), 0)


@pytest.mark.parametrize("target", FOREIGN)
@pytest.mark.parametrize("host", [None, "elsewhere"])
def test_what_models_do_not_need_is_refused_and_named(tmp_path, target, host):
    with pytest.raises(ConfigError, match=rf"model\._target_: .* calls '{target}'.*--trust"):
        check_trust(record(tmp_path, target, host), tmp_path)


def test_the_users_word_lets_a_package_in(tmp_path):
    check_trust(record(tmp_path, "duckdb.connect"), tmp_path, ["duckdb"])


def test_a_run_of_this_machine_is_taken_as_it_was_written(tmp_path):
    check_trust(record(tmp_path, "duckdb.connect", socket.gethostname()), tmp_path)


def test_what_lies_in_the_code_may_be_called(tmp_path, monkeypatch):
    (tmp_path / "my_own_model.py").write_text("raise AssertionError('not to be imported')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    check_trust(record(tmp_path, "my_own_model.Net"), tmp_path)
    check_trust(read_record(tmp_path / "s", 0), tmp_path)
    with pytest.raises(ConfigError):
        check_trust(read_record(tmp_path / "s", 0), tmp_path / "s")


@pytest.mark.parametrize(
    "target", ["torch.nn.Linear", "torch.optim.SGD", "lightning.Trainer", "provrunner.zoo.MLP"]
)
def test_classes_of_models_optimizers_and_trainers_may_be_made(tmp_path, target):
    check_trust(record(tmp_path, target, "elsewhere"), tmp_path)
