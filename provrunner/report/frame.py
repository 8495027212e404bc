"""What every chart wears: its title, its data, its drawing as SVG."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import altair as alt
import vl_convert

from provrunner.report.escape import visible
from provrunner.report.numbers import count
from provrunner.report.theme import BLUE, CONFIG
from provrunner.report.wording import design_sentence

__all__ = [
    "NARROW",
    "PHONE",
    "WIDE",
    "Drawing",
    "Values",
    "chart_of",
    "listed",
    "render_png",
    "render_svg",
    "run_dots",
    "size_text",
    "thinned",
    "title",
]

WIDE, NARROW, PHONE = 660, 290, 200
"""Width of a plot's own area in pixels: alone, side by side, and alone on a small screen."""

Values = Mapping[int, Mapping[str, Any]]
"""What each run was given: its number to its hyperparameters."""

Row = TypeVar("Row")

Drawing = alt.LayerChart | alt.FacetChart
"""What the chart functions give."""

_BESIDE = 50
_LISTED = 3
_LETTER, _SMALL_LETTER = 7.3, 6.0


def chart_of(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """Begin a chart on rows of plain values."""
    # Altair copies a chart at every step, with a list of rows but not a tuple of them
    return alt.Chart(alt.InlineData(values=tuple(dict(row) for row in rows)))


def run_dots(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """Begin a chart with a pale dot a run; rows have `tip`."""
    dots = chart_of(rows).mark_point(filled=True, size=36, opacity=0.45, color=BLUE)
    tipped: alt.Chart = dots.encode(description=alt.Description("tip:N"))
    return tipped


def listed(runs: Sequence[int]) -> str:
    """Name runs by their numbers, the first three of many.

    Example:
        >>> listed([4]), listed([4, 5, 7, 8, 9])
        ('4', '4, 5, 7 and 2 more')
    """
    left = len(runs) - _LISTED
    return ", ".join(map(str, runs[:_LISTED])) + (f" and {left} more" if left > 0 else "")


def thinned(rows: Sequence[Row], most: int) -> list[Row]:
    """Keep at most so many rows, evenly, so that no chart outgrows its page.

    Example:
        >>> thinned([0, 1, 2, 3, 4], 3)
        [0, 2, 4]
    """
    if len(rows) <= most:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def title(text: str, lines: Sequence[str], *, width: int) -> alt.TitleParams:
    """Set a headline and what stands below it, wrapped to a plot's width."""
    room = width + _BESIDE
    wrapped = [part for line in lines for part in textwrap.wrap(line, int(room / _SMALL_LETTER))]
    headline = textwrap.wrap(visible(text), int(room / _LETTER)) or [""]
    return alt.TitleParams(text=headline, subtitle=wrapped)


def size_text(summary: Mapping[str, Any]) -> str:
    """Say how many runs, trials and seeds a chart rests on."""
    sweep = summary["sweep"]
    return f"n = {count(sweep['finished'], 'finished run')}; {design_sentence(sweep)}"


def render_svg(chart: Drawing) -> str:
    """Draw a chart as an SVG document, with no browser and no network."""
    svg: str = vl_convert.vegalite_to_svg(
        chart.to_dict(validate=False), config=dict(CONFIG), allowed_base_urls=[]
    )
    return svg


def render_png(chart: Drawing) -> bytes:
    """Draw a chart as a PNG image on white paper, in twice its size."""
    png: bytes = vl_convert.vegalite_to_png(
        chart.to_dict(validate=False),
        scale=2,
        config={**CONFIG, "background": "white"},
        allowed_base_urls=[],
    )
    return png
