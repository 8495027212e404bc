"""Wrong words and files: one message that helps, exit code 2, and nothing written."""

from pathlib import Path

import pytest
from support.processes import run, run_anew

from provrunner.cli import main
from provrunner.log import write_plan
from provrunner.plan import Objective, Plan

WRONG = [
    # words, what the message must hold
    (["+sweep=lr_grd"], ["lr_grd", "lr_grid"]),
    (["+swep=lr_grid"], ["swep", "sweep"]),
    (["model=mpl"], ["mpl", "mlp"]),
    (["optimizer.lrr=0.1"], ["optimizer.lrr", "optimizer.lr"]),
    (["-m", "optimizer.lrr=0.1,0.2"], ["optimizer.lrr", "optimizer.lr"]),
    (["optimizer.lr=abc"], ["optimizer.lr", "abc"]),
    (["-m", "optimizer.lr=0.1,abc"], ["optimizer.lr", "abc"]),
    (["trainer.max_epochs=2.5"], ["trainer.max_epochs", "2.5"]),
    (["-m", "optimizer.lr=choice(0.1)"], ["optimizer.lr", "1 level"]),
    (["-m", "optimizer.lr=0.1,0.1"], ["optimizer.lr", "0.1"]),
    (["-m", "optimizer.lr=interval(0.1,1)"], ["optimizer.lr", "interval"]),
    (["-m", "optimizer.lr=range(0,10,0.001)"], ["10000"]),
    (["optimizer.lr=[0.1"], ["optimizer.lr=[0.1"]),
    (["+sweep=empty"], ["empty.yaml"]),
    (["+sweep=misspelt"], ["optimizer.lrate", "misspelt.yaml", "optimizer.lr"]),
    (["+sweep=broken"], ["broken.yaml"]),
    (["+sweep=lr_grid", "sweep.design=gird"], ["gird", "grid"]),
    (["+sweep=lr_grid", "sweep.objective.direction=minimise"], ["minimise", "minimize"]),
    (["+sweep=lr_grid", "sweep.replicates=0"], ["replicates", "0"]),
    (["+sweep=lr_grid", "sweep.replicate=3"], ["sweep.replicate", "sweep.replicates"]),
    (["+sweep=lr_grid", "capture.exclude=[opt*]"], ["opt*", "optimizer.lr", "swept"]),
    (["capture.exclude=[val/loss]"], ["val/loss", "objective"]),
    (["model._target_=provrunner.zoo.MPL"], ["provrunner.zoo.MPL"]),
    (["+model.widht=3"], ["widht", "width"]),
    (["data=table", "data.path=mesures.csv", "data.target=y"], ["mesures.csv", "measures.csv"]),
    (["data=table", "data.path=measures.csv", "data.target=yeild"], ["yeild", "yield"]),
    (["output=a_file/outputs"], ["a_file"]),
    (["folder=taken"], ["taken", "already holds", "old_sweep"]),
    (["--config-dir", "cnof"], ["cnof", "conf"]),
    (["sumary"], ["sumary", "summary"]),
    (["summary", "conf"], ["conf", "no sweep"]),
    (["summary", "takn"], ["takn", "taken"]),
    (["report", "measures.csv"], ["measures.csv"]),
    (["query", "selct 1", "taken"], ["selct"]),
    (["query", "from rnus", "taken"], ["rnus", "runs"]),
    (["query", "select nope from runs", "taken"], ["nope"]),
    (["ask", "overfiting", "taken"], ["overfiting", "overfitting"]),
    (["ask", "curve", "rum=1", "taken"], ["rum", "run"]),
    (["ask", "importance", "takn"], ["takn", "taken"]),
    (["watch", "takn"], ["takn", "taken"]),
    (["watch", "conf"], ["conf", "no sweep"]),
    (["lineage", "no-such-thing", "taken"], ["no-such-thing"]),
    (["summary", "--format", "xml", "taken"], ["xml"]),
]  # fmt: skip

PLAN = Plan("s", "old_sweep", "2026-01-01T00:00:00Z", Objective("val/loss"), "grid", (), ())


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's configuration, data, an old sweep and a file in the way."""
    sweeps = tmp_path / "conf" / "sweep"
    sweeps.mkdir(parents=True)
    head = "# @package _global_\n"
    (sweeps / "empty.yaml").write_text(head + "sweep: {name: empty, design: grid, params: {}}\n")
    (sweeps / "misspelt.yaml").write_text(
        head + "sweep: {name: misspelt, params: {optimizer.lrate: 'choice(0.1, 0.2)'}}\n"
    )
    (sweeps / "broken.yaml").write_text(head + "sweep: {name: broken\n  params: [\n")
    (tmp_path / "measures.csv").write_text("a,b,yield\n1,2,3\n2,3,4\n")
    (tmp_path / "a_file").write_text("in the way")
    (tmp_path / "taken" / "runs").mkdir(parents=True)
    write_plan(tmp_path / "taken", PLAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _listing(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(("words", "said"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_input_gets_one_message_and_loses_nothing(workplace, capsys, words, said):
    before = _listing(workplace)

    with pytest.raises(SystemExit) as ended:
        main(words)

    output = capsys.readouterr()
    assert ended.value.code == 2
    assert output.out == ""
    assert "Traceback" not in output.err
    assert len(output.err.strip().splitlines()) <= 4
    for fragment in said:
        assert fragment in output.err
    assert _listing(workplace) == before


def test_torchrun_is_told_that_runs_start_their_ranks_themselves(workplace, capsys, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit) as ended:
        main(["model=mlp"])
    assert ended.value.code == 2
    assert "trainer.devices=2 trainer.strategy=ddp" in capsys.readouterr().err
    assert not (workplace / "outputs").exists()


@pytest.mark.parametrize("start", [run, run_anew])
def test_a_process_of_its_own_says_the_same(workplace, start):
    ended = start(["+sweep=lr_grd"], workplace)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "lr_grid" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_verify_tells_a_folder_without_a_sweep_apart(workplace, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["verify", "conf"])
    assert ended.value.code == 3
    assert "conf" in capsys.readouterr().err
