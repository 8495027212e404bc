"""Runs that are stopped early: what the rules decide, and what is told of it."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import lightning
import pytest
import torch
from support.past import write_run
from torch.utils.data import DataLoader, TensorDataset

from provrunner.capture import ProvenanceCallback, RunContext
from provrunner.compose import build_plan, compose_config
from provrunner.errors import ConfigError
from provrunner.log import ArrowSink, read_log, run_folder
from provrunner.log.curves import Curve, Curves
from provrunner.plan import Objective, Plan, Point
from provrunner.run.pruning import as_recorded, judge
from provrunner.run.stopping import RuleStop
from provrunner.schema import Event, RunStatus, StepMetrics

ASHA = {"rule": "asha", "first": 1, "factor": 3}
MEDIAN = {"rule": "median", "after": 1, "at_least": 3}
PATIENCE = {"rule": "patience", "epochs": 2, "delta": 0.1}


def stops(rule, own, others, *, before=None):
    """Judge a run by its values so far and the others' values, best so far counting."""

    def reached(values, epochs):
        return min(values[:epochs]) if 0 < epochs <= len(values) else None

    epochs = len(own)
    return judge(
        rule,
        epochs - 1 if before is None else before,
        epochs,
        lambda n: reached(own, n),
        lambda n: [v for v in (reached(values, n) for values in others) if v is not None],
    )


@pytest.mark.parametrize(
    ("own", "others", "stopped"),
    [
        ([1.0], [], False),  # the first to come to a rung goes on
        ([1.0], [[2.0], [3.0]], False),  # the best of three
        ([2.0], [[1.0], [3.0]], True),  # the second of three, of which one goes on
        ([2.0], [[1.0], [3.0], [4.0], [5.0], [6.0]], False),  # the second of six, two go on
        ([9.0, 1.0], [[2.0, 2.0]] * 5, False),  # no rung after two epochs
        ([9.0, 1.0, 1.0], [[2.0, 2.0, 2.0]] * 5, False),  # the best so far counts
        ([9.0, 9.0, 9.0], [[2.0, 2.0, 2.0]] * 5, True),
        ([9.0, 9.0, 9.0], [[2.0, 2.0]] * 5, False),  # nobody else has come so far
    ],
)
def test_asha_lets_the_best_third_of_a_rung_go_on(own, others, stopped):
    assert (stops(ASHA, own, others) is not None) is stopped


def test_asha_judges_a_run_once_at_each_rung():
    others = [[1.0] * 4] * 5
    assert stops(ASHA, [9.0] * 4, others, before=3) is None
    assert stops(ASHA, [9.0] * 4, others, before=2).numbers["epochs"] == 3


