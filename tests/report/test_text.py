# ruff: noqa: E501
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from provrunner.report import print_summary, render_summary
from provrunner.report.escape import html_text, markdown_text, visible
from provrunner.report.wording import status_lines

PLAIN = """\
lr_grid   30 runs = 10 trials × 3 seeds   val/loss, lower is better
finished 29   diverged 1 (optimizer.lr=0.1, model.width=16, seed 2, val/loss is NaN at step 112)

What explains one run's val/loss
                  share   95 % interval   p        range of means
  optimizer.lr    0.83    0.71 – 0.90     <0.001   0.42 (13 σ)
  model.width     0.04    0.00 – 0.12     0.08     0.050
  lr × width      0.03    0.00 – 0.11     0.31
  seed (shared)   0.00    0.00 – 0.05     0.60
  seed noise      0.10    0.06 – 0.20              σ = 0.031

note: unbalanced: one trial has 2 runs, the others 3

optimizer.lr matters: 0.003 is as good as the best value, 0.01; the default 0.001 costs 0.11 ± 0.02.
model.width: no effect seen; one of up to 0.06 is not excluded. 14 more runs (about 20 s) would tell.
Best run 0015-46e2d722 (lr 0.01, width 64): 0.0960 at epoch 9; not better than the runner-up beyond seed noise.

left out: model.depth: the same in all runs
"""


def printed(summary: dict[str, Any], **options: Any) -> str:
    stream = io.StringIO()
    settings = {"width": 100, **options.pop("console", {})}
    print_summary(summary, console=Console(file=stream, **settings), **options)
    return stream.getvalue()


def test_a_pipe_gets_the_lines_without_bars_or_wrapping(summary):
    assert render_summary(summary, plain=True) == PLAIN
    assert printed(summary, console={"width": 40}) == PLAIN


def test_a_terminal_gets_the_same_figures_with_bars(summary):
    lines = render_summary(summary, width=100).splitlines()
    assert lines[4] == (
        "  optimizer.lr    █████████████████░     0.83    0.71 – 0.90     <0.001   0.42 (13 σ)"
    )
    assert "██░░" in lines[8]


@pytest.mark.parametrize("width", [30, 50, 66, 80, 100, 200])
def test_the_table_fits_a_terminal_of_any_usual_width(summary, width):
    text = render_summary(summary, width=width)
    table = [line for line in text.splitlines() if line.startswith("  ") and "0." in line]
    assert len(table) == 5
    assert max(map(len, table)) <= max(width, 66)


def test_a_narrow_terminal_drops_bars_before_figures(summary):
    text = render_summary(summary, width=60)
    assert "█" not in text
    assert "0.71 – 0.90" in text


def test_duration_and_paths_are_printed_where_known(summary):
    text = printed(summary, duration_s=41.2, paths={"report": "outputs/r.html", "logs": "x.arrow"})
    assert text.splitlines()[0].endswith("lower is better   41 s")
    assert text.endswith("\nreport   outputs/r.html\nlogs     x.arrow\n")


def test_colour_appears_on_a_terminal_only(summary):
    assert "\x1b[" in printed(summary, console={"force_terminal": True, "_environ": {}})
    assert "\x1b[" not in printed(summary)


def test_control_and_bidi_characters_of_names_are_escaped(summary):
    summary["sweep"]["name"] = "a\x1b[31m\u202eb\nc"
    summary["verdicts"] = ["\x07ring"]
    text = printed(summary, console={"force_terminal": True, "color_system": None})
    assert "a\\x1b[31m\\u202eb\\nc" in text
    assert "\\x07ring" in text
    assert "\x07" not in text


def test_rich_markup_in_names_is_text(summary):
    summary["sweep"]["metric"] = "[red]loss[/red]"
    assert "[red]loss[/red], lower is better" in printed(summary)


def test_refusals_are_said_in_words(summary):
    summary["components"] = []
    summary["verdicts"] = []
    summary["best"] = None
    summary["flags"] = [
        {"flag": "cannot_conclude", "detail": "6 runs; at least 8 are needed"},
        {"flag": "noise_not_estimable", "detail": None},
    ]
    text = render_summary(summary, plain=True)
    assert "note: cannot conclude: 6 runs; at least 8 are needed" in text
    assert (
        "note: noise not estimable: seed noise is not known: no trial was repeated with another seed"
        in text
    )
    assert "What explains" not in text


def test_an_unknown_flag_is_shown_by_its_name(summary):
    summary["flags"] = [{"flag": "moon_phase", "detail": "full"}]
    assert "note: moon phase: full" in render_summary(summary, plain=True)


def test_unknown_figures_are_a_dash_or_nothing(summary):
    summary["components"][-1].update(share=None, low=None, high=None, kind="unresolved")
    summary["noise"] = {"estimable": False, "sigma": None}
    assert "  unresolved      –" in render_summary(summary, plain=True)


def test_many_failures_of_one_kind_are_counted_not_listed():
    failure = {"status": "lost", "values": {"lr": 1}, "seed": 0, "reason": None}
    lines = status_lines({"statuses": {"lost": 5}, "failures": [failure] * 5})
    assert lines == [("lost 5", "lr=1, seed 0; lr=1, seed 0; lr=1, seed 0; and 2 more")]


def test_an_ascii_terminal_gets_ascii(summary):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_summary(summary, console=Console(file=stream, width=100, force_terminal=True))
    stream.flush()
    text = stream.buffer.getvalue().decode("ascii")
    assert "10 trials x 3 seeds" in text
    assert "#################." in text


@given(st.text())
def test_no_escape_lets_a_control_or_markup_character_through(text):
    shown = visible(text)
    assert not any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in shown)
    assert not set("<>\"'") & set(html_text(text))
    assert "<" not in markdown_text(text)


def test_values_stand_in_the_order_of_the_hyperparameters(summary):
    for row in [*summary["failures"], summary["best"]]:
        row["values"] = dict(sorted(row["values"].items()))
    assert render_summary(summary, plain=True) == PLAIN
