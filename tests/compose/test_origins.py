from omegaconf import open_dict

from provrunner.compose import compose_config, package_conf
from provrunner.compose.origins import config_leaves, source_of, task_overrides


def leaves_of(
    *arguments: str, axes: tuple[str, ...] = ()
) -> dict[str, tuple[object, str | None, str | None]]:
    config = compose_config(arguments, return_hydra_config=True)
    hydra_config = config.hydra
    with open_dict(config):
        del config["hydra"]
    leaves = config_leaves(config, hydra_config, axes)
    assert [leaf.name for leaf in leaves] == sorted(leaf.name for leaf in leaves)
    return {leaf.name: (leaf.value, leaf.origin, leaf.source) for leaf in leaves}


def test_each_value_has_the_origin_that_won(work):
    text = (
        "# @package _global_\ntrainer: {max_epochs: 20}\n"
        "sweep: {params: {optimizer.lr: 'choice(0.1, 0.2)'}, replicates: 2}\n"
    )
    sweep_file = str(work(conf__sweep__mine=text) / "conf/sweep/mine.yaml")
    conf = package_conf()
    leaves = leaves_of(
        "+sweep=mine",
        "optimizer.lr=0.1",
        "seed=1",
        "data.batch_size=8",
        axes=("optimizer.lr", "seed"),
    )
    assert leaves["optimizer.lr"] == (0.1, "axis", sweep_file)
    assert leaves["seed"] == (1, "axis", sweep_file)
    assert leaves["data.batch_size"] == (8, "command line", "command line")
    assert leaves["model.width"] == (64, "group choice", str(conf / "model/mlp.yaml"))
    assert leaves["trainer.max_epochs"] == (20, "file", sweep_file)
    assert leaves["on_error"] == ("continue", "default", str(conf / "config.yaml"))
    assert leaves["task.monitor"] == ("val/loss", "default", str(conf / "config.yaml"))
    assert leaves["capture.exclude"] == ([], "group choice", str(conf / "capture/default.yaml"))
    assert leaves["scheduler"] == (None, "group choice", str(conf / "scheduler/none.yaml"))
    assert not [name for name in leaves if name.startswith(("run.", "hydra"))]


def test_an_axis_of_the_command_line_says_so():
    leaves = leaves_of("optimizer.lr=0.1", axes=("optimizer.lr",))
    assert leaves["optimizer.lr"] == (0.1, "axis", "command line")


def test_the_values_of_a_swept_option_come_from_its_file():
    leaves = leaves_of("model=convnet", axes=("model",))
    assert leaves["model.width"] == (16, "axis", str(package_conf() / "model/convnet.yaml"))


def test_a_value_that_an_option_takes_over_from_another_comes_from_that_file():
    leaves = leaves_of("trainer=ddp_cpu")
    assert leaves["trainer.strategy"][2] == str(package_conf() / "trainer/ddp_cpu.yaml")
    assert leaves["trainer.max_epochs"][2] == str(package_conf() / "trainer/default.yaml")


def test_a_file_of_the_users_own_is_named(work):
    folder = work(conf__model__mine="_target_: my.Net\nsizes: [1, 2]\nempty: {}\n")
    leaves = leaves_of("model=mine")
    assert leaves["model.sizes"] == ([1, 2], "group choice", str(folder / "conf/model/mine.yaml"))
    assert leaves["model.empty"][0] == {}


def test_an_interpolation_on_the_command_line_is_kept_as_given():
    config = compose_config(["reason=${no.such}"], return_hydra_config=True)
    assert task_overrides(config.hydra) == ["reason=${no.such}"]
    assert source_of("reason", config.hydra) == "command line: 'reason=${no.such}'"


def test_without_hydras_node_no_source_is_known():
    assert source_of("optimizer.lr", None) == "configuration"
