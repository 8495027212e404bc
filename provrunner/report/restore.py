"""A run laid out anew from its record alone: code, configuration, packages, best checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from provrunner.errors import ConfigError, LogError, ProvrunnerError, nearest
from provrunner.ids import file_digest
from provrunner.log.notes import NOTES_FILE
from provrunner.report.restored_readme import build_readme
from provrunner.report.runref import RunRef, find_run
from provrunner.repository import apply_patch, check_commit, check_out, find_start, is_whole

__all__ = ["PARTS", "Restored", "restore_run"]

PARTS = ("code", "checkpoint")
"""What may be left out."""

_COPIED = ("config.yaml", "overrides.yaml", "output.log", "log")


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore_run` made.

    Attributes:
        folder: where it lies.
        files: what lies there, by path from `folder`, each with what it is.
        remarks: what could not be restored exactly, a sentence each; empty when all could.
    """

    folder: Path
    files: Mapping[str, str]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    path: str
    file: Path
    sha256: str


def restore_run(
    run: RunRef | int | str,
    to: Path | str,
    *,
    repository: Path | str = ".",
    without: Collection[str] = (),
) -> Restored:
    """Lay out a run from its record: its code, configuration, packages and best checkpoint.

    The code is that of the recorded commit with the recorded uncommitted changes; both are read
    from a repository that is left as it is, work tree, index and references alike.

    Args:
        run: a run of an open sweep, or a term as for `find_run`.
        to: a folder that is empty or does not exist.
        repository: a folder inside the git repository that holds the run's commit.
        without: of `PARTS`, what is left out.

    Raises:
        ConfigError: `to` is taken, or `without` names no part.
        LogError: there is no such run, its commit is not in the repository, or the checkpoint's
            bytes are not those that the run wrote. Nothing was written then.
    """
    found = run if isinstance(run, RunRef) else find_run(run)
    folder, wanted = Path(to), _parts(without)
    _check_free(folder)
    code = _code(found)
    checkpoint = _checkpoint(found) if "checkpoint" in wanted else None
    has_code = "code" in wanted and code.get("commit") is not None
    if has_code:
        check_commit(Path(repository), str(code["commit"]), code.get("remote"))
    created = not folder.exists()
    try:
        return _lay_out(found, folder, checkpoint, code if has_code else None, Path(repository))
    except (ProvrunnerError, OSError) as error:
        if created:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise LogError(f"cannot write {folder}: {error.strerror or error}") from error
        raise


def _parts(without: Collection[str]) -> set[str]:
    for name in without:
        if name not in PARTS:
            raise ConfigError(
                f"--without: {name!r} is none of {', '.join(PARTS)}{nearest(name, PARTS)}"
            )
    return set(PARTS) - set(without)


def _check_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--to: {folder} is not empty; name a new or an empty folder")
    for parent in folder.resolve().parents:
        if parent.exists():
            if not parent.is_dir():
                raise ConfigError(f"--to: {parent} is no folder")
            return


def _lay_out(
    run: RunRef,
    folder: Path,
    checkpoint: _Checkpoint | None,
    code: Mapping[str, Any] | None,
    repository: Path,
) -> Restored:
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    remarks: list[str] = []
    if code is not None:
        files["code/"] = f"commit {code['commit']}"
        check_out(repository, str(code["commit"]), folder / "code")
        remarks += _patch(code, folder, files)
        remarks += _sources(run, folder / "code")
    elif _code(run).get("commit") is None:
        remarks.append(f"The code is unknown: {_code(run).get('reason') or 'it was not captured'}.")
    _copy_record(run, folder, files)
    remarks += _constraints(run, folder, files)
    if checkpoint is None:
        remarks.append("There is no checkpoint: the run left none, or it was left out.")
    else:
        files[_copy_checkpoint(checkpoint, folder)] = f"best checkpoint, {checkpoint.sha256}"
    readme = build_readme(run, files, remarks, _start(run, folder / "code"))
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return Restored(folder, files, tuple(remarks))


def _code(run: RunRef) -> Mapping[str, Any]:
    events = run.sweep.table("events")
    mine = pc.and_(pc.equal(events["run_id"], run.point.run_id), pc.equal(events["kind"], "code"))
    found = events.filter(mine)["data"].to_pylist()
    code: dict[str, Any] = json.loads(found[-1] or "{}") if found else {}
    return code


def _patch(code: Mapping[str, Any], folder: Path, files: dict[str, str]) -> Iterator[str]:
    """Apply the uncommitted changes, if the record holds all of them as they were."""
    patch, sha256 = code.get("patch"), code.get("patch_sha256")
    if not code.get("dirty"):
        return
    if patch is None:
        yield "The commit had uncommitted changes, which were not captured; the code lacks them."
        return
    (folder / "changes.patch").write_text(patch, encoding="utf-8", newline="")
    files["changes.patch"] = "uncommitted changes"
    if not is_whole(patch, sha256):
        yield (
            "The uncommitted changes were cut or held a secret that is masked; they lie in "
            "changes.patch and are not applied."
        )
        return
    refused = apply_patch(folder / "changes.patch", folder / "code")
    if refused is not None:
        yield f"changes.patch could not be applied: {refused}."


