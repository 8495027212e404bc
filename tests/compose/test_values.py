import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from provrunner.compose.values import plain_value, to_override, to_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (-0.0, "-0.0"),
        (1e-05, "1e-05"),
        (float("inf"), "inf"),
        ("relu", "relu"),
        ("true", "'true'"),
        ("1e-3", "'1e-3'"),
        ("null", "'null'"),
        ("", "''"),
        ("a,b", "'a,b'"),
        ("it's", r"'it\'s'"),
        ([1, [2.5, "x y"]], "[1,[2.5,'x y']]"),
        ({"a b": True}, r"{a\ b:true}"),
        ((), "[]"),
    ],
)
def test_a_value_is_written_in_the_grammar_of_overrides(value, text):
    assert to_text(value) == text


def test_what_the_grammar_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="no override can hold a set"):
        to_text({1, 2})


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _TEXT


@given(st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_a_written_value_is_read_back_with_its_type(value):
    parsed = OverridesParser.create().parse_override(to_override("key", value))
    assert _identity(plain_value(parsed.value())) == _identity(value)


def _identity(value: object) -> object:
    if isinstance(value, list):
        return [_identity(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return "not a number"
    return type(value), repr(value)
