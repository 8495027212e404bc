from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from support import question_sweep as told
from support.question_sweep import EPOCHS, FAILED, LAST

from provrunner.cli import main
from provrunner.errors import LogError
from provrunner.log import ArrowSink, run_folder
from provrunner.log.liveness import is_alive, read_owner, write_owner
from provrunner.report import open_sweep, watch
from provrunner.report.standing import Follower
from provrunner.report.watch import standing_lines
from provrunner.schema import RunStatus

POINTS = told.make_plan().points


def screen(*, terminal: bool = False, width: int = 300, height: int = 40) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, height=height)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def follow_live(folder: Path, console: Console) -> list[int]:
    """Watch the last run while it is told an epoch at each pause, then sealed."""
    records = told.tell(POINTS[LAST]).records
    sink = ArrowSink(run_folder(folder, POINTS[LAST].run_id), sweep_id="s", run_id="0011-x")
    left = [records[start : start + 15] for start in range(0, len(records), 15)]
    pauses = []

    def pause(_seconds: float) -> None:
        pauses.append(len(left))
        if len(pauses) == 1:
            sink.open(0)
        if left:
            sink.write(left.pop(0))
        elif len(pauses) > 1:
            sink.close(RunStatus.FINISHED)

    write_owner(folder)
    watch(folder, console=console, pause=pause)
    return pauses


def test_a_finished_sweep_is_shown_as_it_ended(tmp_path):
    folder = told.write_sweep(tmp_path)
    console = screen()
    standing = watch(folder, once=True, console=console)
    lines = text_of(console).splitlines()
    assert lines[0] == "asked  12/12  1 failed, 11 finished"
    assert lines[1].startswith("  0010-1d589185 failed")
    assert lines[-1] == "ended"
    assert (standing.is_over, standing.is_lost) == (True, False)


def test_a_damaged_seal_costs_its_run_alone(tmp_path):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    damaged = POINTS[0].run_id
    seal = run_folder(folder, damaged) / "log" / "seal.json"
    seal.write_bytes(seal.read_bytes()[:-40])
    console = screen()
    follow_live(folder, console)
    lines = text_of(console).splitlines()
    assert lines[0].startswith("asked  11/12  1 failed, 9 finished, 1 lost, 1 planned")
    assert any(line.startswith(f"  {damaged} lost  its seal.json is damaged") for line in lines)
    assert any(f"{POINTS[LAST].run_id} finished" in line for line in lines)
    assert lines[-1] == "ended"


def test_a_live_run_is_shown_with_epoch_objective_rate_pace_and_time_left(tmp_path):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    sink = told.write_last(folder, 2)
    standing = watch(folder, once=True, console=screen())
    head, live, *_ = standing_lines(standing)
    assert head == "asked  11/12  1 failed, 10 finished, 1 running  about 4.1 s left"
    loss = told.val_loss(POINTS[LAST], 1)
    assert live == (
        f"  {POINTS[LAST].run_id}  epoch 2 of 4  val/loss {loss:.3f} (best {loss:.3f})  lr 0.100"
        "  2.0 s an epoch  about 4.1 s left  (model.width=16, optimizer.lr=0.1, seed 2)"
    )
    assert not standing.is_over
    sink.close(RunStatus.FINISHED)


def test_it_follows_the_log_to_its_end_with_a_line_for_each_run_that_ended(tmp_path):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    console = screen()
    pauses = follow_live(folder, console)
    lines = text_of(console).splitlines()
    assert len(pauses) > 3
    assert lines[0].startswith("asked  11/12  1 failed, 10 finished, 1 planned  about ")
    assert [line for line in lines if line.startswith("[")] == [
        f"[12/12] {POINTS[LAST].run_id} finished  val/loss 0.898  8.6 s"
        "  (model.width=16, optimizer.lr=0.1, seed 2)"
    ]
    assert lines[-1] == "ended"


def test_on_a_terminal_the_picture_is_drawn_anew(tmp_path):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    console = screen(terminal=True)
    follow_live(folder, console)
    shown = text_of(console)
    assert "11/12  1 failed, 10 finished, 1 planned" in shown
    assert "11/12  1 failed, 10 finished, 1 running" in shown
    assert "12/12  1 failed, 11 finished" in shown


def test_a_narrow_terminal_shows_whole_lines_folded(tmp_path):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    console = screen(terminal=True, width=44)
    follow_live(folder, console)
    shown = text_of(console)
    assert "…" not in shown
    assert all(len(line) <= 44 for line in re.sub(r"\x1b\[\d*\w", "", shown).splitlines())
    assert re.search(r"an epoch\s+about \d", shown)
    assert "seed 2)" in shown


def test_a_low_terminal_leaves_out_live_runs_and_keeps_failures_and_the_best(tmp_path, monkeypatch):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    standing = Follower(folder).poll()
    for run in standing.runs[:8]:
        run.status = RunStatus.RUNNING
    assert len(standing_lines(standing)) == 11
    console = screen(terminal=True, height=7)
    monkeypatch.setattr(Follower, "poll", lambda _: standing)

    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(folder, console=console, pause=stop)
    lines = [line.rstrip() for line in text_of(console).splitlines()][:7]
    assert [line for line in lines if "starting" in line or "epoch" in line] == lines[1:4]
    assert lines[4] == "  5 more under way"
    assert lines[5].split()[1] == "failed"
    assert lines[6].startswith("  best so far")