def _sources(run: RunRef, code: Path) -> Iterator[str]:
    """Compare the modules that the run loaded with what was restored."""
    known = {file_digest(path) for path in code.rglob("*.py") if path.is_file()}
    for name, data in _own_sources(run):
        if data.get("sha256") not in known:
            yield (
                f"Module {name} ({data.get('path')}, {str(data.get('sha256'))[:12]}) is not in "
                "the code: it was in no commit and so in no patch, or lay outside the repository."
            )


def _own_sources(run: RunRef) -> Iterator[tuple[str, Mapping[str, Any]]]:
    events = run.sweep.table("events")
    mine = pc.and_(pc.equal(events["run_id"], run.point.run_id), pc.equal(events["kind"], "source"))
    found = events.filter(mine)
    for name, text in zip(found["subject"].to_pylist(), found["data"].to_pylist(), strict=True):
        if not str(name).startswith("provrunner."):
            yield name, json.loads(text or "{}")


def _copy_record(run: RunRef, folder: Path, files: dict[str, str]) -> None:
    """Copy what the run left behind, as a sweep folder that every verb reads."""
    record = folder / "record"
    place = record / "runs" / run.point.run_id
    place.mkdir(parents=True)
    for name in ("plan.json", NOTES_FILE):
        if (run.sweep.folder / name).is_file():
            shutil.copy2(run.sweep.folder / name, record)
    for name in _COPIED:
        source = run.folder / name
        if source.is_dir():
            shutil.copytree(source, place / name, symlinks=True)
        elif source.is_file():
            shutil.copy2(source, place, follow_symlinks=False)
    files["record/"] = "the run's plan, notes and log: a sweep folder for every verb of provrunner"
    for name, what in (("config.yaml", "resolved configuration"), ("overrides.yaml", "as given")):
        if (place / name).is_file():
            shutil.copy2(place / name, folder)
            files[name] = what


def _constraints(run: RunRef, folder: Path, files: dict[str, str]) -> Iterator[str]:
    environment = run.sweep.table("environment")
    mine = environment.filter(pc.equal(environment["run_id"], run.point.run_id)).to_pylist()
    packages = sorted(
        (row["name"], row["value"]) for row in mine if row["kind"] == "package" and row["value"]
    )
    python = next((row["value"] for row in mine if row["kind"] == "python"), None)
    if not packages:
        yield "The installed packages are unknown: they were not captured."
        return
    lines = [f"# Python {python or 'unknown'}", *(f"{name}=={value}" for name, value in packages)]
    (folder / "constraints.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    files["constraints.txt"] = f"{len(packages)} packages of Python {python or 'unknown'}"


def _checkpoint(run: RunRef) -> _Checkpoint | None:
    """Find the best checkpoint that was not deleted, or the last; refuse one with other bytes."""
    artifacts = run.sweep.table("artifacts")
    mine = artifacts.filter(pc.equal(artifacts["run_id"], run.point.run_id)).to_pylist()
    kept = [row for row in mine if row["kind"] == "checkpoint" and row["deleted"] is None]
    if not kept:
        return None
    best = [row for row in kept if row["role"] == "best"] or kept
    row = best[-1]
    path, sha256 = str(row["path"]), row["sha256"]
    file = (run.folder / path).resolve()
    if not file.is_relative_to(run.folder.resolve()):
        raise LogError(f"checkpoint {path} lies outside the run's folder and is not copied")
    if not file.is_file():
        raise LogError(f"checkpoint {file} is gone; --without checkpoint restores the rest")
    found = file_digest(file)
    if found != sha256:
        raise LogError(
            f"checkpoint {file} was changed: its SHA-256 is {found[:12]}, the run wrote "
            f"{str(sha256)[:12]}; --without checkpoint restores the rest"
        )
    return _Checkpoint(path, file, found)


def _copy_checkpoint(checkpoint: _Checkpoint, folder: Path) -> str:
    target = folder / "checkpoints" / checkpoint.file.name
    target.parent.mkdir()
    shutil.copyfile(checkpoint.file, target)
    if file_digest(target) != checkpoint.sha256:
        raise LogError(f"checkpoint {checkpoint.file} changed while it was copied")
    return f"checkpoints/{checkpoint.file.name}"


def _start(run: RunRef, code: Path) -> Path:
    """Return the folder of the restored code in which the run was started, relative to it."""
    told = ((str(data.get("path")), str(data.get("sha256"))) for _, data in _own_sources(run))
    return find_start(code, told)
