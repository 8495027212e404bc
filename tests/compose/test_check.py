import pytest

from provrunner.compose import build_plan, check_sweep, compose_config
from provrunner.errors import ConfigError


def check(*arguments: str) -> None:
    config = compose_config(arguments, return_hydra_config=True)
    plan = build_plan(config, arguments, sweep_id="s", created="t", command=["provrunner"])
    check_sweep(config, arguments, plan)


_CODE = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, in_shape, out_features, *, width: int = 4, names: list[str] | None = None):
        super().__init__()


class Anything(nn.Module):
    def __init__(self, **settings):
        super().__init__()


class Checked(nn.Module):
    def __init__(self, width=4):
        super().__init__()

    @classmethod
    def check(cls, width=4):
        if width > 8:
            raise ValueError(f"width {width} is too wide")


number = 3
"""


_STOP = "lightning.pytorch.callbacks.EarlyStopping"


@pytest.mark.parametrize(
    "arguments",
    [
        ["+sweep=lr_grid"],
        ["+sweep=optimizer_choice"],
        ["+sweep=dropout"],
        ["model=glob(*)", "scheduler=none,cosine,step,plateau,exponential"],
        ["data=digits,breast_cancer,diabetes", "optimizer=glob(*)"],
        ["trainer=ddp_cpu", "capture=light"],
        ["trainer.devices=auto", "optimizer.lr=1", "trainer.deterministic=true"],
        ["trainer.callbacks.checkpoint=null", "+trainer.limit_train_batches=3"],
        [f"+trainer.callbacks.stop={{_target_: {_STOP}, monitor: val/loss}}"],
        ["+x=0.3", "optimizer.lr=${x}"],
        ["+x={0: 1, other: 0.2}", "optimizer.lr=${x.other}"],
        ["+task.loss={_target_: torch.nn.CrossEntropyLoss}"],
        ["task.loss={_target_: torch.nn.CrossEntropyLoss}"],
        ["trainer.logger={_target_: lightning.pytorch.loggers.CSVLogger, save_dir: csv}"],
        ["reason=${hydra:runtime.cwd}"],
        ["data.scale=true,false", "model.activation=relu,tanh"],
    ],
)
def test_what_ships_passes(arguments):
    check(*arguments)


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (
            ["model.widht=8,16"],
            ["command line: 'model.widht=8'", "no key 'model.widht'", "'model.width'?"],
        ),
        (
            ["model.width=8,1.5"],
            ["'model.width=1.5'", "expected int, got float 1.5", "default is int 64"],
        ),
        (["optimizer.lr=0.1,abc"], ["'optimizer.lr=abc'", "expected float", "got str 'abc'"]),
        (["optimizer=adam,adm"], ["'optimizer=adm'", "has no option 'adm'", "'adam'?"]),
        (
            ["optimizer.lr=abc"],
            ["command line: 'optimizer.lr=abc'", "expected float", "float 0.001"],
        ),
        (["optimizer.lr=null"], ["expected float", "got null"]),
        (["optimizer.lr=true"], ["expected float", "got bool True"]),
        (["trainer.max_epochs=2.5"], ["'trainer.max_epochs=2.5'", "int", "got float 2.5"]),
        (["trainer.max_epochs=ten"], ["'trainer.max_epochs=ten'", "got str 'ten'"]),
        (["trainer.devices=true"], ["got bool True"]),
        (["model.activation=rleu"], ["'relu'", "got str 'rleu'"]),
        (["data.batch_size=a"], ["'data.batch_size=a'", "int"]),
        (["data.batch_size=0"], ["data.batch_size: 0", "at least 1"]),
        (["data.val_fraction=0.5,0.9"], ["leave nothing to train on"]),
        (["on_error={retry:0}"], ["'on_error={retry:0}'", "on_error: expected continue, stop"]),
        (["on_error={retry:true}"], ["at least 1, got {'retry': True}"]),
        (["on_error={again:2}"], ["got {'again': 2}"]),
        (["on_error=retry"], ["'on_error=retry'", "expected continue, stop or {retry: n}"]),
        (["test=1"], ["test: expected true or false, got 1"]),
        (["output=3"], ["output: expected text, got 3"]),
        (["capture.level=lite"], ["did you mean 'light'?"]),
        (["capture.include=loss"], ["expected a list of names, got 'loss'"]),
        (["+capture.exlude=[a]"], ["capture has no key 'exlude'", "'exclude'?"]),
        (["+sweeep=lr_grid"], ["nothing reads the key 'sweeep'", "'sweep'?"]),
        (["+optimiser.lr=3"], ["nothing reads the key 'optimiser'", "'optimizer'?"]),
        (["+foo=3"], ["nothing reads the key 'foo'"]),
        (["model._target_=provrunner.zoo.MPL"], ["'provrunner.zoo' has no 'MPL'", "'MLP'?"]),
        (["model._target_=provrunnr.zoo.MLP"], ["no module 'provrunnr'", "'provrunner'?"]),
        (["model._target_=3"], ["model._target_"]),
        (["+model.widht=3"], ["'+model.widht=3'", "model takes no 'widht'", "'width'?"]),
        (["+optimizer.learning_rate=3"], ["takes no 'learning_rate'", "it takes params, lr"]),
        (
            ["optimizer._partial_=false"],
            ["optimizer: torch.optim.Adam needs 'params'", "_partial_: true"],
        ),
        (["trainer._target_=lightning.Trainr"], ["'Trainer'?"]),
        (["data=table"], ["data.path has no value", "data/table.yaml"]),
        (
            ["+trainer.callbacks.stop={_target_: lightning.pytorch.callbacks.EarlyStopping}"],
            ["needs 'monitor'"],
        ),
        (
            ["trainer.logger={_target_: lightning.pytorch.loggers.CSVLogger}"],
            ["trainer.logger", "needs 'save_dir'"],
        ),
        (
            ["trainer.max_epochs={_target_: torch.nn.ReLU}"],
            ["trainer.max_epochs", "expected", "int"],
        ),
        (["task.loss=${foo.bar}"], ["task.loss: Interpolation key 'foo.bar' not found"]),
    ],
)
def test_a_wrong_argument_is_told_before_any_run(work, arguments, fragments):
    work()
    with pytest.raises(ConfigError) as caught:
        check(*arguments)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "_target_: code_net.Net\nwidht: 3\n",
            "mine.yaml: model.widht: model takes no 'widht'; did you mean 'width'?",
        ),
        ("_target_: code_net.Net\nwidth: a\n", "mine.yaml: model.width: expected int, got str 'a'"),
        ("_target_: code_net.Net\nnames: a\n", "mine.yaml: model.names: expected"),
        ("_target_: code_net.Nett\n", "'code_net' has no 'Nett'; did you mean 'Net'?"),
        ("_target_: code_nett.Net\n", "no module 'code_nett'; did you mean 'code_net'?"),
        ("_target_: code_net.number\n", "'code_net.number' is a int; expected a class or function"),
        ("_target_: code_broken.Net\n", "'code_broken' raised ZeroDivisionError"),
        ("_target_: code_needs.Net\n", "'code_needs' needs the module 'no_such_module'"),
        ("width: 3\n", "mine.yaml: model has no _target_"),
        ("_target_: code_net.Checked\nwidth: 9\n", "mine.yaml: model: width 9 is too wide"),
        ("_target_: code_net.Net\nwidth: ???\n", "mine.yaml: model.width has no value"),
    ],
)
def test_a_wrong_model_file_is_told_with_its_path(work, model, message):
    folder = work(
        code_net=_CODE,
        code_broken="1 / 0\n",
        code_needs="import no_such_module\n",
        conf__model__mine=model,
    )
    with pytest.raises(ConfigError) as caught:
        check("model=mine")
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{folder}/conf/model/mine.yaml: ")


def test_a_model_that_takes_anything_is_given_anything(work):
    work(code_net=_CODE, conf__model__mine="_target_: code_net.Anything\nwidht: 3\n")
    check("model=mine", "model.widht=3,4")


def test_a_misspelt_key_in_a_sweep_file_is_told_with_the_file(work):
    text = "# @package _global_\nsweep:\n  params: {optimizer.lrr: 'choice(0.1, 0.2)'}\n"
    folder = work(conf__sweep__mine=text)
    with pytest.raises(ConfigError) as caught:
        check("+sweep=mine")
    assert str(caught.value) == (
        f"{folder}/conf/sweep/mine.yaml: sweep: 'optimizer.lrr=0.1': the configuration has no key "
        "'optimizer.lrr'; did you mean 'optimizer.lr'?"
    )


def test_a_key_at_the_root_of_a_sweep_file_that_nothing_reads_is_refused(work):
    text = "# @package _global_\ntrianer: {max_epochs: 3}\nsweep: {replicates: 2}\n"
    folder = work(conf__sweep__mine=text)
    with pytest.raises(ConfigError) as caught:
        check("+sweep=mine")
    assert str(caught.value) == (
        f"{folder}/conf/sweep/mine.yaml: nothing reads the key 'trianer'; did you mean 'trainer'?"
    )


def test_a_config_of_the_users_own_that_lacks_keys_is_refused(work):
    work(conf__config="defaults: [{model: mlp}, _self_]\nseed: 0\n")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        check()


def test_a_key_of_one_option_alone_is_checked_with_that_option(work):
    text = (
        "# @package _global_\nsweep:\n  design: list\n  points:\n"
        "    - {optimizer: sgd, optimizer.momentum: 0.5}\n"
        "    - {optimizer: rmsprop, optimizer.momentum: 0.9}\n"
    )
    work(conf__sweep__mine=text)
    check("+sweep=mine")
    work(conf__sweep__mine=text.replace("rmsprop", "adam"))
    with pytest.raises(ConfigError, match=r"no key 'optimizer\.momentum'"):
        check("+sweep=mine")


def test_a_table_is_looked_for_before_any_run(work):
    folder = work()
    (folder / "wine.csv").write_text("a,b\n" + "1,2\n2,3\n" * 10)
    check("data=table", "data.path=wine.csv", "data.target=b")
    with pytest.raises(ConfigError, match=r"no file .*wines\.csv; did you mean 'wine\.csv'\?"):
        check("data=table", "data.path=wines.csv", "data.target=b")
    with pytest.raises(ConfigError, match="has no column 'c'"):
        check("data=table", "data.path=wine.csv", "data.target=b,c")