def test_what_it_follows_is_what_a_fresh_look_sees(tmp_path):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    follower = Follower(folder)
    follower.poll()
    sink = told.write_last(folder, EPOCHS - 1)
    followed, fresh = follower.poll().runs[LAST], Follower(folder).poll().runs[LAST]
    assert vars(followed) == vars(fresh)
    assert (followed.epoch, len(followed.ended), followed.epochs) == (3, 3, 4)
    sink.close(RunStatus.FINISHED)


def test_a_sweep_whose_process_was_killed_is_lost_and_ends_the_watch(tmp_path):
    folder = told.write_sweep(tmp_path, without=(FAILED, LAST))
    program = (
        "import sys; from pathlib import Path; from provrunner.log.liveness import write_owner;"
        "from support import question_sweep as told; folder = Path(sys.argv[1]);"
        "write_owner(folder); sink = told.write_last(folder, 2);"
        "print('written', flush=True); sys.stdin.read()"
    )
    tests = str(Path(told.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": tests},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"written\n"
    looks = []

    def pause(_seconds: float) -> None:
        looks.append(Follower(folder).poll().is_over)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    console = screen()
    standing = watch(folder, console=console, pause=pause)
    lines = text_of(console).splitlines()
    assert looks == [False]
    assert lines[-2].startswith(f"[11/12] {POINTS[LAST].run_id} lost")
    assert "its process is gone" in lines[-2]
    assert lines[-1] == "lost: the sweep's process is gone; 1 lost under way, 1 not begun"
    assert standing.is_lost


def test_a_sweep_stopped_on_purpose_is_not_lost(tmp_path):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    old = time.time() - 3600
    for path in [folder, folder / "runs", *(folder / "runs").glob("*/log")]:
        os.utime(path, (old, old))
    standing = watch(folder, once=True, console=screen())
    assert standing.is_over
    assert standing_lines(standing)[-1] == "stopped: 1 run not begun"


def test_a_quiet_sweep_without_an_owner_is_given_its_patience(tmp_path):
    folder = told.write_sweep(tmp_path, without=(LAST,))
    assert not Follower(folder).poll().is_over
    assert Follower(folder, patience_s=0.0).poll().is_over


def test_the_owner_of_a_sweep_is_known_to_other_processes(tmp_path):
    assert read_owner(tmp_path) is None
    write_owner(tmp_path)
    owner = read_owner(tmp_path)
    assert owner is not None
    assert owner.pid == str(os.getpid())
    assert is_alive(owner, None)
    (tmp_path / "owner.json").write_text("[")
    assert read_owner(tmp_path) is None


def test_a_resumed_run_is_timed_without_its_pause_and_an_epoch_done_again_counts_once(tmp_path):
    folder = told.write_sweep(tmp_path, without=range(12))
    writer = subprocess.Popen(
        [sys.executable, told.__file__, str(folder), "2"], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    follower = Follower(folder)
    follower.poll()

    story = told.Story(POINTS[LAST], mono_ns=time.monotonic_ns() + 1000 * told.SECOND)
    story.begin()
    for epoch in range(EPOCHS):
        story.start_epoch(epoch)
        story.end_epoch(epoch)
    sink = told.write_story(folder, story, {})
    for run in (follower.poll().runs[LAST], Follower(folder).poll().runs[LAST]):
        assert run.duration_s == pytest.approx(4.1 + 8.6)
        assert run.ended == set(range(EPOCHS))
    assert open_sweep(folder).runs["duration_s"][LAST].as_py() == pytest.approx(4.1 + 8.6)
    sink.close(RunStatus.FINISHED)


def test_what_went_wrong_before_the_last_five_is_counted(tmp_path):
    folder = told.write_sweep(tmp_path)
    standing = Follower(folder).poll()
    for run in standing.runs[:8]:
        run.status, run.reason = RunStatus.DIVERGED, "val/loss is nan"
    lines = standing_lines(standing)
    assert lines[1] == "  4 more went wrong before"
    assert sum("val/loss is nan" in line for line in lines) == 4


@pytest.mark.parametrize(("without", "code"), [((), 1), ((FAILED,), 0)])
def test_the_verb_tells_by_its_exit_code_whether_all_went_well(tmp_path, capsys, without, code):
    folder = told.write_sweep(tmp_path, without=without)
    with pytest.raises(SystemExit) as ended:
        main(["watch", str(folder), "--once"])
    assert ended.value.code == code
    assert capsys.readouterr().out.startswith("asked  ")


def test_there_is_nothing_to_watch_where_there_is_no_sweep(tmp_path):
    with pytest.raises(LogError, match="no sweep folder"):
        watch(tmp_path / "none", once=True)
