"""What engines share; sweeps on them are in tests/end_to_end/test_engines.py."""

from __future__ import annotations

import io
import os
import re
import sys
import tarfile
from pathlib import Path

import pytest

from provrunner.compose import compose_config
from provrunner.compose.launchers import LAUNCHERS, check_launcher
from provrunner.errors import ConfigError
from provrunner.log.liveness import this_process, write_owner
from provrunner.run.engines.submitit_jobs import perform_owned
from provrunner.run.engines.transfer import pack_folder, unpack_folder
from provrunner.run.work import Work, perform

DOCS = (Path(__file__).parents[2] / "docs/engines.md").read_text(encoding="utf-8")


def composed(*words: str):
    return compose_config(words, return_hydra_config=True).hydra


def test_every_launcher_and_setting_is_documented_and_no_other():
    rows = re.findall(r"^\| `([^`]+)`", DOCS, flags=re.MULTILINE)
    launchers = {f"hydra/launcher={name}" for name in ("basic", *LAUNCHERS)}
    settings = {key for node in LAUNCHERS.values() for key in node if key != "_target_"}
    assert set(rows) == launchers | settings


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_launcher_whose_package_is_missing_names_its_extra(monkeypatch, name):
    for module in ("joblib", "ray", "submitit"):
        monkeypatch.setitem(sys.modules, module, None)
    hydra = composed(f"hydra/launcher={name}")
    extra = "slurm" if "submitit" in name else name
    with pytest.raises(ConfigError, match=rf"pip install 'provrunner\[{extra}\]'"):
        check_launcher(hydra)


@pytest.mark.parametrize("n_jobs", ["0", "-1", "many", "true", "1.5"])
def test_a_number_of_runs_at_once_that_is_none_is_refused(n_jobs):
    with pytest.raises(ConfigError, match=r"hydra\.launcher\.n_jobs: expected a whole number"):
        check_launcher(composed(f"hydra.launcher.n_jobs={n_jobs}"))


def test_a_job_that_cannot_run_leaves_its_worker_as_it_was(tmp_path, capfd):
    (tmp_path / "cwd").mkdir()
    before = (Path.cwd(), list(sys.path), dict(os.environ), list(sys.argv))
    work = Work(b"no pickle", b"", tmp_path, "0000-abc", tmp_path / "cwd", threads=1)
    reason = perform(work)

    assert reason is not None
    assert reason.startswith("UnpicklingError")
    assert (Path.cwd(), list(sys.path), dict(os.environ), list(sys.argv)) == before
    os.write(1, b"the worker's own\n")
    assert capfd.readouterr().out == "the worker's own\n"


def test_a_queued_job_does_nothing_once_another_process_runs_the_sweep(tmp_path):
    write_owner(tmp_path)
    work = Work(b"", b"", tmp_path, "0000-abc", tmp_path, threads=1)
    assert perform_owned(work, None) == "another process runs the sweep by now"
    assert not (tmp_path / "runs").exists()
    assert "UnpicklingError" not in str(perform_owned(work, this_process())).split(":")[1]


def test_a_folder_is_the_same_after_its_journey(tmp_path):
    (tmp_path / "run/log").mkdir(parents=True)
    (tmp_path / "run/log/metrics.arrow").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "run/config.yaml").write_text("a: 1\n")
    unpack_folder(pack_folder(tmp_path / "run"), tmp_path / "back")
    assert files(tmp_path / "back") == files(tmp_path / "run")


def test_a_folder_that_travels_writes_nowhere_else(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO(b""))
    with pytest.raises(tarfile.TarError):
        unpack_folder(buffer.getvalue(), tmp_path / "run")
    assert not (tmp_path / "outside").exists()


def files(folder: Path) -> dict[Path, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in paths}
