"""What engines share; sweeps on them are in tests/end_to_end/test_engines.py."""

from __future__ import annotations

import io
import os
import re
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from provrunner.compose import compose_config
from provrunner.compose.launchers import LAUNCHERS, check_launcher
from provrunner.errors import ConfigError, ProvrunnerError
from provrunner.log import write_plan
from provrunner.log.liveness import this_process, write_owner
from provrunner.plan import Objective, Plan, Point
from provrunner.run.engines import Ended, Job, Share, ray_tasks, submitit_jobs
from provrunner.run.engines.store import Store, sending
from provrunner.run.engines.submitit_jobs import perform_owned
from provrunner.run.engines.transfer import (
    Returned,
    pack_folder,
    replace_folder,
    unpack_folder,
)
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


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Iterator[Store]:
    """A store of each kind; that of S3 is a server on this machine."""
    if request.param == "file":
        yield Store(f"file://{tmp_path}/store")
        return
    pytest.importorskip("s3fs", reason="pip install 'provrunner[cluster]'")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:
        yield Store("s3://bucket/sweeps/")
    finally:
        server.stop()


def test_a_store_keeps_the_last_bytes_until_they_are_taken(store):
    assert store.take("sweep/0000.tar") is None
    store.put("sweep/0000.tar", b"first")
    store.put("sweep/0000.tar", bytes(range(256)) * 1000)
    assert store.take("sweep/0000.tar") == bytes(range(256)) * 1000
    assert store.take("sweep/0000.tar") is None
    store.put("sweep/0000.tar", b"of an attempt before")
    store.remove("sweep/0000.tar")
    store.remove("sweep/0000.tar")
    assert store.take("sweep/0000.tar") is None


@pytest.mark.parametrize("url", ["nowhere://bucket", "s4://x"])
def test_a_store_of_no_known_kind_is_refused(url):
    with pytest.raises(ConfigError, match=rf"hydra\.launcher\.store: {url}: Protocol not known"):
        Store(url).check()


def test_what_is_sent_now_and_then_is_sent_again_after_a_failure():
    sent = []
    enough = threading.Event()

    def send():
        sent.append(len(sent))
        if len(sent) == 1:
            raise RuntimeError("away for a moment")  # what raises is the store's own affair
        enough.set()

    with sending(send, often_s=0.01):
        assert enough.wait(60)
    assert not any(one.name == "provrunner-sending" for one in threading.enumerate())


def test_a_folder_that_comes_back_takes_the_place_of_the_one_that_went(tmp_path):
    home = tmp_path / "sweep/runs/0000-abc"
    home.mkdir(parents=True)
    (home / "old.ckpt").write_bytes(b"old")
    (tmp_path / "away").mkdir()
    (tmp_path / "away/new.ckpt").write_bytes(b"new")
    packed = pack_folder(tmp_path / "away")

    with pytest.raises(tarfile.TarError):
        replace_folder(packed[:700], home)
    assert files(home) == {Path("old.ckpt"): b"old"}
    replace_folder(packed, home)
    assert files(home) == {Path("new.ckpt"): b"new"}
    assert [path.name for path in (tmp_path / "sweep").iterdir()] == ["runs"]


def files(folder: Path) -> dict[Path, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def test_a_scheduler_that_takes_no_further_job_is_told_of_as_such(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    for name, script in {"srun": "exit 0", "sbatch": "echo QOSMaxSubmitJob >&2; exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    packer = SimpleNamespace(pack=lambda job: job)
    monkeypatch.setattr(submitit_jobs, "Packer", lambda *_, **__: packer)
    (tmp_path / "s").mkdir()
    engine = submitit_jobs.SubmititJobs(
        Share(None, None, None, tmp_path / "s", None), cluster="slurm"
    )
    with pytest.raises(ProvrunnerError, match=r"takes no further job: .*QOSMaxSubmitJob"):
        engine.start([Job(0, None, (), tmp_path / "s/runs/0")])


class RayInPlace:
    """As much of Ray as the engine calls, with tasks that are run where they are asked for."""

    class exceptions:
        class RayError(Exception):
            pass

    def __init__(self, task):
        self.task, self.results = task, []

    def is_initialized(self):
        return True

    def cluster_resources(self):
        return {"CPU": 1}

    def remote(self, _function):
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._call))

    def _call(self, *given):
        self.results.append(self.task(*given))
        return len(self.results) - 1

    def wait(self, references, **_):
        return references, []

    def get(self, reference):
        return self.results[reference]


@pytest.fixture
def ray_engine(tmp_path, monkeypatch):
    """Makes Ray's engine with a store, whose tasks are a function of the job and its parcel."""
    plan = Plan("one-of-its-kind", "s", "", Objective("loss"), "list", (), ())
    (tmp_path / "s/runs").mkdir(parents=True)
    write_plan(tmp_path / "s", plan)
    packer = SimpleNamespace(pack=lambda job: job)
    monkeypatch.setattr(ray_tasks, "Packer", lambda *_, **__: packer)

    def make(task):
        monkeypatch.setattr(ray_tasks, "import_extra", lambda *_: RayInPlace(task))
        share = Share(None, None, None, tmp_path / "s", plan)
        engine = ray_tasks.RayTasks(share, store=f"file://{tmp_path}/store")
        point = Point(0, "0000-00000000", "t", 0, 0, {})
        return engine, Job(0, point, (), tmp_path / "s/runs/0000-00000000")

    return make


def test_what_an_attempt_before_sent_to_the_store_replaces_nothing(ray_engine, tmp_path):
    def write_here(job, parcel):
        job.folder.mkdir()
        (job.folder / "whole").write_text("by a worker that sees the folder")
        return Returned(None)

    engine, job = ray_engine(write_here)
    (tmp_path / "before").mkdir()
    store = Store(f"file://{tmp_path}/store")
    store.put("one-of-its-kind/0000-00000000.tar", pack_folder(tmp_path / "before"))
    engine.start([job])
    assert engine.wait(1.0) == [Ended(job)]
    assert [path.name for path in job.folder.iterdir()] == ["whole"]


def test_a_folder_that_does_not_come_back_costs_its_run_alone(ray_engine):
    def send_no_archive(_job, parcel):
        parcel.store.put(parcel.name, b"no archive")
        return Returned(None)

    engine, job = ray_engine(send_no_archive)
    engine.start([job])
    [ended] = engine.wait(1.0)
    assert "its folder did not come back" in ended.died
