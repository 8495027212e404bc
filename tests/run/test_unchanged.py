"""Whether the configuration of a sweep is still that of its runs."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from provrunner.compose import build_plan, compose_config, job_overrides, own_config
from provrunner.compose.resolvers import hydra_resolvable
from provrunner.log import ArrowSink, run_folder, write_plan
from provrunner.run.hidden import shown_values
from provrunner.run.unchanged import config_differences
from provrunner.schema import Event, RunStatus

WORDS = ["model=mlp,mine"]
MINE = "defaults: [mlp]\nwidth: {}\n"


def composed(words):
    return compose_config(words, return_hydra_config=True)


def planned():
    return build_plan(composed(WORDS), WORDS, sweep_id="s", created="", command=())


def write_run(folder, plan, number):
    point = plan.points[number]
    place = run_folder(folder, point.run_id)
    place.mkdir(parents=True)
    config = composed(job_overrides(plan, WORDS, folder)[number])
    with hydra_resolvable(config):
        (place / "config.yaml").write_text(OmegaConf.to_yaml(shown_values(own_config(config))))
    sink = ArrowSink(place, sweep_id="s", run_id=point.run_id)
    sink.open(0)
    sink.write([Event("run_start", point.run_id, {"attempt": 0})])
    sink.close(RunStatus.FINISHED)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "conf" / "model" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(MINE.format(8))
    return path


@pytest.fixture
def folder(tmp_path, mine):
    folder = tmp_path / "s"
    folder.mkdir()
    write_plan(folder, planned())
    return folder


def test_a_swept_option_that_was_edited_is_named(folder, mine):
    plan = planned()
    for number in range(2):
        write_run(folder, plan, number)
    assert config_differences(folder, plan, planned(), WORDS, composed) == ()
    mine.write_text(MINE.format(16))
    assert planned().config_sha256 == plan.config_sha256
    found = config_differences(folder, plan, planned(), WORDS, composed)
    assert found == ("model.width was 8, and is 16",)


def test_an_option_that_no_run_has_had_yet_may_change(folder, mine):
    plan = planned()
    write_run(folder, plan, 0)
    mine.write_text(MINE.format(16))
    assert config_differences(folder, plan, planned(), WORDS, composed) == ()


def test_a_sweep_of_which_no_run_began_is_compared_by_its_digest(folder):
    words = [*WORDS, "trainer.max_epochs=9"]
    draft = build_plan(composed(words), words, sweep_id="s", created="", command=())
    found = config_differences(folder, planned(), draft, words, composed)
    assert found == ("its configuration has other values",)
