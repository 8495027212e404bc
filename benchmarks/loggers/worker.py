"""The process of one logger: it trains whenever it is told to, and says what that took."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from benchmarks.loggers.meters import Meter
from benchmarks.loggers.peers import LOGGERS, metric_bytes
from benchmarks.loggers.training import METRICS, Network, loader, make_trainer, quiet


class _Witness(Callback):
    """Says each step that is done, once the loggers have it."""

    def __init__(self, say: Any) -> None:
        self._say = say

    def on_train_batch_start(self, trainer: Any, *_rest: Any) -> None:
        if trainer.global_step:
            self._say(trainer.global_step)


def main() -> None:
    """Serve the commands on standard input; answers go to the file descriptor given."""
    name, folder, descriptor = sys.argv[1], Path(sys.argv[2]).absolute(), int(sys.argv[3])
    quiet()
    # some loggers look for a repository where they are started
    os.chdir(folder)

    def answer(value: object) -> None:
        os.write(descriptor, json.dumps(value).encode() + b"\n")

    _warm_up(folder)
    answer("ready")
    for line in sys.stdin:
        command = json.loads(line)
        place = folder / str(command["fit"])
        place.mkdir(parents=True)
        if command.get("told"):
            _fit_told(name, place, command["steps"], answer)
        else:
            answer(_fit(name, place, **command["how"]))


def _warm_up(folder: Path) -> None:
    trainer = make_trainer(folder, [], {"logger": False})
    trainer.fit(Network(), loader(3))


def _fit(name: str, folder: Path, *, steps: int, turn: int, hand_over: str) -> dict[str, Any]:
    torch.manual_seed(0)
    model, batches = Network(hand_over), loader(steps)
    kind = LOGGERS[name]
    before = metric_bytes(kind, folder.parent)
    began = time.perf_counter()
    made = kind.make(folder)
    meter = Meter(
        list(made.trainer.get("callbacks", ())), warm_up=min(20, steps // 2), turn=turn, rest=_rest
    )
    trainer = make_trainer(folder, [meter], made.trainer)
    meter.stand_inside(trainer)
    trainer.fit(model, batches)
    made.finish()
    ended = time.perf_counter()
    return {
        **meter.per_step(),
        "fit_s": meter.ended - meter.started - meter.paused,
        "start_s": meter.started - began,
        "close_s": ended - meter.ended,
        "values": steps * METRICS,
        "bytes": (metric_bytes(kind, folder.parent) - before) / (steps * METRICS),
    }


def _rest() -> None:
    """Stand still, with every thread, until the other training has had its turn."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _fit_told(name: str, folder: Path, steps: int, answer: Any) -> None:
    made = LOGGERS[name].make(folder)
    trainer = make_trainer(folder, [_Witness(answer)], made.trainer)
    trainer.fit(Network("log"), loader(steps))


if __name__ == "__main__":
    main()
