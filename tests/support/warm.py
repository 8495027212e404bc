"""Runs `python -m provrunner` in a process forked from one that has imported what it needs.

A new interpreter takes six seconds of a core to import torch and Lightning, and the process that a
sweep forks its runs from takes them again. A fork starts in a tenth of a second and is a process of
its own in all else: its group, its signals, its files, its environment, and what it starts.
"""

from __future__ import annotations

import atexit
import importlib
import multiprocessing.forkserver
import multiprocessing.process
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import resource_tracker, util
from pathlib import Path
from typing import NoReturn

__all__ = ["PRELOAD", "be_command"]

PRELOAD = [
    "provrunner.run.warm",
    "provrunner.run.standalone",
    "provrunner.run.command",
    "provrunner.run.engines",
    "provrunner.cli.read",
    "provrunner.report.figures",
    "provrunner.report.files",
    "provrunner.report.results",
    "altair",
]
"""What running, recording and reporting import; none of it starts a thread."""

_TESTS = str(Path(__file__).parents[1])


def be_command(
    words: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    outputs: Sequence[str],
    *,
    leads_group: bool,
) -> None:
    """Become `python -m provrunner WORDS` and end as it does.

    Args:
        words: the command line.
        cwd: where it works.
        environment: all of its variables.
        outputs: the files that it prints to, and complains to.
        leads_group: whether it is the leader of a process group and session of its own.
    """
    if leads_group:
        os.setsid()
    for number, (path, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), *((path, os.O_WRONLY | os.O_APPEND) for path in outputs)]
    ):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _forget_the_tests(cwd)
    _fork_servers()
    command = [sys.executable, "-m", "provrunner", *words]
    sys.orig_argv, sys.argv = command, command[2:]
    try:
        runpy.run_module("provrunner", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # a child of multiprocessing leaves without


def _forget_the_tests(cwd: Path) -> None:
    """Leave nothing that tells this process from an interpreter that was started alone."""
    multiprocessing.process._parent_process = None
    for name in [name for name in sys.modules if name.partition(".")[0] == "support"]:
        del sys.modules[name]
    sys.path[:] = [str(cwd), *(place for place in sys.path if place and place != _TESTS)]
    importlib.invalidate_caches()


def _fork_servers() -> None:
    """Fork the process that runs are forked from, in place of one that imports all again.

    At once, while this process has one thread: later, a fork might find a lock held for ever.
    """
    start = util.spawnv_passfds

    def fork(path: bytes, words: Sequence[str], descriptors: Sequence[int]) -> int:
        if "multiprocessing.forkserver" not in words[-1]:
            return start(path, words, descriptors)
        return os.fork() or _serve(words[-1], descriptors)

    util.spawnv_passfds = fork
    server = multiprocessing.forkserver._forkserver
    server.set_forkserver_preload(PRELOAD)
    server.ensure_running()


def _serve(code: str, descriptors: Sequence[int]) -> NoReturn:
    """Do in a fork what a new interpreter would be told to do, and end."""
    try:
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
            if (number := int(name)) not in (0, 1, 2, *descriptors):
                with suppress(OSError):
                    os.close(number)
        resource_tracker._resource_tracker._fd = None
        multiprocessing.forkserver._forkserver.__init__()  # its lock is held by the fork's parent
        exec(code, {})
    except SystemExit:
        os._exit(0)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(1)
