"""Asks git which code runs, within two seconds whatever the repository holds."""

from __future__ import annotations

import hashlib
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provrunner.redaction import redact

__all__ = ["CodeReader", "read_code"]

_LONGEST_PATCH = 1 << 20
_BLOCK_BYTES = 1 << 16

# No optional lock and no file monitor: the user's repository stays as it is, and no program that
# its configuration names is started.
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.pager=cat")
_DIFF = ("diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv")


class CodeReader:
    """Reads the state of a repository in the background.

    Args:
        root: a folder inside the repository.
        patch: whether the changes not yet committed are read.
        read: what reads; another one is for tests.
    """

    def __init__(
        self,
        root: Path,
        *,
        patch: bool,
        read: Callable[..., dict[str, Any]] | None = None,
    ) -> None:
        self._result: dict[str, Any] | None = None
        self._thread = threading.Thread(
            target=self._read,
            args=(read or read_code, root, patch),
            name="provrunner-git",
            daemon=True,
        )
        self._thread.start()

    def poll(self) -> dict[str, Any] | None:
        """Return the data of the `code` event once it is known, else None."""
        return self._result

    def wait(self, timeout_s: float) -> dict[str, Any]:
        """Return the data of the `code` event; unknown with a reason after the timeout."""
        self._thread.join(timeout_s)
        return self._result or _unknown("git did not answer in time")

    def _read(self, read: Callable[..., dict[str, Any]], root: Path, patch: bool) -> None:
        try:
            self._result = read(root, patch=patch)
        except Exception as error:  # noqa: BLE001 - a thread's exception would reach nobody
            self._result = _unknown(f"{type(error).__name__}: {error}")


def read_code(root: Path, *, patch: bool = True, timeout_s: float = 2.0) -> dict[str, Any]:
    """Return the data of a `code` event.

    Args:
        root: a folder inside the repository.
        patch: whether the changes of tracked files since the commit are kept: 1 MiB of them,
            redacted, and the digest of all, as git prints them.
        timeout_s: for all questions together.

    Returns:
        Commit, branch (None when detached), whether tracked files are changed, the `origin` remote
        without user part, patch and digest; None for what is unknown, with the reason.
    """
    deadline = time.monotonic() + timeout_s
    code = _unknown(None)
    try:
        code["remote"] = _remote(root, deadline)
        code["commit"] = _ask(root, deadline, "rev-parse", "--verify", "HEAD")
        code["branch"] = _branch(root, deadline)
        code["reason"] = _limits(root, deadline)
        if code["reason"] != "bare repository":
            code["dirty"] = bool(_ask(root, deadline, "status", "--porcelain", "-uno"))
        if code["dirty"] and patch:
            code.update(_read_patch(root, deadline))
    except FileNotFoundError:
        code["reason"] = "git is not installed, or the folder is gone"
    except OSError as error:
        code["reason"] = f"git could not be started: {error.strerror}"
    except subprocess.TimeoutExpired:
        code["reason"] = f"git took more than {timeout_s:g} s"
    except subprocess.CalledProcessError as error:
        code["reason"] = _git_reason(error)
    return code


def _unknown(reason: str | None) -> dict[str, Any]:
    fields = ("commit", "branch", "dirty", "remote", "patch_sha256", "patch")
    return {**dict.fromkeys(fields), "reason": reason}


def _ask(root: Path, deadline: float, *question: str) -> str:
    answer = subprocess.run(
        [*_GIT, *question],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=max(0.01, deadline - time.monotonic()),
    )
    return answer.stdout.decode("utf-8", "replace").strip()


def _remote(root: Path, deadline: float) -> str | None:
    try:
        url = _ask(root, deadline, "config", "--get", "remote.origin.url")
    except subprocess.CalledProcessError:
        return None
    return redact(url)


def _branch(root: Path, deadline: float) -> str | None:
    try:
        return _ask(root, deadline, "symbolic-ref", "--short", "-q", "HEAD")
    except subprocess.CalledProcessError:
        return None


def _limits(root: Path, deadline: float) -> str | None:
    question = ("rev-parse", "--is-bare-repository", "--is-shallow-repository")
    bare, shallow = _ask(root, deadline, *question).splitlines()
    if bare == "true":
        return "bare repository"
    return "shallow clone" if shallow == "true" else None


def _read_patch(root: Path, deadline: float) -> dict[str, Any]:
    command = [*_GIT, *_DIFF]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    total, head, timed_out = hashlib.sha256(), b"", False
    with subprocess.Popen(command, cwd=root, **pipes) as process:  # type: ignore[call-overload]
        # A git that stalls without a byte is killed too: the read ends with the process.
        alarm = threading.Timer(max(0.01, deadline - time.monotonic()), process.kill)
        alarm.start()
        while block := process.stdout.read(_BLOCK_BYTES):
            total.update(block)
            head += block[: _LONGEST_PATCH - len(head)]
        timed_out = process.wait() < 0
        alarm.cancel()
    reason = "the patch was not read to its end in time" if timed_out else None
    return {
        "patch": redact(head.decode("utf-8", "replace")),
        "patch_sha256": None if timed_out else total.hexdigest(),
        **({"reason": reason} if reason else {}),
    }


def _git_reason(error: subprocess.CalledProcessError) -> str:
    said = bytes(error.stderr or b"").decode("utf-8", "replace").strip().partition("\n")[0]
    if "not a git repository" in said:
        return "not a git repository"
    if "single revision" in said or "ambiguous argument" in said:
        return "no commit yet"
    return redact(said) or f"git ended with {error.returncode}"
