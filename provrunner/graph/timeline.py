"""When a run's stages and epochs ran, and which of them the graph tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from provrunner.graph.context import Context, Span
from provrunner.graph.records import RunRecord

__all__ = ["Activity", "State", "Timeline", "read_timeline"]

_FINE = frozenset({"epoch", "checkpointed"})


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity of the graph and when it ran."""

    id: str
    span: Span


@dataclass(frozen=True, slots=True)
class State:
    """The model as an epoch left it: an entity of the graph, and when it came to be."""

    id: str
    time: int | None
    epoch: int


@dataclass
class Timeline:
    """One run's activities in time.

    Attributes:
        run: the run's own activity.
        stages: span of each stage that ran, by name: fit, test.
        epochs: span of each epoch, by stage (train, validate) and number.
        shown: epochs that the graph tells, ascending.
        activities: those stated so far, by stage and epoch; epoch None for a whole stage.
        states: the model after each shown epoch that got so far.
        checkpoints: id and span of existence of each checkpoint, in order of creation.
        uses: id of the usage of a model, by activity and entity.
        continued: ids of the epochs that used the state of the one before.
        loaded: the entity that the test stage loaded, if it did.
    """

    run: Activity
    stages: dict[str, Span]
    epochs: dict[tuple[str, int], Span]
    shown: list[int]
    activities: dict[tuple[str, int | None], Activity] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    checkpoints: list[tuple[str, Span]] = field(default_factory=list)
    uses: dict[tuple[str, str], str] = field(default_factory=dict)
    continued: set[str] = field(default_factory=set)
    loaded: str | None = None

    def where(self, stage: str, epoch: int | None = None) -> Activity:
        """Return the finest stated activity in which a stage's epoch ran."""
        outer = "test" if stage == "test" else "fit"
        return self.activities.get((stage, epoch)) or self.activities.get((outer, None)) or self.run

    def around(self, time: int | None, epoch: int | None) -> Activity:
        """Return the finest stated activity of training that was under way at a time."""
        for activity in (self.activities.get(("train", epoch)), self.activities.get(("fit", None))):
            if activity and time is not None and activity.span.clamp(time) == time:
                return activity
        return self.run


def read_timeline(context: Context, record: RunRecord) -> Timeline:
    """Read from a run's events when its stages and epochs ran."""
    span = context.run_span(record)
    stages = {
        stage: span.inner(start, end)
        for (stage, _), (start, end) in _spans(record, "stage").items()
        if stage in {"fit", "test"}
    }
    epochs = _epochs(record, span, stages.get("fit", span))
    trained = [epoch for stage, epoch in epochs if stage == "train"]
    run = Activity(context.run(record), span)
    return Timeline(run, stages, epochs, _shown(context, record, trained))


def is_fine(context: Context) -> bool:
    """Tell whether the graph tells epochs as activities."""
    return context.granularity in _FINE


def _epochs(record: RunRecord, run: Span, fit: Span) -> dict[tuple[str, int], Span]:
    """Return the spans of epochs; one begins after the last has ended."""
    told = _spans(record, "epoch")
    trained = {epoch for stage, epoch in told if stage == "train" and epoch is not None}
    trained |= {epoch for epoch in record.spans if _is_trained(record, epoch)}
    spans: dict[tuple[str, int], Span] = {}
    floor = fit.start
    for epoch in sorted(trained):
        start, end = told.get(("train", epoch)) or record.spans[epoch]
        train = spans["train", epoch] = Span(floor, fit.end).inner(start, end)
        if ("validate", epoch) in told:
            after = Span(floor if train.start is None else train.start, run.end)
            spans["validate", epoch] = after.inner(*told["validate", epoch])
        floor = max(
            (time for time in (floor, train.start, train.end) if time is not None), default=None
        )
    return spans


def _spans(
    record: RunRecord, what: str
) -> dict[tuple[str, int | None], tuple[int | None, int | None]]:
    """Return start and end of each stage, or of each epoch as it ran the last time."""
    spans: dict[tuple[str, int | None], tuple[int | None, int | None]] = {}
    for event in record.events.get(f"{what}_start", ()):
        key = (event.subject or "", event.epoch if what == "epoch" else None)
        start = spans[key][0] if key in spans and what == "stage" else event.time
        spans[key] = (start, None)
    for event in record.events.get(f"{what}_end", ()):
        key = (event.subject or "", event.epoch if what == "epoch" else None)
        if key in spans:
            spans[key] = (spans[key][0], event.time)
    return spans


def _is_trained(record: RunRecord, epoch: int) -> bool:
    """Tell an epoch of training from one that only holds what a test logged after it."""
    return any(record.stages.get(name) != "test" for name in record.epochs.get(epoch, ()))


def _shown(context: Context, record: RunRecord, trained: list[int]) -> list[int]:
    if context.granularity == "epoch":
        return trained
    chosen = {record.row["objective_epoch"], *trained[-1:]}
    if context.granularity == "checkpointed":
        chosen |= {row["epoch"] for row in record.artifacts}
    return [epoch for epoch in trained if epoch in chosen]
