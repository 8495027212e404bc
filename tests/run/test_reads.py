from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import pytest
from lightning import LightningModule
from omegaconf import OmegaConf

from provrunner.compose import config_references, package_conf
from provrunner.run.reads import _BUILT, _OF_THE_RUN, ConfigReads, reads_argument
from provrunner.zoo import MLP, SupervisedTask

BY_THE_SWEEP = {
    *("defaults", "folder", "hydra", "on_error", "output", "provenance", "run"),
    *("sweep", "yes"),
}


class Ignores:
    def __init__(self, width, depth=1, **others):
        """`depth` and `others` are taken and never looked at."""
        self.width = width


class HandsOn(Ignores):
    def __init__(self, *args, **others):
        super().__init__(*args, **others)


class Saves(LightningModule):
    def __init__(self, width, depth=1):
        super().__init__()
        self.save_hyperparameters()


class SavesThroughItsBase(Saves):
    def __init__(self, width, depth=1):
        super().__init__(1)


@dataclass
class Fields:
    width: int
    depth: int = 1


def nested(width, depth):
    return lambda: width


def reads_of(config, **given):
    """Build what a configuration names, and count what this reads of all its leaves."""
    cfg = OmegaConf.create(config)
    reads = ConfigReads(config_references(cfg))
    for name in cfg:
        if name in _BUILT:
            reads.make(name, cfg[name], **given)
    names = [name for name, _ in _leaves(OmegaConf.to_container(cfg, resolve=True))]
    return reads.count(names)


def _leaves(node, prefix=""):
    for key, value in node.items():
        name = f"{prefix}{key}"
        yield from (
            _leaves(value, f"{name}.") if isinstance(value, dict) and value else [(name, value)]
        )


@pytest.mark.parametrize(
    ("target", "read"),
    [
        (Ignores, {"width"}),
        (HandsOn, {"width", "depth", "colour"}),
        (Saves, {"width", "depth", "colour"}),
        (SavesThroughItsBase, {"width", "depth", "colour"}),
        (Fields, {"width", "depth", "colour"}),
        (nested, {"width", "colour"}),
        (functools.partial(nested, 1), {"width", "depth", "colour"}),
        (dict, {"width", "depth", "colour"}),
    ],
)
def test_an_argument_is_read_where_its_taker_may_look_at_it(target, read):
    found = {name for name in ("width", "depth", "colour") if reads_argument(target, name)}
    # what a target does not take at all, Hydra refuses: nothing is said of it
    assert found == read


def test_our_own_models_read_all_their_arguments():
    for target in (MLP, SupervisedTask):
        arguments = target.__init__.__code__.co_varnames[1 : target.__init__.__code__.co_argcount]
        assert [name for name in arguments if not reads_argument(target, name)] == []


def test_a_key_that_the_model_ignores_is_read_never():
    model = {"_target_": f"{__name__}.Ignores", "width": 8, "depth": 2, "dropout": 0.5}
    assert reads_of({"model": model}) == {
        "model._target_": 1,
        "model.width": 1,
        "model.depth": 0,
        "model.dropout": 0,
    }


def test_a_node_that_nothing_is_made_of_is_read_never():
    model = {"_target_": f"{__name__}.Fields", "width": 8}
    cfg = OmegaConf.create({"model": model, "optimizer": {"lr": 0.1}})
    reads = ConfigReads()
    reads.make("model", cfg.model)
    assert reads.count(["optimizer.lr", "model.width"]) == {"optimizer.lr": 0, "model.width": 1}


def test_a_reference_is_read_as_often_as_the_leaf_that_uses_it():
    target = f"{__name__}.Ignores"
    found = reads_of(
        {
            "wide": 8,
            "deep": 2,
            "model": {"_target_": target, "width": "${wide}", "depth": "${deep}", "x": "${.depth}"},
        }
    )
    assert {name: found[name] for name in ("wide", "deep", "model.depth")} == {
        "wide": 1,
        "deep": 0,
        "model.depth": 0,
    }


def test_what_is_nested_counts_by_its_own_target():
    inner = {"_target_": f"{__name__}.Ignores", "width": 1, "depth": 2}
    outer = {"_target_": f"{__name__}.Fields", "width": inner, "depth": {"a": 1, "b": [1, 2]}}
    found = reads_of({"model": outer})
    assert found["model.width.width"] == 1
    assert found["model.width.depth"] == 0
    assert (found["model.depth.a"], found["model.depth.b"]) == (1, 1)


def test_what_the_sweep_reads_is_not_known_to_the_run():
    found = ConfigReads().count(["sweep.name", "seed", "capture.level", "optimizer.lr"])
    assert found == {"sweep.name": None, "seed": 1, "capture.level": 1, "optimizer.lr": 0}


def test_every_node_of_the_configuration_is_read_by_someone():
    nodes = set(OmegaConf.load(package_conf() / "config.yaml"))
    groups = {path.name for path in Path(package_conf()).iterdir() if path.is_dir()}
    assert (nodes | groups) - BY_THE_SWEEP == _BUILT | _OF_THE_RUN
