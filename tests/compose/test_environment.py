"""How a process learns that it is a further rank of a run."""

from provrunner.compose.environment import (
    JoinedRun,
    available_cores,
    gpu_names,
    joined_run,
    may_be_further_rank,
    set_joined_run,
    shared_folder,
)

RUN = JoinedRun(folder="outputs/x", number=3, config="seed: 0\n")


def test_a_rank_above_zero_finds_the_run_it_belongs_to():
    environ = {"LOCAL_RANK": "1"}
    set_joined_run(RUN, environ)
    assert joined_run(environ) == RUN


def test_rank_zero_and_plain_processes_start_on_their_own():
    environ: dict[str, str] = {}
    set_joined_run(RUN, environ)
    assert joined_run(environ) is None
    assert joined_run({**environ, "LOCAL_RANK": "0"}) is None
    assert joined_run({"LOCAL_RANK": "1"}) is None


def test_gpus_have_the_names_by_which_the_process_was_given_them():
    assert gpu_names(2, {"CUDA_VISIBLE_DEVICES": "2,GPU-3f"}) == ["2", "GPU-3f"]
    assert gpu_names(2, {}) == ["0", "1"]
    assert gpu_names(0, {"CUDA_VISIBLE_DEVICES": ""}) == []


def test_there_is_always_a_core():
    assert available_cores() >= 1


def test_further_ranks_of_a_script_share_the_first_ones_folder(tmp_path):
    environ: dict[str, str] = {}
    first = shared_folder(lambda: tmp_path / "first", environ)
    second = shared_folder(lambda: tmp_path / "second", {**environ, "LOCAL_RANK": "1"})
    assert first == second == tmp_path / "first"


def test_a_second_callback_of_the_same_process_gets_a_folder_of_its_own(tmp_path):
    environ: dict[str, str] = {}
    shared_folder(lambda: tmp_path / "first", environ)
    assert shared_folder(lambda: tmp_path / "second", environ) == tmp_path / "second"


def test_every_launchers_word_for_a_further_rank_is_known():
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK"):
        assert may_be_further_rank({name: "1"})
        assert not may_be_further_rank({name: "0"})
    assert not may_be_further_rank({})
