from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from multiprocessing import get_context

import pytest
from support.processes import wait_for

from provrunner.errors import LogError
from provrunner.log.liveness import Owner, is_alive, own_sweep, this_process


def test_the_calling_process_is_alive_without_any_heartbeat():
    assert is_alive(this_process(), None)


def test_a_process_that_ended_is_dead_even_while_it_waits_to_be_reaped():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(this_process(), pid=str(process.pid), process_start="")
    assert is_alive(owner, None)
    process.stdin.close()
    while is_alive(owner, 0.0):
        pass  # until the zombie is there; nobody has reaped it yet
    assert process.returncode is None
    process.wait()
    assert not is_alive(owner, 0.0)


def test_a_process_that_took_over_the_pid_is_another():
    assert not is_alive(replace(this_process(), process_start="1"), 1e12, now=1e12)


def test_before_the_last_boot_everything_is_dead():
    assert not is_alive(replace(this_process(), boot_id="before"), 1e12, now=1e12)


def test_on_another_machine_the_heartbeat_decides():
    owner = replace(this_process(), host="elsewhere")
    assert is_alive(owner, 1000.0, now=1059.0)
    assert not is_alive(owner, 1000.0, now=1061.0)
    assert not is_alive(owner, None)


def test_an_owner_survives_its_metadata():
    owner = this_process()
    assert Owner.from_metadata(owner.to_metadata()) == owner
    assert Owner.from_metadata({}) == Owner()


def test_a_sweep_is_run_by_one_process_at_a_time(tmp_path):
    refused = pytest.raises(
        LogError, match=r"is being run by process \d+ on .*owner.0.claim says so"
    )
    with own_sweep(tmp_path), refused, own_sweep(tmp_path):
        pass
    with own_sweep(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_process_claimed_is_taken_over(tmp_path):
    dead = replace(this_process(), pid=str(2**22 + 1))
    (tmp_path / "owner.0.claim").write_text(json.dumps(dead.to_metadata()))
    with own_sweep(tmp_path) as takeover:
        assert json.loads((tmp_path / "owner.1.claim").read_text())["pid"] == this_process().pid
        assert (takeover.tell(), takeover.tell()) == ((dead,), ())
        assert [path.name for path in tmp_path.iterdir()] == ["owner.1.claim"]
    assert list(tmp_path.iterdir()) == []


def test_a_claim_is_told_of_by_the_next_one_where_the_first_had_no_time_to(tmp_path):
    dead = replace(this_process(), pid=str(2**22 + 1))
    (tmp_path / "owner.0.claim").write_text(json.dumps(dead.to_metadata()))
    with pytest.raises(RuntimeError, match="too early"), own_sweep(tmp_path):
        raise RuntimeError("too early")
    with own_sweep(tmp_path) as takeover:
        assert takeover.tell() == (dead,)


def test_a_claim_that_says_nothing_yet_is_a_living_one_until_it_is_old(tmp_path):
    claim = tmp_path / "owner.3.claim"
    claim.touch()
    with pytest.raises(LogError, match="being run by another process"), own_sweep(tmp_path):
        pass
    os.utime(claim, (1000.0, 1000.0))
    with own_sweep(tmp_path):
        assert (tmp_path / "owner.4.claim").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_claim_of_another_machine_holds_while_it_is_touched(tmp_path):
    claim = tmp_path / "owner.0.claim"
    claim.write_text(json.dumps(replace(this_process(), host="elsewhere").to_metadata()))
    with pytest.raises(LogError, match="on elsewhere"), own_sweep(tmp_path):
        pass
    os.utime(claim, (1000.0, 1000.0))
    with own_sweep(tmp_path):
        pass


def test_a_claim_is_touched_as_long_as_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr("provrunner.log.liveness.STALE_S", 0.04)
    with own_sweep(tmp_path):
        (claim,) = tmp_path.iterdir()
        os.utime(claim, (1000.0, 1000.0))
        wait_for(lambda: claim.stat().st_mtime > 1000.0)


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path):
    with (
        pytest.raises(LogError, match=r"cannot write .*owner\.0\.claim"),
        own_sweep(tmp_path / "no"),
    ):
        pass


def test_only_one_of_many_processes_takes_over(tmp_path):
    dead = replace(this_process(), pid=str(2**22 + 1))
    (tmp_path / "owner.0.claim").write_text(json.dumps(dead.to_metadata()))
    context = get_context("fork")
    results = context.Queue()
    start = context.Event()

    def take() -> None:
        start.wait()
        try:
            with own_sweep(tmp_path):
                results.put("owner")
                done.wait()
        except LogError:
            results.put("refused")

    done = context.Event()
    others = [context.Process(target=take) for _ in range(8)]
    for other in others:
        other.start()
    start.set()
    said = [results.get(timeout=60) for _ in others]
    done.set()
    for other in others:
        other.join()
    assert sorted(said) == ["owner", *["refused"] * 7]
