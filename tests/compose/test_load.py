from pathlib import Path

import pytest
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl

from provrunner.compose import compose_config, config_folder, package_conf, user_conf
from provrunner.compose.load import extend_search_path, group_options
from provrunner.errors import ConfigError


def test_a_configuration_is_composed_where_there_is_no_conf_folder(work):
    work()
    config = compose_config(["model=convnet", "optimizer.lr=0.5"])
    assert (config.model._target_, config.optimizer.lr) == ("provrunner.zoo.ConvNet", 0.5)
    assert "hydra" not in config


def test_no_scheduler_is_null(work):
    work()
    assert compose_config([]).scheduler is None


def test_the_mode_of_the_checkpoint_follows_the_direction(work):
    work()
    config = compose_config(["sweep.objective.direction=maximize"])
    assert config.trainer.callbacks.checkpoint.mode == "max"


def test_an_option_of_the_users_own_conf_folder_can_be_chosen(work):
    work(conf__model__mine="_target_: my.Net\nwidth: 3\n")
    assert compose_config(["model=mine"]).model.width == 3


def test_the_users_option_hides_the_packages_option_of_the_same_name(work):
    work(conf__model__mlp="_target_: my.Net\n")
    assert compose_config([]).model._target_ == "my.Net"
    assert group_options("model") == ("convnet", "mlp", "transformer")


def test_a_named_folder_is_searched_in_place_of_conf(work):
    folder = work(conf__model__mine="_target_: a.A\n", other__model__mine="_target_: b.B\n")
    config = compose_config(["model=mine"], config_dir=folder / "other")
    assert config.model._target_ == "b.B"


def test_a_named_folder_that_is_missing_is_told_with_the_nearest(work):
    folder = work(configs__model__mine="a: 1\n")
    with pytest.raises(
        ConfigError, match=r"--config-dir: .*config is no folder; did you mean 'configs'"
    ):
        compose_config([], config_dir=folder / "config")


def test_sweeps_among_the_overrides_are_left_out(work):
    work()
    assert compose_config(["optimizer.lr=0.1,0.2", "model=glob(*)"]).optimizer.lr == 0.001


def test_the_packages_own_conf_is_no_conf_of_the_users():
    assert user_conf(package_conf().parent) is None


def test_the_search_path_of_another_hydra_application_is_left_as_it_is(work):
    work(conf__model__mine="a: 1\n")
    path = ConfigSearchPathImpl()
    path.append("hydra", "pkg://hydra.conf")
    path.append("main", "/somewhere/else")
    extend_search_path(path)
    assert [item.provider for item in path.get_path()] == ["hydra", "main"]


def test_the_users_folder_comes_before_the_packages(work):
    folder = work(conf__model__mine="a: 1\n", other__model__mine="a: 1\n")
    path = ConfigSearchPathImpl()
    path.append("hydra", "pkg://hydra.conf")
    extend_search_path(path)
    found = [(item.provider, item.path) for item in path.get_path()]
    assert found[1:] == [("user", str(folder / "conf")), ("provrunner", str(package_conf()))]
    with config_folder(Path("other")):
        named = ConfigSearchPathImpl()
        extend_search_path(named)
    assert named.get_path()[0].path == str(folder / "other")


def test_extending_a_search_path_twice_changes_nothing(work):
    work(conf__model__mine="a: 1\n")
    path = ConfigSearchPathImpl()
    extend_search_path(path)
    extend_search_path(path)
    assert len(path.get_path()) == 2


def test_a_group_outside_the_folders_has_no_options():
    assert group_options("../provrunner") == ()
    assert group_options("/etc") == ()


@pytest.mark.parametrize(
    ("override", "fragments"),
    [
        (
            "model=mlpp",
            [
                "command line: 'model=mlpp'",
                "'model' has no option 'mlpp'",
                "convnet, mlp",
                "'mlp'?",
            ],
        ),
        ("modle=mlp", ["'modle=mlp'", "no key 'modle'", "did you mean 'model'?"]),
        ("optimizer.lrr=1", ["no key 'optimizer.lrr'", "did you mean 'optimizer.lr'?"]),
        ("model.width.x=3", ["no key 'model.width.x'", "'model.width'?"]),
        ("zzz.qqq=3", ["no key 'zzz.qqq'", "+zzz.qqq=... adds a new one"]),
        ("optimizer.lr=[1", ["'optimizer.lr=[1' is not of the form", "choice(a, b)"]),
        ("a b=3", ["'a b=3' is not of the form"]),
        ("=3", ["no key before the '='"]),
        ("sweep=lr_grid", ["'sweep' is not among the defaults", "+sweep="]),
        ("+sweep=lrgrid", ["'sweep' has no option 'lrgrid'", "'lr_grid'?"]),
        ("model=null", ["'model' takes one of convnet, mlp, transformer"]),
        ("model=[mlp,convnet]", ["'model' takes one of"]),
        ("~model", ["every run needs one 'model'"]),
        ("~model.widht", ["'~model.widht'", "does not exist"]),
        ("+model.width=4", ["'+model.width=4'", "already at 'model.width'"]),
        ("++model=mlp", ["'++model=mlp'", "force-add"]),
        ("model@other=mlp", ["'model@other=mlp'"]),
        (
            "hydra/launcher=slurm",
            ["'hydra/launcher' has no option 'slurm'", "basic, joblib, provrunner"],
        ),
        ("optimizer=", ["'optimizer' has no option ''"]),
    ],
)
def test_a_wrong_override_is_told_with_its_place_and_the_nearest_name(work, override, fragments):
    work()
    with pytest.raises(ConfigError) as caught:
        compose_config([override])
    message = str(caught.value)
    assert message.startswith("command line: ")
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("width: [1\ndepth: 2\n", ["mine.yaml:2:", "no valid YAML"]),
        ("width: 1\nwidth: 2\n", ["mine.yaml:2:1", "duplicate key"]),
        ("defaults: [nothing]\n", ["nothing"]),
        ("a: ${b\n", ["${b"]),
    ],
)
def test_a_broken_file_is_told_with_its_place(work, text, fragments):
    work(conf__model__mine=text)
    with pytest.raises(ConfigError) as caught:
        compose_config(["model=mine"])
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_a_wrong_choice_in_a_sweep_file_is_told_with_its_line(work):
    work(conf__sweep__mine="# @package _global_\ndefaults:\n  - override /data: digitz\n")
    with pytest.raises(
        ConfigError, match=r"sweep/mine\.yaml:3: 'data' has no option 'digitz'.*'digits'"
    ):
        compose_config(["+sweep=mine"])


def test_a_file_that_is_not_utf_8_is_an_error_of_the_configuration(work):
    folder = work(conf__model__mine="")
    (folder / "conf/model/mine.yaml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        compose_config(["model=mine"])
