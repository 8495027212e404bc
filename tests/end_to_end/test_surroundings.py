"""Odd machines, odd users, secrets lying about, and processes killed beside the training."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.processes import SMALL, Program, only_sweep, run, wait_for

import provrunner
from provrunner.log import read_log

pytestmark = pytest.mark.slow

ONE = [*SMALL, "trainer.max_epochs=1", "sweep.name=odd"]


def statuses(cwd):
    return provrunner.open_sweep(only_sweep(cwd)).runs["status"].to_pylist()


def bare_environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, **more}


def nobody():
    """Become a user without a passwd entry, who still may read where Python lies."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return []
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *rights, "--"]


def test_it_runs_for_nobody_with_no_home_no_terminal_the_c_locale_and_no_assertions():
    folder = Path(tempfile.mkdtemp(prefix="provrunner-nobody-"))
    folder.chmod(0o777)
    words = [*nobody(), sys.executable, "-O", "-m", "provrunner"]
    # Nobody may write beside the libraries, which are compiled for -O by each process else.
    cache = {"PYTHONPYCACHEPREFIX": str(folder / "cache")}
    environ = bare_environment(LC_ALL="C", PYTHONUTF8="0", HOME="/proc", **cache)
    alone = {"cwd": folder, "env": environ, "stdin": subprocess.DEVNULL, "start_new_session": True}
    try:
        ended = subprocess.run([*words, *ONE], capture_output=True, check=False, **alone)
        assert ended.returncode == 0, ended.stderr
        assert statuses(folder) == ["finished"]
        log = next(only_sweep(folder).glob("runs/*/log/metrics.arrow"))
        data = bytearray(log.read_bytes())
        data[len(data) // 2] ^= 1
        log.write_bytes(data)
        verified = subprocess.run([*words, "verify"], capture_output=True, check=False, **alone)
        assert verified.returncode == 1
    finally:
        shutil.rmtree(folder)


def test_without_docstrings_a_sweep_is_refused_before_it_runs(tmp_path):
    words = [sys.executable, "-OO", "-m", "provrunner", *ONE]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "use python -O" in ended.stderr
    assert not (tmp_path / "outputs").exists()


SECRETS = {
    "environment": "vR7mQ2xW9tLkE4",
    "configuration": "hUnTeR2sEcReT",
    "dsn": "pOsTgReSpAsS77",
    "remote": "rEmOtEpAsS5511",
    "token": "ghp_" + "a1B2c3D4e5" * 4,
}


def everything(folder):
    """All bytes of a folder, and all texts of its tables, which are compressed on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()
        if path.suffix == ".arrow":
            yield path, str(pa.ipc.open_file(path.read_bytes()).read_all().to_pydict()).encode()
        if path.suffix == ".parquet":
            yield path, str(pq.ParquetFile(path).read().to_pydict()).encode()


def test_no_secret_of_environment_configuration_remote_or_patch_is_in_any_file(
    tmp_path, monkeypatch
):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    remote = f"https://me:{SECRETS['remote']}@example.org/x.git"
    subprocess.run([*git, "remote", "add", "origin", remote], check=True)
    (tmp_path / "store.py").write_text(
        "import lightning\n"
        "class Store(lightning.Callback):\n"
        "    def __init__(self, password, dsn): self.dsn = dsn\n"
        "    def on_train_start(self, trainer, module):\n"
        "        print('connecting')\n"
    )
    subprocess.run([*git, "add", "store.py"], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    with (tmp_path / "store.py").open("a") as file:
        file.write(f"TOKEN = '{SECRETS['token']}'\nKEY = '{SECRETS['environment']}'\n")
    words = [
        *ONE, "capture.level=full",
        "+trainer.callbacks.store._target_=store.Store",
        f"+trainer.callbacks.store.password={SECRETS['configuration']}",
        f"+trainer.callbacks.store.dsn='postgresql://me:{SECRETS['dsn']}@db/x'",
    ]  # fmt: skip
    monkeypatch.setenv("SERVICE_API_KEY", SECRETS["environment"])
    ended = run(words, tmp_path)
    assert ended.returncode == 0, ended.stderr
    sweep = only_sweep(tmp_path)
    found = {
        (name, path.relative_to(sweep).as_posix())
        for path, data in everything(sweep)
        for name, secret in SECRETS.items()
        if secret.encode() in data
    }
    assert found == set()
    patch = provrunner.open_sweep(sweep).sql("select data from events where kind = 'code'")
    assert "TOKEN" in patch.fetchall()[0][0]


def test_what_is_excluded_is_in_no_file(tmp_path):
    (tmp_path / "hidden_place.csv").write_text("a,b,y\n" + "1.5,2.5,3.5\n2.5,1.5,4.5\n" * 20)
    words = [
        *ONE,
        "data=table", "data.path=hidden_place.csv", "data.target=y", "reason=hidden_purpose",
        "capture.exclude=[data.path,reason,train/*,environment,layer,agent]",
    ]  # fmt: skip
    ended = run(words, tmp_path)
    assert ended.returncode == 0, ended.stderr
    sweep = only_sweep(tmp_path)
    lost = [b"hidden_place", b"hidden_purpose", b"train/loss", b"aiohttp", b"network.0"]
    found = {
        (path.relative_to(sweep).as_posix(), word)
        for path, data in everything(sweep)
        for word in lost
        if word in data
    }
    assert found == set()
    kinds = {
        row[0] for row in provrunner.open_sweep(sweep).sql("select kind from events").fetchall()
    }
    assert kinds.isdisjoint({"environment", "layer", "agent"})


def rank_process(sweep_cwd, rank):
    """The process of a rank, once it has logged a step."""

    def found():
        for log in sweep_cwd.glob("outputs/*/*/runs/*/log"):
            metrics = read_log(log).table
            if rank not in set(metrics["rank"].to_pylist()):
                return None
            stream = log / f"metrics.r{rank}.0.arrows"
            return int(pa.ipc.open_stream(stream.read_bytes()).schema.metadata[b"pid"])
        return None

    return wait_for(found, 240)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_death_of_a_rank_ends_the_run_and_leaves_both_logs_readable(tmp_path, rank):
    words = ["trainer=ddp_cpu", *SMALL, "trainer.max_epochs=100000"]
    process = Program(words, tmp_path)
    try:
        os.kill(rank_process(tmp_path, rank), signal.SIGKILL)
        killed = time.monotonic()
        _, err = process.communicate(timeout=120)
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 1, err
    assert time.monotonic() - killed < 60
    assert statuses(tmp_path) == [{0: "lost", 1: "failed"}[rank]]
    metrics, state = read_log(next(only_sweep(tmp_path).glob("runs/*")))
    assert set(metrics["rank"].to_pylist()) == {0, 1}
    assert state == "complete"
