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


CODE = {
    "my_own_model.py": """
import subprocess
from os import system
from my_package import Small
raise AssertionError("not to be imported")
try:
    class Net(Base):
        inner = subprocess
        @classmethod
        def wide(cls): ...
except NameError:
    def make(): ...
alias = subprocess.call
""",
    "my_package/__init__.py": "from .nets.small import Tiny as Small\nfrom . import nets\n",
    "my_package/nets/small.py": "class Tiny: ...\n",
    "broken.py": "class Net: (\n",
    "round.py": "from round import Net\n",
}
DEFINED = [
    *("my_own_model.Net", "my_own_model.Net.wide", "my_own_model.make", "my_own_model.Small"),
    *("my_package.Small", "my_package.nets.small.Tiny"),
]
LEADING_OUT = [
    *("my_own_model.subprocess.call", "my_own_model.system", "my_own_model.alias"),
    *("my_own_model.Net.inner.call", "my_own_model.Net.load_from_checkpoint", "my_own_model"),
    *("my_own_model.Net.inner", "my_package.nets", "my_package.nets.small", "broken.Net"),
    *("round.Net", "my_package.Gone", "gone.Net", "my_own_model..Net"),
]


def lay_out(folder, monkeypatch):
    """Write modules that Python finds before all others."""
    for name, text in CODE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])


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
    lay_out(tmp_path, monkeypatch)
    for number, target in enumerate(DEFINED):
        check_trust(record(tmp_path / str(number), target), tmp_path)
    with pytest.raises(ConfigError):
        check_trust(read_record(tmp_path / "0" / "s", 0), tmp_path / "0")


@pytest.mark.parametrize("target", LEADING_OUT)
def test_what_the_code_only_imports_or_inherits_may_not(tmp_path, monkeypatch, target):
    lay_out(tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match=rf"model\._target_: .* calls '{target}'"):
        check_trust(record(tmp_path, target), tmp_path)


@pytest.mark.parametrize("place", ["s", "s/inner", "of_others", "runs/deep/of_others"])
def test_code_that_came_in_the_folder_of_a_sweep_may_not(tmp_path, monkeypatch, place):
    """Neither in that of this sweep nor in another's, though Python finds it from here."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    handed = record(tmp_path, f"{place.replace('/', '.')}.evil.Net")
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evil.py").write_text("class Net: ...\n")
    if place.endswith("of_others"):
        check_trust(handed, tmp_path)
        (folder / "plan.json").touch()
        (folder / "runs").mkdir()
    with pytest.raises(ConfigError, match=r"evil\.Net.*--trust"):
        check_trust(handed, tmp_path)


@pytest.mark.parametrize(
    "target", ["torch.nn.Linear", "torch.optim.SGD", "lightning.Trainer", "provrunner.zoo.MLP"]
)
def test_classes_of_models_optimizers_and_trainers_may_be_made(tmp_path, target):
    check_trust(record(tmp_path, target, "elsewhere"), tmp_path)
