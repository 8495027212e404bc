from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest

from provrunner.compose.expected import admits, is_like


@pytest.mark.parametrize(
    ("annotation", "value", "answer"),
    [
        (int, 3, True),
        (int, 2.5, False),
        (int, True, False),
        (float, 1, True),
        (float, "1", False),
        (bool, True, True),
        (bool, 1, False),
        (str, "a", True),
        (Optional[int], None, True),  # noqa: UP045  as in Lightning's own signatures
        (int | None, "a", False),
        (Literal["a", 1], "a", True),
        (Literal["a", 1], "b", False),
        (Annotated[int, "positive"], 3, True),
        (list[int], [1], True),
        (tuple[float, float], [0.9, 0.99], True),
        (Sequence[int], [1], True),
        (list[int], 1, False),
        (dict[str, int], {"a": 1}, True),
        (dict[str, int], [1], False),
        (None, None, True),
        (Path, "a", None),
        (Path | None, "a", None),
        (Any, 3, None),
        (object, 3, None),
    ],
)
def test_an_annotation_admits_the_values_of_its_type(annotation, value, answer):
    assert admits(annotation, value) is answer


@pytest.mark.parametrize(
    ("value", "default", "answer"),
    [
        (1, 0.5, True),
        (0.5, 1, False),
        (True, 1, False),
        ("a", None, True),
        (None, 1, False),
        ([1], [2], True),
    ],
)
def test_a_value_is_compared_with_its_default(value, default, answer):
    assert is_like(value, default) is answer
