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


def train_for(folder: Path, sample: str, steps: int = 300) -> None:
    """Train a given number of steps with a fault in their midst; keep the weights.

    Args:
        folder: where the program works; the log goes to `folder/disk`.
        sample: `plain` without the callback, `whole` with it, or the name of a fault.
        steps: how many.
    """
    import torch
    from lightning.pytorch.callbacks import Callback

    from provrunner import ProvenanceCallback

    disk = folder / "disk"
    fault = _FAULTS.get(sample)

    class Fault(Callback):
        def on_train_batch_end(self, trainer, *rest):
            if fault is not None:
                fault(disk, trainer.global_step)

    ours = [] if sample == "plain" else [ProvenanceCallback(disk / "logs")]
    model = line()
    trainer(*ours, Fault(), max_steps=steps).fit(model, loader())
    torch.save(model.state_dict(), folder / "weights.pt")


def _fill(disk: Path) -> None:
    try:
        with (disk / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    except OSError:
        pass


def _full_for_a_while(disk: Path, step: int) -> None:
    if step == 50:
        _fill(disk)
    if step == 200:
        (disk / "ballast").unlink()


def _full_to_the_end(disk: Path, step: int) -> None:
    if step == 50:
        _fill(disk)


def _deleted(disk: Path, step: int) -> None:
    import shutil

    if step == 50:
        shutil.rmtree(disk / "logs")


def _failing(disk: Path, step: int) -> None:
    """Let every event and metric fail in our own code from here on."""
    from provrunner.log.journal import Journal
    from provrunner.log.writer import ArrowSink

    def fail(self, *records):
        raise RuntimeError("a mistake of ours")

    if step == 50:
        ArrowSink.write = Journal.append_numbers = fail


_FAULTS = {
    "full for a while": _full_for_a_while,
    "full to the end": _full_to_the_end,
    "deleted": _deleted,
    "failing": _failing,
}


def load_with_workers(folder: Path, fault: str) -> None:
    """Train with two workers, one of which dies or hangs."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    from provrunner import ProvenanceCallback

    class Faulty(Dataset):
        def __len__(self):
            return 64

        def __getitem__(self, index):
            if index == 40 and fault == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if index == 40 and fault == "hangs":
                time.sleep(600)
            return torch.zeros(3), torch.zeros(1)

    timeout = 2 if fault == "hangs" else 0
    # A batch ahead at most: else the worker might die with one whose tensors are yet to be handed
    # over, and torch say no more than that a connection was reset.
    options = {"num_workers": 2, "prefetch_factor": 1, "multiprocessing_context": "fork"}
    data = DataLoader(Faulty(), 4, timeout=timeout, **options)
    trainer(ProvenanceCallback(folder / "logs"), max_epochs=2).fit(line(), data)


def requeue(folder: Path) -> None:
    """Train under Slurm, which sends SIGUSR1 before a job's time is over."""
    from lightning.pytorch.plugins.environments import SLURMEnvironment

    from provrunner import ProvenanceCallback

    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    scontrol = bin_folder / "scontrol"
    scontrol.write_text(f"#!/bin/sh\necho $@ > {folder}/requeued\n")
    scontrol.chmod(0o755)
    os.environ["PATH"] = f"{bin_folder}:{os.environ['PATH']}"
    os.environ.update(SLURM_JOB_ID="7", SLURM_NTASKS="1", SLURM_JOB_NAME="x")
    again = bool(list(folder.glob("hpc_ckpt_*.ckpt")))
    training = trainer(
        ProvenanceCallback(folder / "logs"),
        Witness(folder),
        plugins=[SLURMEnvironment(auto_requeue=True)],
        default_root_dir=folder,
        **({"max_steps": 1_000_000} if not again else {"max_time": "00:00:00:01"}),
    )
    training.fit(line(), loader())