def test_the_median_rule_waits_for_epochs_and_for_others():
    three = [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    assert stops(MEDIAN, [9.0], three) is None
    assert stops(MEDIAN, [9.0, 9.0], three[:2]) is None
    assert stops(MEDIAN, [9.0, 2.0], three) is None
    decision = stops(MEDIAN, [9.0, 2.5], three)
    assert decision.numbers == {"epochs": 2, "rivals": 3, "value": 2.5, "median": 2.0}


def test_patience_asks_for_more_than_delta_within_its_epochs():
    assert stops(PATIENCE, [3.0, 2.0], []) is None
    assert stops(PATIENCE, [3.0, 2.95, 2.8], []) is None
    assert stops(PATIENCE, [3.0, 2.95, 2.92], []).cause == "patience"


def points(count):
    return [Point(n, f"{n:04d}-0000000{n}", f"t{n}", 0, 0, {"lr": n}) for n in range(count)]


def plan_with(rule, count=4, direction="minimize"):
    return Plan(
        *("s", "s", "2026-01-01T00:00:00Z", Objective("val/loss", direction), "list", ()),
        tuple(points(count)),
        pruning=rule,
    )


def test_curves_follow_runs_that_have_ended_and_one_that_is_written(tmp_path):
    first, second, own = points(3)
    write_run(tmp_path, first, {"val/loss": [3.0, math.nan, 1.0], "val/acc": [0.1, 0.2, 0.3]})
    run = run_folder(tmp_path, second.run_id)
    run.mkdir(parents=True)
    sink = ArrowSink(run, sweep_id="s", run_id=second.run_id)
    sink.open(0)
    curves = Curves(tmp_path, Objective("val/loss", "minimize", "last"), own.run_id)
    seen = []
    for epoch, value in enumerate([5.0, 4.0, 6.0]):
        sink.write([Event("epoch_start", "train", {}, epoch=epoch)])
        sink.write([StepMetrics({"val/loss": value}, step=epoch, epoch=epoch, stage="validate")])
        seen.append([sorted(curves.reached(n)) for n in (1, 2, 3)])
    sink.close(RunStatus.FINISHED)
    assert seen == [
        [[3.0, 5.0], [math.inf], [1.0]],
        [[3.0, 5.0], [4.0, math.inf], [1.0]],
        [[3.0, 5.0], [4.0, math.inf], [1.0, 6.0]],
    ]
    assert [sorted(curves.reached(n)) for n in (1, 2, 3)] == seen[-1]
    best = Curve(run, Objective("val/loss", "maximize", "best"))
    best.update()
    assert [best.reached(n) for n in (1, 2, 3, 4)] == [-5.0, -5.0, -6.0, None]


class Told(lightning.LightningModule):
    """Logs the values it was given in validation, and trains with a loss of choice."""

    def __init__(self, values, loss=lambda batch: 1.0):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.values, self.loss, self.seen = values, loss, 0

    def training_step(self, batch, index):
        self.seen += 1
        return self.layer(batch[0]).sum() * 0 + self.loss(self.seen)

    def validation_step(self, batch, index):
        self.log("val/loss", self.values[self.current_epoch])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def train(folder, plan, module, divergence=None):
    """Train the plan's last run; return its RuleStop and the adaptations it logged."""
    point = plan.points[-1]
    run = run_folder(folder, point.run_id)
    run.mkdir(parents=True)
    stop = RuleStop(folder, plan, point, divergence)
    sink = ArrowSink(run, sweep_id="s", run_id=point.run_id)
    callback = ProvenanceCallback(sink, context=RunContext(folder=run, owns_end=True))
    data = DataLoader(TensorDataset(torch.ones(32, 1)), batch_size=1)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=len(module.values),
        callbacks=[callback, stop],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, data, data)
    callback.close(*(stop.outcome or (RunStatus.FINISHED, None)))
    events = read_log(run, "events").table.to_pylist()
    told = [
        (event["subject"], event["epoch"], json.loads(event["data"]))
        for event in events
        if event["kind"] == "adaptation"
    ]
    return stop, told, trainer


@pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers")
@pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*")
@pytest.mark.filterwarnings("ignore:The number of training batches")
class TestRuleStop:
    def test_a_run_that_falls_behind_is_pruned_and_the_log_says_by_what(self, tmp_path):
        plan = plan_with(ASHA, direction="maximize")
        for point, best in zip(plan.points, [0.7, 0.8, 0.9], strict=False):
            write_run(tmp_path, point, {"val/loss": [0.5, 0.6, best]})
        stop, told, trainer = train(tmp_path, plan, Told([0.6, 0.6, 0.65, 0.9, 0.9]))
        assert trainer.current_epoch == 3
        assert stop.outcome[0] is RunStatus.PRUNED
        ((name, epoch, data),) = told
        assert (name, epoch) == ("trainer.should_stop", 2)
        assert (data["cause"], data["agent"]) == ("asha", "provrunner.run.stopping.RuleStop")
        expected = {"epochs": 3, "rivals": 3, "better": 3, "kept": 1, "value": 0.65}
        assert data["numbers"] == pytest.approx(expected)

    def test_a_further_rank_stops_for_the_cause_that_the_first_one_had(self, tmp_path):
        plan = plan_with(ASHA)
        stop = RuleStop(tmp_path, plan, plan.points[-1], {"stop": True})
        trainer = SimpleNamespace(
            is_global_zero=False,
            max_epochs=9,
            max_steps=-1,
            current_epoch=0,
            callback_metrics={},
            strategy=SimpleNamespace(reduce_boolean_decision=lambda _own, **_: next(ranks)),
        )
        ranks = iter([False, True])  # nobody diverged; the first rank was judged
        stop.on_train_epoch_end(trainer, None)
        assert stop.outcome == (RunStatus.PRUNED, "asha: as the first rank decided")

    def test_a_run_that_has_trained_all_its_epochs_has_finished(self, tmp_path):
        plan = plan_with(ASHA)
        for point in plan.points[:3]:
            write_run(tmp_path, point, {"val/loss": [5.0, 5.0, 1.0]})
        stop, told, trainer = train(tmp_path, plan, Told([2.0, 2.0, 2.0]))
        assert (trainer.current_epoch, stop.outcome, told) == (3, None, [])

    @pytest.mark.parametrize(
        ("loss", "reason", "batches"),
        [
            (lambda seen: math.nan if seen > 40 else 1.0, "no finite number in the last 12", 52),
            (lambda seen: 1e5 if seen > 40 else 1.0, "the training loss exploded: 6e+04", 52),
            (lambda seen: math.nan if seen == 32 else 1.0, "in the last 1 batches", 32),
        ],
    )
    def test_a_run_diverges_by_its_losses(self, tmp_path, loss, reason, batches):
        module = Told([1.0] * 4, loss)
        stop, told, _ = train(tmp_path, plan_with(None, 1), module, {"stop": True, "factor": 1000})
        status, said = stop.outcome
        assert status is RunStatus.DIVERGED
        assert reason in said
        assert module.seen == batches
        assert [data["cause"] for _, _, data in told] == ["divergence"]

    def test_a_run_diverges_by_its_objective(self, tmp_path):
        module = Told([1.0, math.inf, 1.0])
        stop, _, trainer = train(tmp_path, plan_with(None, 1), module, {"stop": True})
        assert stop.outcome == (RunStatus.DIVERGED, "val/loss is inf")
        assert trainer.current_epoch == 2

    def test_a_few_batches_without_a_finite_loss_stop_nothing(self, tmp_path):
        module = Told([1.0] * 2, lambda seen: math.inf if 5 < seen < 15 else 1.0)
        stop, told, _ = train(tmp_path, plan_with(None, 1), module, {"stop": True, "factor": None})
        assert (stop.outcome, told, module.seen) == (None, [], 64)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep.prune=medain"], "'medain' is none of median, asha, patience; did you mean"),
        (["+sweep.prune={rule: asha, factr: 2}"], "rule asha has first, factor; did you mean"),
        (["+sweep.prune={rule: asha, factor: 1}"], "expected a whole number from 2 up, got 1"),
        (["sweep.divergence.factor=1"], "expected a number above 1"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(words, message):
    words = ["optimizer.lr=0.1,0.2", *words]
    config = compose_config(words, return_hydra_config=True)
    with pytest.raises(ConfigError, match=message):
        build_plan(config, words, sweep_id="s", created="2026-01-01T00:00:00Z", command=[])


def test_a_rule_is_in_the_plan_with_all_its_settings():
    words = ["optimizer.lr=0.1,0.2", "sweep.prune=asha"]
    config = compose_config(words, return_hydra_config=True)
    plan = build_plan(config, words, sweep_id="s", created="2026-01-01T00:00:00Z", command=[])
    assert plan.pruning == {"rule": "asha", "first": 1, "factor": 3}
    assert Plan.from_json(plan.to_json()) == plan


def test_a_repetition_is_stopped_after_as_many_epochs_as_what_it_repeats():
    rule = as_recorded("asha", 2)
    assert stops(rule, [9.0], []) is None
    assert stops(rule, [9.0, 8.0], []).cause == "recorded"
