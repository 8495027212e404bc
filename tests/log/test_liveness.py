from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from provrunner.errors import LogError
from provrunner.log.liveness import Owner, is_alive, own_sweep, this_process, write_owner


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
    write_owner(tmp_path)
    refused = pytest.raises(LogError, match=r"is being run by process \d+ on ")
    with own_sweep(tmp_path), refused, own_sweep(tmp_path):
        pass
    with own_sweep(tmp_path):
        pass
