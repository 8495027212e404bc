"""What may happen to a training: each a program for `support.scripts.start`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from support.scripts import Witness, line, loader, trainer


def train(folder: Path, *callbacks: object, **options: object) -> None:
    """Train until something stops it."""
    from provrunner import ProvenanceCallback

    ours = ProvenanceCallback(folder / "logs")
    trainer(ours, Witness(folder), *callbacks, **options).fit(line(), loader())


def ignore_hangup(folder: Path) -> None:
    """Train as under `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    train(folder, max_steps=400)


def handle(folder: Path, number: int, way: str) -> None:
    """Train with a signal handler of the program's own, which exits or ends training softly."""
    from lightning.pytorch.callbacks import Callback

    class Stop(Callback):
        now = False

        def on_train_batch_end(self, trainer, *rest):
            trainer.should_stop = self.now

    stop = Stop()

    def handler(number: int, frame: object) -> None:
        (folder / "handled").touch()
        if way == "exit":
            sys.exit(7)
        stop.now = True

    signal.signal(number, handler)
    train(folder, stop)
    assert signal.getsignal(number) is handler or way == "softly"


def wait_after_fit(folder: Path) -> None:
    """Fit, then do other things."""
    train(folder, max_epochs=1)
    (folder / "ready").touch()
    time.sleep(60)


def test_only(folder: Path) -> None:
    """Test, which Lightning stops for no SIGTERM."""
    from provrunner import ProvenanceCallback

    (folder / "witness").touch()
    trainer(ProvenanceCallback(folder / "logs")).test(line(), loader(200), verbose=False)


def leave_at_once(folder: Path) -> None:
    """Train a little and leave with no clean-up at all."""
    train(folder, max_epochs=2)
    os._exit(0)


def exit_in_a_thread(folder: Path) -> None:
    """Leave a thread by `sys.exit`, which ends that thread alone."""
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    train(folder, max_epochs=2)
    thread.join()


def drop_the_trainer(folder: Path) -> None:
    """Train in a function, and go on with nothing of it left."""
    import gc

    train(folder, max_epochs=1)
    gc.collect()


def two_at_once(folder: Path) -> None:
    """Keep two logs open, and wait."""
    from provrunner import ProvenanceCallback

    held = []
    for _ in range(2):
        held.append(trainer(ProvenanceCallback(folder / "logs"), max_epochs=1))
        held[-1].fit(line(), loader())
    (folder / "ready").touch()
    time.sleep(60)
