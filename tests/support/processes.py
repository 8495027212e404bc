"""Starts provrunner as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

from support import warm

SMALL = ["data.batch_size=64", "trainer.max_epochs=3", "model.width=8"]


def command(*words: str) -> list[str]:
    """The words that start provrunner in a new interpreter."""
    return [sys.executable, "-m", "provrunner", *words]


class Program:
    """`python -m provrunner WORDS` in a process of its own, forked from a warm one.

    It is used as `subprocess.Popen` is. What it prints goes to files, so that nobody needs to read
    it for it to go on.
    """

    def __init__(
        self,
        words: Sequence[str],
        cwd: Path,
        *,
        environment: Mapping[str, str] | None = None,
        leads_group: bool = False,
    ) -> None:
        self.args = command(*words)
        self._said = [os.memfd_create(name) for name in ("out", "err")]
        for descriptor in self._said:
            weakref.finalize(self, os.close, descriptor)
        outputs = [f"/proc/{os.getpid()}/fd/{descriptor}" for descriptor in self._said]
        context = ForkServerContext()
        context.set_forkserver_preload(warm.PRELOAD)
        self._process = context.Process(
            target=warm.be_command,
            args=(
                list(words),
                Path(cwd),
                dict(os.environ if environment is None else environment),
                outputs,
            ),
            kwargs={"leads_group": leads_group},
        )
        self._process.start()
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, the negative number of the signal that killed it, or None as yet."""
        return self._process.exitcode

    poll = returncode.fget

    def wait(self, timeout: float = 300.0) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def communicate(self, timeout: float = 300.0) -> tuple[str, str]:
        """Wait for its end, and return what it printed and what it complained of."""
        self.wait(timeout)
        out, err = (Path(f"/proc/self/fd/{one}").read_text() for one in self._said)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def run(words: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run provrunner to its end in a process of its own."""
    program = Program(words, cwd)
    try:
        out, err = program.communicate()
    finally:
        program.kill()
    return subprocess.CompletedProcess(program.args, program.wait(), out, err)


def run_anew(words: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run provrunner in a new interpreter, with a hash seed of its own and nothing imported."""
    return subprocess.run(
        command(*words), cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


def only_sweep(cwd: Path) -> Path:
    (folder,) = (path.parent for path in cwd.glob("outputs/*/*/plan.json"))
    return folder


def is_there(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for yet has."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(condition: Callable[[], object], seconds: float = 90.0) -> object:
    """Poll until a condition holds; a process is waited for here, not time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"still waiting after {seconds} s")
