"""Reads a commit out of a git repository that is left as it is."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from provrunner.errors import LogError
from provrunner.ids import digest, file_digest

__all__ = [
    "apply_patch",
    "check_commit",
    "check_out",
    "copy_commit",
    "find_start",
    "has_commit",
    "is_whole",
]

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# No optional lock, no file monitor, no hook: nothing in the repository is written or started.
_GIT = (
    *("git", "--no-optional-locks", "-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
)
_SHOWN = 12


def check_commit(repository: Path, commit: str, remote: str | None = None) -> None:
    """Make sure that a repository holds a commit.

    Args:
        repository: a folder inside it.
        commit: the commit's whole id.
        remote: where it may be had from, for the message.

    Raises:
        LogError: it does not, or there is no repository.
    """
    if not _COMMIT.fullmatch(commit):
        raise LogError(f"the recorded commit {commit!r} is no commit's id")
    try:
        found = _git(repository, "cat-file", "-e", f"{commit}^{{commit}}")
    except FileNotFoundError:
        raise LogError(
            f"git is not installed, or {repository} is no folder; commit {commit[:_SHOWN]} cannot "
            "be read; --without code restores the rest"
        ) from None
    if found.returncode:
        source = f" (git fetch {remote})" if remote else ""
        raise LogError(
            f"commit {commit} is not in the git repository at {repository.resolve()}; fetch "
            f"it{source}, name another repository with --repository, or restore the rest with "
            "--without code"
        )


def check_out(repository: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit into a folder, as a checkout would, through an index of its own.

    Raises:
        LogError: git cannot; the message is git's.
    """
    folder.mkdir()
    with tempfile.TemporaryDirectory(prefix="provrunner-") as place:
        environ = {"GIT_INDEX_FILE": str(Path(place) / "index"), "GIT_WORK_TREE": str(folder)}
        top = _git(repository, "rev-parse", "--absolute-git-dir")
        environ["GIT_DIR"] = _said(top.stdout)
        for words in (("read-tree", commit), ("checkout-index", "--all", "--force")):
            _check(folder, *words, environ=environ)


def has_commit(repository: Path, commit: str) -> bool:
    """Say whether a repository holds a commit; False where there is none, or no git."""
    try:
        check_commit(repository, commit)
    except LogError:
        return False
    return True


def copy_commit(repository: Path, commit: str, folder: Path, *, remote: str | None = None) -> None:
    """Make a repository with one commit checked out, which reads the objects of another one.

    Args:
        repository: a folder inside the other one, which is left as it is.
        commit: the commit's whole id.
        folder: a new folder.
        remote: what the new repository calls its origin.

    Raises:
        LogError: git cannot; the message is git's.
    """
    folder.mkdir()
    kind = _said(_git(repository, "rev-parse", "--show-object-format").stdout) or "sha1"
    _check(folder, "init", "-q", "--template=", f"--object-format={kind}")
    objects = repository / _said(_git(repository, "rev-parse", "--git-path", "objects").stdout)
    lent = folder / ".git" / "objects" / "info" / "alternates"
    lent.parent.mkdir(exist_ok=True)
    lent.write_text(f"{objects.resolve()}\n", encoding="utf-8")
    if remote is not None:
        _check(folder, "config", "remote.origin.url", remote)
    _check(folder, "checkout", "-q", "--detach", commit)


def find_start(code: Path, modules: Iterable[tuple[str, str]]) -> Path:
    """Find the folder of a repository in which a program was started.

    Args:
        code: the repository's files.
        modules: path, as seen from that folder, and SHA-256 of modules that the program loaded.

    Returns:
        The folder, relative to `code`; the top where no module tells.
    """
    for told, sha256 in modules:
        path = Path(told)
        for file in sorted(code.rglob(path.name)):
            inside = file.relative_to(code)
            if inside.parts[-len(path.parts) :] == path.parts and file_digest(file) == sha256:
                return Path(*inside.parts[: -len(path.parts)])
    return Path()


def is_whole(patch: str, sha256: str | None) -> bool:
    """Say whether a recorded patch is all that git printed: not cut, and with nothing masked."""
    return digest(patch) == sha256


def apply_patch(patch: Path, folder: Path) -> str | None:
    """Apply a patch to the files of a folder; return why it could not be, None where it could.

    A patch that fails in one file changes none.
    """
    # Without the ceiling, git would find a repository above the folder, and leave out its files.
    environ = {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    refused = ""
    for strip in ("-p1", "-p0"):
        words = ("apply", "--whitespace=nowarn", strip, str(patch.resolve()))
        done = _git(folder, *words, environ=environ)
        if not done.returncode:
            return None
        refused = refused or _said(done.stderr).partition("\n")[0]
    return refused


def _check(folder: Path, *words: str, environ: dict[str, str] | None = None) -> None:
    done = _git(folder, *words, environ=environ)
    if done.returncode:
        raise LogError(f"git {words[0]} failed: {_said(done.stderr)}")


def _git(
    folder: Path, *words: str, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        [*_GIT, *words],
        cwd=folder,
        env={**kept, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _said(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip()
