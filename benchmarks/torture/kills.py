"""Kills the processes of sweeps at random moments, and reads what is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from provrunner.log import read_log, run_status, verify_sweep
from provrunner.schema import LogState, RunStatus

__all__ = ["Killed", "kill_at_random"]

_LONGEST_PAUSE_S = 2.5
_PATIENCE_S = 10.0
_WITNESS = """
import os
from lightning.pytorch.callbacks import Callback


class Witness(Callback):
    def on_fit_start(self, trainer, module):
        path = os.path.join(trainer.default_root_dir, "witness")
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def say(self, text):
        os.write(self.file, f"{text}\\n".encode())

    def on_train_batch_end(self, trainer, module, *rest):
        module.log("witness", float(trainer.global_step - 1), on_step=True, on_epoch=False)

    def on_train_batch_start(self, trainer, module, batch, index):
        if trainer.global_step:
            self.say(f"step {trainer.global_step - 1}")

    def on_train_epoch_start(self, trainer, module):
        self.say(f"epoch_start {trainer.current_epoch}")
        if trainer.current_epoch:
            self.say(f"epoch_end {trainer.current_epoch - 1}")
"""


@dataclass(slots=True)
class Killed:
    """What came of killing.

    Attributes:
        kills: by what was killed: `run` or `parent`.
        outcomes: runs of the sweeps by status and state of their logs.
        told: lines that trainings wrote beside their logs, each of which was looked for.
        slowest_s: the longest time from the kill of a run until it no longer read as running.
        wrong: what must not be.
    """

    kills: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    told: int = 0
    slowest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


def kill_at_random(
    folder: Path, count: int, *, seed: int, parents: float = 0.1, runs: int = 20
) -> Killed:
    """Run sweeps and `kill -9` their processes until `count` were killed.

    Args:
        folder: an empty folder for the sweeps.
        count: how many kills.
        seed: of the moments and victims; what they hit depends on the machine as well.
        parents: share of the kills that hit the process of the sweep itself.
        runs: of each sweep.
    """
    rng = random.Random(seed)
    found = Killed()
    (folder / "witness.py").write_text(_WITNESS)
    while found.kills.total() < count:
        output = folder / f"sweep{found.kills.total()}"
        parent = _start(folder, output, runs)
        victims = (_victim(rng, parents) for _ in range(count - found.kills.total()))
        killed = _kill_in_one_sweep(parent, rng, victims, found)
        # runs that lost their parent go on to their own end
        while _writers(output):
            time.sleep(0.1)
        for sweep in output.glob("*/*"):
            _look_at_sweep(sweep, killed, found)
    return found


def _start(folder: Path, output: Path, runs: int) -> subprocess.Popen[bytes]:
    words = [
        "-m", "optimizer=sgd", "model.width=8", "trainer.max_epochs=20", f"output={output.name}",
        "data.batch_size=64", "+trainer.callbacks.witness._target_=witness.Witness",
        f"seed={','.join(map(str, range(runs)))}",
    ]  # fmt: skip
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    command = [sys.executable, "-m", "provrunner", *words]
    with (folder / "output").open("ab") as out:
        return subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env=environ)


def _victim(rng: random.Random, parents: float) -> str:
    return "parent" if rng.random() < parents else "run"


def _kill_in_one_sweep(
    parent: subprocess.Popen[bytes], rng: random.Random, victims: Iterator[str], found: Killed
) -> set[str]:
    """Kill one victim after another while the sweep lasts; return the runs that were killed."""
    killed: set[str] = set()
    while parent.poll() is None:
        time.sleep(rng.uniform(0.0, _LONGEST_PAUSE_S))
        runs = _run_processes(parent.pid)
        victim = next(victims, None) if runs else None
        if victim == "run":
            killed.add(_kill_run(rng.choice(runs), found))
        elif victim == "parent":
            parent.kill()
            parent.wait()
            found.kills["parent"] += 1
    return killed


def _kill_run(pid: int, found: Killed) -> str:
    """Kill the process of a run, and wait until the run no longer reads as running."""
    # only now: a process that was just forked writes nowhere yet
    while (folder := _folder_of(pid)) is None and Path(f"/proc/{pid}").exists():
        time.sleep(0.001)
    if folder is None:
        return ""
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    found.kills["run"] += 1
    while run_status(folder)[0] is RunStatus.RUNNING:
        time.sleep(0.02)
        if time.monotonic() - killed > _PATIENCE_S:
            found.wrong.append(f"{folder} reads as running {_PATIENCE_S:.0f} s after its death")
            break
    found.slowest_s = max(found.slowest_s, time.monotonic() - killed)
    return folder.name


def _writers(output: Path) -> list[int]:
    """Return the processes that write runs below a folder."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    folders = {pid: _folder_of(pid) for pid in pids}
    return [pid for pid, folder in folders.items() if folder and output in folder.parents]


