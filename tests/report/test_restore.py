"""A run laid out anew from its record, with real git repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.written import Written

from provrunner.capture.code import read_code
from provrunner.errors import ConfigError, LogError
from provrunner.ids import file_digest
from provrunner.log.verify import verify_sweep
from provrunner.report import find_run, open_sweep, restore_run


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=ada", "-c", "user.email=ada@localhost", *words],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


def state(folder: Path) -> dict[str, bytes]:
    """All bytes of a repository: its work tree, index, references and objects."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def repository(tmp_path):
    """A repository with a commit, and changes that are in none."""
    folder = tmp_path / "mine"
    (folder / "lab").mkdir(parents=True)
    (folder / "lab" / "my_model.py").write_text("WIDTH = 8\n")
    (folder / "notes.txt").write_text("old\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "lab" / "my_model.py").write_text("WIDTH = 16\n")
    (folder / "notes.txt").unlink()
    return folder


@pytest.fixture
def sweep(repository, tmp_path):
    sources = {"my_model": ("my_model.py", file_digest(repository / "lab" / "my_model.py"))}
    code = read_code(repository)
    folder = Written(code=code, sources=sources).write(tmp_path / "s")
    # What was done since then is no part of the run.
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    (repository / "lab" / "my_model.py").write_text("WIDTH = 32\n")
    return open_sweep(folder)


def test_code_is_the_commit_with_the_changes_that_were_in_none(sweep, repository, tmp_path):
    before = state(repository)

    restored = restore_run(find_run(3, sweep), tmp_path / "again", repository=repository)

    code = tmp_path / "again" / "code"
    assert (code / "lab" / "my_model.py").read_text() == "WIDTH = 16\n"
    assert not (code / "notes.txt").exists()
    assert not (code / ".git").exists()
    assert restored.remarks == ()
    assert state(repository) == before


def test_the_record_is_a_sweep_of_its_own_with_packages_and_checkpoint(sweep, repository, tmp_path):
    point = sweep.plan.points[3]
    restored = restore_run(find_run(3, sweep), tmp_path / "again", repository=repository)
    folder = restored.folder
    constraints = (folder / "constraints.txt").read_text().splitlines()
    assert constraints == ["# Python 3.11.7", "numpy==2.4.0", "torch==2.13.0"]
    original = sweep.folder / "runs" / point.run_id
    assert (folder / "config.yaml").read_bytes() == (original / "config.yaml").read_bytes()
    weights = folder / "checkpoints" / "epoch001.ckpt"
    assert weights.read_bytes() == f"weights of {point.run_id}".encode()
    assert open_sweep(folder / "record").runs["objective"].to_pylist()[3] is not None
    readme = (folder / "README.md").read_text()
    assert "pip install -c constraints.txt provrunner" in readme
    assert f"cd code/lab\npython -m provrunner rerun {point.run_id} ../../record --verify" in readme
    assert "Not as it was" not in readme


def test_a_checkpoint_whose_bytes_changed_is_refused_and_named(sweep, repository, tmp_path):
    point = sweep.plan.points[3]
    checkpoint = sweep.folder / "runs" / point.run_id / "checkpoints" / "epoch001.ckpt"
    checkpoint.write_bytes(b"other weights")
    with pytest.raises(LogError, match=r"epoch001\.ckpt was changed: its SHA-256 is") as error:
        restore_run(find_run(3, sweep), tmp_path / "again", repository=repository)
    assert str(checkpoint) in str(error.value)
    assert not (tmp_path / "again").exists()

    restored = restore_run(
        find_run(3, sweep), tmp_path / "again", repository=repository, without=["checkpoint"]
    )
    assert not (restored.folder / "checkpoints").exists()
    assert restored.remarks == ("There is no checkpoint: the run left none, or it was left out.",)


def test_a_checkpoint_outside_the_run_is_not_read(sweep, repository, tmp_path):
    place = sweep.folder / "runs" / sweep.plan.points[3].run_id / "checkpoints"
    secret = tmp_path / "epoch001.ckpt"
    (place / "epoch001.ckpt").rename(secret)
    (place / "epoch001.ckpt").symlink_to(secret)
    with pytest.raises(LogError, match="lies outside the run's folder"):
        restore_run(find_run(3, sweep), tmp_path / "again", repository=repository)


def test_a_commit_that_is_not_there_is_said_to_be_missing(sweep, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    with pytest.raises(LogError, match="is not in the git repository at") as error:
        restore_run(find_run(3, sweep), tmp_path / "again", repository=empty)
    assert "--without code" in str(error.value)
    assert not (tmp_path / "again").exists()
    restored = restore_run(
        find_run(3, sweep), tmp_path / "again", repository=empty, without=["code"]
    )
    assert not (restored.folder / "code").exists()
    assert (restored.folder / "record").is_dir()


def test_a_folder_inside_a_repository_gets_the_changes_too(sweep, repository):
    restored = restore_run(find_run(3, sweep), repository / "again", repository=repository)
    text = (restored.folder / "code" / "lab" / "my_model.py").read_text()
    assert text == "WIDTH = 16\n"


def test_changes_with_a_masked_secret_are_kept_but_not_applied(repository, tmp_path):
    (repository / "lab" / "my_model.py").write_text("api_token = 'hunter2hunter2'\n")
    folder = Written(code=read_code(repository)).write(tmp_path / "s")
    restored = restore_run(
        find_run(0, open_sweep(folder)), tmp_path / "again", repository=repository
    )
    assert (restored.folder / "code" / "lab" / "my_model.py").read_text() == "WIDTH = 8\n"
    assert "hunter2" not in (restored.folder / "changes.patch").read_text()
    assert "masked" in restored.remarks[0]


def test_a_module_that_was_in_no_commit_is_named(repository, tmp_path):
    sources = {"scratch": ("scratch.py", "0" * 64)}
    folder = Written(code=read_code(repository), sources=sources).write(tmp_path / "s")
    restored = restore_run(
        find_run(0, open_sweep(folder)), tmp_path / "again", repository=repository
    )
    assert restored.remarks[0].startswith("Module scratch (scratch.py, 000000000000) is not in")


def test_a_hostile_commit_id_never_reaches_git(tmp_path):
    folder = Written(code={"commit": "--output=/tmp/x", "dirty": False}).write(tmp_path / "s")
    with pytest.raises(LogError, match="is no commit's id"):
        restore_run(find_run(0, open_sweep(folder)), tmp_path / "again", repository=tmp_path)


def test_a_folder_that_holds_something_is_left_alone(sweep, repository, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    for place in (tmp_path / "taken", tmp_path / "taken" / "mine.txt"):
        with pytest.raises(ConfigError, match="--to: "):
            restore_run(find_run(3, sweep), place, repository=repository)
    with pytest.raises(ConfigError, match="did you mean 'checkpoint'"):
        restore_run(find_run(3, sweep), tmp_path / "x", without=["checkpont"])


def test_a_run_without_git_is_restored_without_code(tmp_path):
    folder = Written().write(tmp_path / "s")
    restored = restore_run(find_run(0, open_sweep(folder)), tmp_path / "again")
    assert restored.remarks == ("The code is unknown: not a git repository.",)


def test_the_restored_record_is_whole(sweep, repository, tmp_path):
    restored = restore_run(find_run(3, sweep), tmp_path / "again", repository=repository)
    found = verify_sweep(restored.folder / "record")
    damaged = [finding for finding in found.findings if finding.severity == "damage"]
    assert damaged == []


def test_links_in_a_record_of_others_are_not_followed(tmp_path):
    folder = Written(seeds=1).write(tmp_path / "s")
    sweep = open_sweep(folder)
    secret = tmp_path / "secret"
    secret.write_text("mine")
    log = folder / "runs" / sweep.plan.points[0].run_id / "log"
    (log / "more.txt").symlink_to(secret)
    restored = restore_run(find_run(0, sweep), tmp_path / "again")
    (copied,) = (restored.folder / "record").rglob("more.txt")
    assert copied.is_symlink()
