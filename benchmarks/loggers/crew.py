"""The processes of the loggers that are compared, one each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.loggers.peers import LOGGERS, environment

__all__ = ["Worker", "steps_after_kill"]

_ROOT = Path(__file__).parents[2]


class Worker:
    """A process that trains with one logger whenever it is told to.

    Args:
        name: of the logger.
        folder: where it may write; made.

    Raises:
        RuntimeError: from each call when the process has died; the message ends its output.
    """

    def __init__(self, name: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._fits = 0
        read, write = os.pipe()
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        with (folder / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.loggers.worker", name, str(folder), str(write)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[write],
                env={**environment(LOGGERS[name]), "PYTHONPATH": path},
            )
        os.close(write)
        self._answers = os.fdopen(read)

    def answer(self) -> Any:
        """Wait for the next answer."""
        line = self._answers.readline()
        if not line:
            said = (self.folder / "output.txt").read_text(errors="replace")
            raise RuntimeError(said.strip()[-2000:])
        return json.loads(line)

    def begin(self, steps: int, turn: int, hand_over: str) -> None:
        """Let it train until its first batch, where it rests; and then `turn` steps a time."""
        self._tell(how={"steps": steps, "turn": turn, "hand_over": hand_over})
        self._until_it_rests()

    def go_on(self) -> None:
        """Let it train until it rests again."""
        self._process.send_signal(signal.SIGCONT)
        self._until_it_rests()

    def end(self) -> dict[str, float]:
        """Let it train the steps that are left, and return what was measured."""
        self._process.send_signal(signal.SIGCONT)
        found: dict[str, float] = self.answer()
        return found

    def fit_told(self, steps: int) -> Iterator[int]:
        """Train, and yield each step once the logger has it."""
        self._tell(steps=steps, told=True)
        while True:
            yield self.answer()

    @property
    def is_new(self) -> bool:
        """Whether it has trained nothing yet."""
        return self._fits == 0

    @property
    def first(self) -> Path:
        """The folder of its first training."""
        return self.folder / "0"

    def kill(self) -> None:
        """End it with SIGKILL, in the midst of whatever it does."""
        self._process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Let it end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._answers.close()

    def _until_it_rests(self) -> None:
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self.answer()  # raises: it has died

    def _tell(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"fit": self._fits, **command}).encode() + b"\n")
        self._process.stdin.flush()
        self._fits += 1


def steps_after_kill(name: str, folder: Path, steps: int) -> tuple[int, int]:
    """Kill a training after so many steps; return how many were told and how many can be read."""
    worker = Worker(name, folder)
    worker.answer()
    told = 0
    for told in worker.fit_told(10 * steps):
        if told >= steps:
            break
    worker.kill()
    # a step may have been told between the last one read here and the kill
    kind = LOGGERS[name]
    try:
        count = kind.steps(worker.first) if kind.steps else len(kind.read(worker.first))  # type: ignore[misc]
    except Exception as error:  # noqa: BLE001 - a log that cannot be read is the finding
        print(f"{name}: nothing can be read after kill -9: {error!r}"[:300], file=sys.stderr)
        count = 0
    return told, min(count, told)
