"""Resuming a sweep that somebody handed over calls nothing that a run of it should not need."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provrunner.compose import compose_config
from provrunner.errors import ConfigError
from provrunner.log import write_plan
from provrunner.run import resume, resume_sweep, rounds
from provrunner.run.launching import Outcome
from provrunner.run.planning import draft_plan

RESUME_PLAN = resume.resume_plan
SMALL = ["trainer.max_epochs=1"]
CALLBACK = "{_target_: subprocess.call, args: [touch, called]}"
EVIL = "_target_: subprocess.call\nargs: [touch, called]\n"
DRAWN = (
    "+sweep.params={optimizer.lr: 'interval(0.01, 0.1)', "
    "model._target_: 'choice(provrunner.zoo.MLP, provrunner.zoo.CNN)'}"
)
POINTS = "sweep.points=[{optimizer.lr: 0.1, model._target_: subprocess.call}]"

HOSTILE = {
    "a node": (["+trainer.callbacks.x={_target_: subprocess.call}"], "subprocess.call"),
    "an axis of targets": (["model._target_=provrunner.zoo.MLP,os.getcwd"], "os.getcwd"),
    "an axis of nodes": (
        ["+trainer.callbacks.x={_target_: subprocess.call},{_target_: os.getcwd}"],
        "subprocess.call",
    ),
    "a value that a target refers to": (
        ["trainer.accelerator=os.getcwd,auto", "model._target_=${trainer.accelerator}"],
        "os.getcwd",
    ),
    "a point beside the levels": (
        ["sweep.design=random", "sweep.trials=1", DRAWN, POINTS],
        "subprocess.call",
    ),
    "a callback of Hydra": ([f"+hydra.callbacks.x={CALLBACK}"], "hydra.callbacks.x._target_"),
    "one below a callback of Hydra": (
        [
            "+hydra.callbacks.x={_target_: hydra.experimental.callbacks.LogJobReturnCallback, "
            f"y: {CALLBACK}}}"
        ],
        "hydra.callbacks.x.y._target_",
    ),
    "a callback made while resolved": (
        [f"+hydra.callbacks.x=\"${{oc.create:'{CALLBACK}'}}\""],
        "hydra.callbacks.x",
    ),
    "the launcher": (["hydra.launcher._target_=os.getcwd"], "hydra.launcher._target_"),
    "the launcher's argument": ([f"hydra.launcher.n_jobs={CALLBACK}"], "hydra.launcher.n_jobs"),
    "the sweeper": (["hydra.sweeper._target_=os.getcwd"], "hydra.sweeper._target_"),
    "the environment": (["+hydra.job.env_set.LD_PRELOAD=evil.so"], "hydra.job.env_set"),
    "the working folder": (["hydra.job.chdir=true"], "hydra.job.chdir"),
    "the search path": (["hydra.searchpath=[pkg://this]"], "hydra.searchpath"),
    "the logging": (
        ["+hydra.job_logging.handlers.x={class: subprocess.Popen, args: [touch, called]}"],
        "hydra.job_logging.handlers.x.class",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def called(tmp_path, monkeypatch):
    """What was called of what the hostile configurations name, and whatever would launch a run."""
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(subprocess, "call", lambda *words, **_: calls.append(words))
    monkeypatch.setattr(resume, "resume_plan", lambda *_, **__: calls.append("resumed"))
    return calls


def handed_over(words, flags=()):
    """Write the plan of a sweep, none of whose runs tells of a machine."""
    folder = Path("handed")
    folder.mkdir()
    plan = draft_plan(compose_config(SMALL, return_hydra_config=True), SMALL, datetime.now(UTC))
    command = ("python", "-m", "provrunner", *flags, *SMALL, *words)
    write_plan(folder, replace(plan, sweep_id="handed", command=command))
    return folder


@pytest.mark.parametrize(("words", "named"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_sweep_of_an_unknown_machine_would_call_is_refused_and_named(words, named, called):
    folder = handed_over(words)
    with pytest.raises(ConfigError) as refused:
        resume_sweep(folder)
    assert "sweep handed comes from an unknown machine" in str(refused.value)
    assert named in str(refused.value)
    assert called == []
    assert not Path("called").exists()


def evil_conf(place):
    (place / "model").mkdir(parents=True)
    (place / "model" / "evil.yaml").write_text(EVIL)
    return place


@pytest.mark.parametrize("word", ["model=evil", "model=mlp,evil"])
def test_each_option_of_a_swept_group_is_composed_and_checked(word, called):
    folder = handed_over([word], ["--config-dir", str(evil_conf(Path("mine")))])
    with pytest.raises(ConfigError, match=r"model\._target_: .* calls 'subprocess.call'"):
        resume_sweep(folder)
    assert called == []


def test_configuration_that_came_with_a_sweep_needs_the_users_word(called):
    folder = handed_over([], ["--config-dir", "handed/conf"])
    evil_conf(folder / "conf")
    with pytest.raises(ConfigError, match=r"--config-dir: .*--trust handed/conf"):
        resume_sweep(folder)
    assert called == []
    resume_sweep(folder, trusted=["handed/conf"])
    assert called == ["resumed"]


def test_configuration_elsewhere_needs_the_users_word(tmp_path_factory, called):
    place = str(evil_conf(tmp_path_factory.mktemp("elsewhere") / "conf"))
    folder = handed_over([], ["--config-dir", place])
    with pytest.raises(ConfigError, match="--config-dir: "):
        resume_sweep(folder)
    assert called == []


def test_a_key_that_the_written_plan_alone_names_is_refused(called):
    words = ["+note=subprocess.call,other"]
    folder = handed_over(words)
    config = compose_config([*SMALL, *words], return_hydra_config=True)
    plan = draft_plan(config, [*SMALL, *words], datetime.now(UTC))
    axis = replace(plan.hyperparameters[0], grammar="model._target_=subprocess.call,other")
    (folder / "plan.json").unlink()
    write_plan(folder, replace(plan, sweep_id="handed", hyperparameters=(axis,)))
    with pytest.raises(ConfigError, match=r"model\._target_: .* calls 'subprocess.call'"):
        resume_sweep(folder)
    assert called == []


def test_a_point_that_a_search_asks_for_is_checked_before_it_is_run(monkeypatch, called):
    pytest.importorskip("optuna")
    words = [
        *(*SMALL, "sweep.design=tpe", "sweep.trials=2", "sweep.batch=1", "sweep.name=handed"),
        "+trainer.callbacks.x={_target_: lightning.pytorch.callbacks.Timer}",
        "trainer.callbacks.x._target_=choice(lightning.pytorch.callbacks.Timer,os.getcwd)",
    ]
    launched = []

    def launch(*_, jobs, folder, **__):
        launched.extend(word for job in jobs for word in job if "_target_=" in word)
        return Outcome(folder, {})

    monkeypatch.setattr(resume, "resume_plan", RESUME_PLAN)
    monkeypatch.setattr(rounds, "launch_jobs", launch)
    folder = Path("handed")
    (folder / "runs").mkdir(parents=True)
    plan = draft_plan(compose_config(words, return_hydra_config=True), words, datetime.now(UTC))
    command = ("python", "-m", "provrunner", *words)
    write_plan(folder, replace(plan, sweep_id="handed", command=command))
    with pytest.raises(ConfigError, match=r"x\._target_: .* calls 'os.getcwd'"):
        resume_sweep(folder)
    assert not any("getcwd" in word for word in launched)


def test_the_users_word_lets_a_setting_in(called):
    resume_sweep(handed_over(["+hydra.job.env_set.TEST_ONLY=1"]), trusted=["hydra.job.env_set"])
    assert called == ["resumed"]


@pytest.mark.parametrize(
    "words",
    [
        ["optimizer=adam,sgd", "hydra.launcher.n_jobs=2"],
        ["hydra/job_logging=default", "hydra/launcher=basic"],
    ],
)
def test_a_harmless_sweep_of_an_unknown_machine_is_gone_on_with(words, called):
    resume_sweep(handed_over(words))
    assert called == ["resumed"]


def test_a_sweep_of_this_machine_is_taken_as_it_was_written(monkeypatch, called):
    class Here:
        host = socket.gethostname()
        code = {}
        sources = {}

    monkeypatch.setattr(resume, "first_record", lambda _: Here)
    monkeypatch.setattr(resume, "module_differences", lambda *_: ())
    resume_sweep(handed_over(["+hydra.job.env_set.TEST_ONLY=1"]))
    assert called == ["resumed"]
