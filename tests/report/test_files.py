"""Derived files are whole or not there, also when their writers are killed."""

from __future__ import annotations

import os
import subprocess
import sys

from provrunner.report.files import replace_file, temporary_beside

_KILLED_IN_A_WRITE = """
import os, signal, sys
from pathlib import Path
from provrunner.report.files import replace_file

def write(path):
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

replace_file(Path(sys.argv[1]), write)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path):
    path = tmp_path / "summary.json"
    killed = subprocess.run([sys.executable, "-c", _KILLED_IN_A_WRITE, str(path)], check=False)
    assert killed.returncode == -9
    assert [left.read_text() for left in tmp_path.iterdir()] == ["half"]
    replace_file(path, lambda temporary: temporary.write_text("whole"))
    assert {left.name: left.read_text() for left in tmp_path.iterdir()} == {"summary.json": "whole"}


def test_what_a_living_writer_is_writing_stays(tmp_path):
    writing = temporary_beside(tmp_path / "summary.json")
    writing.write_text("half")
    replace_file(tmp_path / "summary.json", lambda temporary: temporary.write_text("whole"))
    assert writing.read_text() == "half"


def test_what_another_machine_left_stays_for_an_hour(tmp_path):
    left = tmp_path / ".summary.json.00000000-1-00000000.tmp"
    left.mkdir()
    temporary_beside(tmp_path / "summary.json")
    assert left.is_dir()
    os.utime(left, (0, 0))
    temporary_beside(tmp_path / "summary.json")
    assert not left.exists()
