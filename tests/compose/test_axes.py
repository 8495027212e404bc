import pytest

from provrunner.compose.axes import command_line_axes, file_axes, infer_scale, list_axes
from provrunner.errors import ConfigError


@pytest.mark.parametrize(
    ("grammar", "levels"),
    [
        ("0.1,1", (0.1, 1)),
        ("choice(a, 'b c')", ("a", "b c")),
        ("a,'b c',null", ("a", "b c", None)),
        ("range(1,4)", (1, 2, 3)),
        ("range(0.1,0.4,0.1)", (0.1, 0.2, 0.3)),
        ("range(3,0,-1)", (3, 2, 1)),
        ("sort(3,1,2)", (1, 2, 3)),
        ("tag(log, choice(1, 2))", (1, 2)),
        ("[1,2],[3]", ([1, 2], [3])),
        ("{a:1},{a:2}", ({"a": 1}, {"a": 2})),
        ("true,false", (True, False)),
        ("0,false", (0, False)),
    ],
)
def test_levels_are_read_in_the_order_declared_with_their_types(grammar, levels):
    found = command_line_axes([f"model.width={grammar}"])["model.width"].levels
    assert [(type(one), one) for one in found] == [(type(one), one) for one in levels]


def test_a_glob_gives_the_options_of_a_group():
    levels = command_line_axes(["model=glob(*, exclude=conv*)"])["model"].levels
    assert levels == ("mlp", "transformer")


def test_a_key_that_is_added_keeps_its_plus_in_the_grammar_alone():
    axis = command_line_axes(["+optimizer.eps=1e-8,1e-6"])["optimizer.eps"]
    assert (axis.name, axis.grammar) == ("optimizer.eps", "+optimizer.eps=1e-8,1e-6")


def test_plain_overrides_are_no_axes():
    assert command_line_axes(["optimizer.lr=0.1", "~model.width"]) == {}


def test_a_list_in_a_file_is_an_axis_like_choice():
    axis = file_axes({"optimizer.lr": [0.1, 1.0]}, "file")["optimizer.lr"]
    assert (axis.levels, axis.grammar) == ((0.1, 1.0), "optimizer.lr=choice(0.1,1.0)")
    axis = file_axes({"optimizer.lr": [0.1, None]}, "file")["optimizer.lr"]
    assert (axis.levels, axis.grammar) == ((0.1, None), "optimizer.lr=0.1,null")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("a.b=interval(1,0)", "low < high"),
        ("a.b=choice(1)", "'a.b' has 1 level, 1; an axis needs at least 2"),
        ("a.b=range(1,1)", "'a.b' has no levels"),
        ("a.b=range(0,1,0)", "step other than 0"),
        ("a.b=range(0,1000000000)", "1000000000 levels"),
        ("a.b=1,1.0", "level 1.0 twice"),
        ("a.b=shuffle(choice(1,2))", "shuffle"),
        ("model=glob(x*)", "'model' has no levels"),
        ("output=a,b", "'output' is no hyperparameter"),
        ("run.number=1,2", "no hyperparameter"),
        ("sweep.replicates=1,2", "no hyperparameter"),
    ],
)
def test_an_axis_that_is_none_is_refused(override, message):
    with pytest.raises(ConfigError) as caught:
        command_line_axes([override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer.lr": 0.1}, "has 1 level; an axis needs at least 2"),
        (
            {"optimizer.lr": "choice(0.1"},
            "file: sweep.params: 'optimizer.lr=choice(0.1' is not of the form",
        ),
        ({"optimizer": {"lr": "1,2"}}, "write the whole key"),
        ({"optimizer.lr": []}, "'optimizer.lr' has no levels"),
    ],
)
def test_an_axis_of_a_file_is_refused_with_the_file(params, message):
    with pytest.raises(ConfigError) as caught:
        file_axes(params, "file")
    assert message in str(caught.value)
    assert str(caught.value).startswith("file: ")


def test_a_list_of_points_spans_axes_of_the_distinct_levels():
    axes = list_axes([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 1, "b": "z"}], "file")
    assert [axis.levels for axis in axes.values()] == [(1, 2), ("x", "y", "z")]


@pytest.mark.parametrize(
    ("levels", "scale"),
    [
        ((0.001, 0.003, 0.01, 0.03, 0.1), "log"),
        ((1e-4, 0.1), "log"),
        ((16, 64), "linear"),
        ((16, 32, 64), "log"),
        ((64, 16, 32), "log"),
        ((10, 11, 12), "linear"),
        ((0.0, 0.1, 1000.0), "linear"),
        ((-1, 1), "linear"),
        ((1, None), "categorical"),
        ((True, False), "categorical"),
        (("a", "b"), "categorical"),
        ((float("nan"), 1.0), "linear"),
    ],
)
def test_the_scale_is_inferred_from_the_levels(levels, scale):
    assert infer_scale(levels) == scale


@pytest.mark.parametrize("scale", ["log", "linear", "categorical"])
def test_a_tag_decides_the_scale(scale):
    axis = command_line_axes([f"optimizer.lr=tag({scale}, choice(1, 2, 3))"])["optimizer.lr"]
    assert axis.scale == scale