def _run_processes(parent: int) -> list[int]:
    """Return the processes of runs: what the warm process has forked."""
    children = {pid: _children(pid) for pid in _children(parent)}
    return [pid for forked in children.values() for pid in forked]


def _children(pid: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(n) for thread in threads for n in (thread / "children").read_text().split()]
    except OSError:
        return []


def _folder_of(pid: int) -> Path | None:
    """Return the folder of the run that a process writes: its output goes to a file there."""
    try:
        output = Path(f"/proc/{pid}/fd/1").readlink()
    except OSError:
        return None
    return output.parent if output.name == "output.log" else None


def _look_at_sweep(sweep: Path, killed: set[str], found: Killed) -> None:
    for run in sorted(sweep.glob("runs/*")):
        for problem in _problems(run, killed, found):
            found.wrong.append(f"{run}: {problem}")
    if not (sweep / "plan.json").exists():
        return
    found.wrong.extend(
        f"{sweep}/{finding.path}: {finding.message}"
        for finding in verify_sweep(sweep, read_data=True).findings
        if finding.severity == "damaged"
    )
    verify_sweep(sweep, seal=True)
    for run in sweep.glob("runs/*/log"):
        # a run that died before its log began has nothing to seal
        if any(run.iterdir()) and run_status(run)[1] is not LogState.COMPLETE:
            found.wrong.append(f"{run}: not sealed by verify")


def _problems(run: Path, killed: set[str], found: Killed) -> list[str]:
    metrics, events = read_log(run), read_log(run, "events")
    status, state = run_status(run)
    found.outcomes[status.value, state.value] += 1
    problems = []
    if {metrics.state, events.state} & {LogState.CORRUPT, LogState.RUNNING}:
        problems.append(f"{metrics.state}, {events.state}: {metrics.detail or events.detail}")
    kinds = events.table["kind"].to_pylist()
    if run.name in killed and status is RunStatus.FINISHED and "overhead" not in kinds:
        problems.append("finished, though it was killed before its end")
    if run.name not in killed and status not in (RunStatus.FINISHED, RunStatus.PLANNED):
        problems.append(f"{status}, though nobody killed it")
    told = _told(run)
    found.told += len(told)
    lost = told - _logged(metrics.table, events.table)
    if lost:
        problems.append(f"{len(lost)} of {len(told)} lost: {sorted(lost)[:3]}")
    return problems


def _told(run: Path) -> set[str]:
    path = run / "witness"
    return set(path.read_text().split("\n")[:-1]) if path.exists() else set()


def _logged(metrics: pa.Table, events: pa.Table) -> set[str]:
    columns = [metrics[name].to_pylist() for name in ("step", "name", "value")]
    rows = zip(*columns, strict=True)
    logged = {f"step {step}" for step, name, value in rows if (name, value) == ("witness", step)}
    columns = [events[name].to_pylist() for name in ("kind", "epoch", "subject")]
    rows = zip(*columns, strict=True)
    return logged | {f"{kind} {epoch}" for kind, epoch, subject in rows if subject == "train"}
