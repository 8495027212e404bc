"""Cuts and flips the files of a log at random places, and reads what is left."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa

from provrunner.errors import ProvrunnerError
from provrunner.log import ArrowSink, read_log, run_status
from provrunner.schema import Event, LogState, RunStatus, StepMetrics

__all__ = ["Damaged", "cut", "damage_at_random", "flip", "make_logs"]

RUN = "0003-9f2c41d8"
_TABLES = ("metrics", "events")


@dataclass(frozen=True, slots=True)
class Damaged:
    """What came of damaging one file after another.

    Attributes:
        outcomes: how often each kind of file was read as what.
        wrong: what must not be: a wrong value returned, or a damaged file taken for whole.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def make_logs(folder: Path) -> list[Path]:
    """Write a run left by a process that died, one resumed after its death, and a sealed one."""
    runs = [folder / name / "runs" / RUN for name in ("live", "resumed", "sealed")]
    for run in runs:
        _in_a_process(_write, run)
    _in_a_process(_write, runs[1])
    _in_a_process(_seal, runs[2])
    return runs


def cut(data: bytes, rng: random.Random) -> bytes:
    """Leave the first bytes, at least none and never all."""
    return data[: rng.randrange(len(data))]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Flip one bit."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def damage_at_random(
    runs: list[Path], change: Callable[[bytes, random.Random], bytes], count: int, seed: int
) -> Damaged:
    """Change one file a time, each file as often as any other, and put it back.

    Args:
        runs: as `make_logs` gives them.
        change: `cut` or `flip`.
        count: how many changes.
        seed: the same one gives the same changes.
    """
    rng = random.Random(seed)
    files = [(run, path) for run in runs for path in sorted((run / "log").iterdir())]
    truth = {run: {table: read_log(run, table).table for table in _TABLES} for run in runs}
    found = Damaged()
    for number in range(count):
        run, path = files[number % len(files)]
        whole = path.read_bytes()
        data = change(whole, rng)
        path.write_bytes(data)
        try:
            for problem in _problems(run, path, truth[run], found.outcomes):
                place = next(
                    (i for i, (a, b) in enumerate(zip(whole, data, strict=False)) if a != b),
                    len(data),
                )
                found.wrong.append(f"{run.parts[-3]}/{path.name} at byte {place}: {problem}")
        finally:
            path.write_bytes(whole)
    return found


def _problems(
    run: Path, path: Path, truth: dict[str, pa.Table], outcomes: Counter[tuple[str, str]]
) -> Iterator[str]:
    for table in _TABLES:
        try:
            log = read_log(run, table)
        except ProvrunnerError:
            outcomes[path.name, "refused"] += 1
            continue
        concerned = path.name.startswith(table) or path.suffix == ".json"
        if concerned:
            outcomes[path.name, log.state.value] += 1
        if not _same(log.table, truth[table].slice(0, len(log.table))):
            yield f"{table}: a row that nobody wrote"
        if concerned and log.state is LogState.COMPLETE:
            yield f"{table} reads as complete"
        if log.state in (LogState.CORRUPT, LogState.TORN) and log.detail is None:
            yield f"{table}: {log.state} and not said where"
    try:
        status, state = run_status(run)
    except ProvrunnerError:
        return
    if path.name == "seal.json" and (status, state) == (RunStatus.FINISHED, LogState.COMPLETE):
        yield "a damaged seal is believed"


def _same(rows: pa.Table, truth: pa.Table) -> bool:
    if "value" in rows.column_names:
        # bit by bit: NaN is to equal itself
        position = rows.column_names.index("value")
        rows, truth = (
            of.set_column(
                position,
                "value",
                pa.chunked_array(
                    [c.view(pa.int64()) for c in of.column(position).chunks], pa.int64()
                ),
            )
            for of in (rows.combine_chunks(), truth.combine_chunks())
        )
    return rows.equals(truth)


def _in_a_process(target: Callable[[Path], None], run: Path) -> None:
    process = get_context("fork").Process(target=target, args=(run,))
    process.start()
    process.join()


def _open(run: Path) -> ArrowSink:
    sink = ArrowSink(run, sweep_id="torture", run_id=RUN)
    sink.open(0)
    return sink


def _fill(sink: ArrowSink) -> None:
    numbers = random.Random(1)
    for step in range(2500):
        values = {"loss": numbers.gauss(0, 1), "grad": numbers.gauss(0, 1)}
        sink.write([StepMetrics(values, step, step // 100, "train", time_ns=step * 1000)])
        if step % 100 == 0:
            sink.write(
                [Event("epoch_end", "train", {"duration_s": numbers.random()}, step, step // 100)]
            )
        if step in (1000, 2000):
            sink.flush()


def _write(run: Path) -> None:
    _fill(_open(run))
    os._exit(0)


def _seal(run: Path) -> None:
    shutil.rmtree(run)
    sink = _open(run)
    _fill(sink)
    sink.close(RunStatus.FINISHED)
    os._exit(0)
