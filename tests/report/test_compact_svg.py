import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provrunner.report.compact_svg import compact_svg
from provrunner.report.frame import render_svg
from provrunner.report.marginals import marginal
from provrunner.report.plots import seed_noise

NUMBER = re.compile(r"-?\d*\.?\d+")
SAID = re.compile(r'aria-label="(run [^"]*)"')


def compacted(body: str) -> str:
    svg = compact_svg(f'<svg xmlns="http://www.w3.org/2000/svg">{body}</svg>')
    return svg.replace("ns0:", "").partition(">")[2].removesuffix("</svg>")


def test_every_mark_keeps_what_it_says(summary, tables, plan):
    values = {point.run: point.values for point in plan.points}
    for chart in (
        marginal(summary, "optimizer.lr", tables["runs"], values),
        seed_noise(summary, tables["runs"]),
    ):
        whole = render_svg(chart)
        assert len(SAID.findall(whole)) >= 29
        assert SAID.findall(compact_svg(whole)) == SAID.findall(whole)


PLACES = st.floats(-2000, 2000).map(lambda value: round(value, 4))


@given(st.lists(st.tuples(PLACES, PLACES), min_size=2, max_size=30))
def test_a_line_stays_within_a_tenth_of_a_pixel(points):
    drawn = compacted(f'<path d="M{"L".join(f"{x:.4f},{y:.4f}" for x, y in points)}"/>')
    numbers = [float(found) for found in NUMBER.findall(drawn)]
    x = y = 0.0
    for (to_x, to_y), step_x, step_y in zip(points, numbers[::2], numbers[1::2], strict=True):
        x, y = x + step_x, y + step_y
        assert abs(x - to_x) < 0.0501
        assert abs(y - to_y) < 0.0501


def test_what_neighbours_share_stands_on_a_group_around_them():
    dots = "".join(
        f'<path d="M{x},0h1" fill="{fill}" stroke-width="2" aria-label="{x}"/>'
        for x, fill in enumerate(("red", "red", "blue"))
    )
    assert compacted(dots) == (
        '<g stroke-width="2"><path d="M0,0h1" fill="red" aria-label="0" />'
        '<path d="M1,0h1" fill="red" aria-label="1" />'
        '<path d="M2,0h1" fill="blue" aria-label="2" /></g>'
    )


def test_unlabelled_rectangles_of_one_look_become_one_path():
    rows = "".join(f'<path d="M0,{y}h1v1h-1Z" fill="red" opacity="0.5"/>' for y in range(9))
    drawn = compacted(rows + '<path d="M9,9h1v1h-1Z" fill="red"/>')
    assert drawn.count("<path") == 2
    assert drawn.count("M0,") == 9


def test_shapes_that_may_be_wound_otherwise_stay_apart():
    squares = "M0,0h9v9h-9Z", "M2,2v5h5v-5Z", "M0,0L9,9L0,9Z", "M0,0L9,9L9,0Z"
    assert compacted("".join(f'<path d="{d}" fill="red"/>' for d in squares)).count("<path") == 4


@pytest.mark.parametrize(
    ("paints", "expected"),
    [
        ('stroke="red" fill="none"', 'stroke-opacity="0.5"'),
        ('fill="red"', 'fill-opacity="0.5"'),
        ('fill="red" stroke="blue"', ' opacity="0.5"'),
    ],
)
def test_opacity_goes_to_the_only_paint(paints, expected):
    assert expected in compacted(f'<path d="M0,0h1" {paints} opacity="0.5" aria-label="a"/>')


def test_two_symbols_alike_stay_as_they_are_and_three_are_used():
    dot = '<path transform="translate(5.04,6) rotate(45)" d="M1,0A1,1,0,1,1,0,1" opacity="0.5"/>'
    assert "<use" not in compacted(dot * 2)
    drawn = compacted(dot * 3)
    assert drawn.count('<use href="#symbol0" x="5" y="6"') == 3
    assert drawn.count('transform="rotate(45)"') == drawn.count('opacity="0.5"') == 1


def test_labels_without_room_are_left_out():
    assert compacted('<text opacity="0">a</text><text/><text>b</text>') == "<text>b</text>"
