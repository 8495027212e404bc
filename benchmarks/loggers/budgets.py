"""The budgets of capture and log, each set beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.loggers.peers import OURS
from benchmarks.loggers.rounds import Found

__all__ = ["Budget", "budgets"]

_CSV = "CSVLogger"
_RETURNED = f"{OURS}, returned"


@dataclass(frozen=True, slots=True)
class Budget:
    """A figure, the most it may be, and what it is to reach for; in units of a reference.

    Attributes:
        measure: what was measured.
        value: None where it was not.
        limit: the budget.
        aim: None where there is none.
        at_least: a figure that must not be smaller, instead of larger.
    """

    measure: str
    value: float | None
    limit: float
    aim: float | None = None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Say whether it was held: `held`, `reached`, `not held`, or `not measured`."""
        if self.value is None:
            return "not measured"
        if self.at_least:
            return "held" if self.value >= self.limit else "not held"
        if self.aim is not None and self.value <= self.aim:
            return "reached"
        return "held" if self.value <= self.limit else "not held"


def budgets(
    found: Mapping[str, Found], many: Mapping[str, float], verbs: Mapping[str, float]
) -> Iterator[Budget]:
    """Yield every budget, in the order of the table in docs/benchmarks.md."""
    csv, ours = found.get(_CSV, Found()), found.get(OURS, Found())
    returned = found.get(_RETURNED, Found())
    added = "added calls"
    yield Budget(
        "CPU of the calls into us, per step, against CSVLogger",
        _over(ours.median(added), csv.median(added)), 0.10, 0.03,
    )  # fmt: skip
    yield Budget(
        "the same in all threads", _over(all_threads(ours), all_threads(csv)), 0.15
    )  # fmt: skip
    yield Budget("wall time of training against no logger", ours.median("ratio"), 1.03, 1.01)
    yield Budget(
        "CPU of a whole step with capture and no `self.log`, against `self.log` and CSVLogger",
        _over(returned.median("step"), csv.median("step")), 0.35, 0.22,
    )  # fmt: skip
    yield Budget(
        "bytes per value, sealed, against CSVLogger",
        _over(ours.median("bytes"), csv.median("bytes")), 0.35, 0.25,
    )  # fmt: skip
    yield Budget(
        "steps readable after `kill -9`, in a log with a valid graph",
        _share(ours.kept),
        1.0,
        at_least=True,
    )
    yield Budget(
        "one run into pandas, against CSV",
        _over(ours.median("load_us"), csv.median("load_us")), 0.4, 0.2,
    )  # fmt: skip
    yield Budget(
        "many runs into pandas, against CSV", _over(many.get("ours_us"), many.get("csv_us")), 0.35
    )
    yield Budget(
        "last value of each metric of many runs, against all of the CSV files loaded",
        _over(many.get("ours_last_s"), many.get("csv_s")), 0.1,
    )  # fmt: skip
    wandb, yprov = found.get("W&B offline", Found()), found.get("yProv4ML", Found())
    yield Budget(
        "start-up added to a run (full capture), against W&B offline",
        _over(ours.median("added start_s"), wandb.median("added start_s")), 0.15,
    )  # fmt: skip
    yield Budget(
        "close and seal, against yProv4ML",
        _over(ours.median("added close_s"), yprov.median("added close_s")), 0.3,
    )  # fmt: skip
    lightning = verbs.get("import lightning")
    for verb in verbs:
        if verb != "import lightning":
            yield Budget(
                f"CPU of `provrunner {verb}` against `import lightning`",
                _over(verbs[verb], lightning), 0.15,
            )  # fmt: skip


def all_threads(found: Found) -> float | None:
    """Return what a step costs on the training thread, on others and in child processes."""
    calls, elsewhere = found.median("added calls"), found.median("elsewhere")
    return None if calls is None or elsewhere is None else calls + elsewhere


def _over(value: float | None, reference: float | None) -> float | None:
    return None if value is None or not reference else value / reference


def _share(kept: tuple[int, int] | None) -> float | None:
    return None if kept is None or not kept[0] else kept[1] / kept[0]
