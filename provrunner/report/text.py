"""The summary as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provrunner.report.escape import visible
from provrunner.report.numbers import (
    NO_VALUE,
    duration,
    effect_text,
    interval,
    number,
    p_value,
    share,
)
from provrunner.report.wording import (
    SWEPT_BUT_NEVER_READ,
    best_sentence,
    component_name,
    design_sentence,
    direction_text,
    flag_text,
    further_sentences,
    left_out_sentences,
    short_names,
    status_lines,
    with_ordered_values,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_summary", "render_summary"]

Span = tuple[str, str]
Line = list[Span]

_BAR_CELLS = 20
_LEAST_BAR_CELLS = 8
_LEAST_NAME_CELLS = 12
_HEADER = ("share", "95 % interval", "p", "range of means")
_GAP = "   "
_ASCII = str.maketrans(
    {"×": "x", "–": "-", "−": "-", "σ": "sigma", "±": "+/-", "…": "...", "∞": "inf"}
)


def render_summary(summary: Mapping[str, Any], *, width: int = 88, plain: bool = False) -> str:
    """Write the summary as lines of text, without colour.

    Args:
        summary: the sensitivity summary as plain values (`Summary.to_dict`).
        width: cells of a line; names are cut to fit the table into it, sentences are not.
        plain: leave the bars out, as for a pipe.
    """
    lines = _summary_lines(summary, None if plain else width, None)
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines) + "\n"


def print_summary(
    summary: Mapping[str, Any],
    *,
    console: Console | None = None,
    paths: Mapping[str, str] | None = None,
    duration_s: float | None = None,
    about: Sequence[str] = (),
) -> None:
    """Print the summary: with bars and colour on a terminal, the same lines plain elsewhere.

    Args:
        summary: the sensitivity summary as plain values (`Summary.to_dict`).
        console: where to print; standard output when left out.
        paths: what lies where, such as `report` to the path of the page; printed last, in order.
        duration_s: wall time of the sweep; left out of the title when unknown.
        about: lines to print below the title, such as `Sweep.about` gives.
    """
    from rich.console import Console
    from rich.text import Text

    screen = console or Console(highlight=False)
    lines = _summary_lines(summary, screen.width if screen.is_terminal else None, duration_s)
    lines[1:1] = [[(visible(line), "italic")] for line in about]
    for line in [*lines, *_path_lines(paths or {})]:
        text = Text()
        for part, style in line:
            text.append(_encodable(part, screen.encoding), style=style)
        text.rstrip()
        screen.print(text, highlight=False, soft_wrap=not screen.is_terminal)


def _summary_lines(
    summary: Mapping[str, Any], width: int | None, duration_s: float | None
) -> list[Line]:
    summary = with_ordered_values(summary)
    blocks = [
        [_title(summary["sweep"], duration_s), *_statuses(summary)],
        _table(summary, width),
        [_flag(flag) for flag in summary["flags"]],
        [[(sentence, "")] for sentence in _sentences(summary)],
        [[(sentence, "")] for sentence in further_sentences(summary)],
        [[(sentence, "dim")] for sentence in left_out_sentences(summary)],
    ]
    filled = [block for block in blocks if block]
    return [line for block in filled for line in [*block, [("", "")]]][:-1]


def _flag(flag: Mapping[str, Any]) -> Line:
    if flag["flag"] == SWEPT_BUT_NEVER_READ:
        return [(f"WARNING: {flag_text(flag)}", "bold red")]
    return [(f"note: {flag_text(flag)}", "yellow")]


def _title(sweep: Mapping[str, Any], duration_s: float | None) -> Line:
    facts = [
        design_sentence(sweep),
        f"{visible(sweep['metric'])}, {direction_text(sweep['direction'])}",
        *([] if duration_s is None else [duration(duration_s)]),
    ]
    return [(visible(sweep["name"]), "bold"), ("".join(f"   {fact}" for fact in facts), "")]


def _statuses(summary: Mapping[str, Any]) -> list[Line]:
    line: Line = []
    for words, runs in status_lines(summary):
        style = "" if words.startswith("finished") else "yellow"
        line += [("   " if line else "", ""), (words, style), (f" ({runs})" if runs else "", "")]
    return [line] if line else []


def _table(summary: Mapping[str, Any], width: int | None) -> list[Line]:
    components = summary["components"]
    if not components:
        return []
    head = f"What explains one run's {visible(summary['sweep']['metric'])}"
    figures = [_figures(item, summary["noise"]) for item in components]
    sizes = [max(map(_cells, column)) for column in zip(_HEADER, *figures, strict=True)]
    names, bar = _layout(components, sum(sizes) + len(_GAP) * len(sizes), width)
    name_size = max(map(_cells, names))
    first = name_size + (len(_GAP) + bar if bar else 0)
    lines: list[Line] = [] if _cells(head) <= first else [[(head, "bold")]]
    title = "" if lines else head
    lines.append([(_fit(title, first), "bold"), (_joined(_HEADER, sizes), "dim")])
    for item, name, row in zip(components, names, figures, strict=True):
        middle = [(f"{_GAP}{_bar(item, bar)}", _style(item))] if bar else []
        start = (_fit(name, name_size), "bold" if item["significant"] else "")
        lines.append([start, *middle, (_joined(row, sizes), "")])
    return lines


def _layout(
    components: Sequence[Mapping[str, Any]], figures: int, width: int | None
) -> tuple[list[str], int]:
    """Share a line's cells between names and bars: shorter names first, then no bars."""
    short = short_names(name for item in components for name in item["parameters"])
    full_names = [f"  {component_name(item, short)}" for item in components]
    if width is None:
        return full_names, 0
    short_mains = [f"  {component_name(item, short, short=True)}" for item in components]
    for names in (full_names, short_mains):
        bar = width - figures - len(_GAP) - max(map(_cells, names))
        if bar >= _LEAST_BAR_CELLS:
            return names, min(bar, _BAR_CELLS)
    room = max(width - figures, _LEAST_NAME_CELLS)
    names = full_names if max(map(_cells, full_names)) <= room else short_mains
    return [_fit(name, min(_cells(name), room)) for name in names], 0


def _figures(item: Mapping[str, Any], noise: Mapping[str, Any]) -> tuple[str, str, str, str]:
    effect = effect_text(item)
    if item["kind"] == "noise" and noise.get("sigma") is not None:
        effect = f"σ = {number(noise['sigma'], 2)}"
    limits = interval(item["low"], item["high"])
    return share(item["share"]), "" if limits == NO_VALUE else limits, p_value(item), effect


def _bar(item: Mapping[str, Any], cells: int) -> str:
    full = round(_clipped(item["share"]) * cells)
    reach = max(round(_clipped(item["high"]) * cells), full)
    return ("█" * full + "░" * (reach - full)).ljust(cells)


def _style(item: Mapping[str, Any]) -> str:
    return "cyan" if item["significant"] else "bright_black"


def _sentences(summary: Mapping[str, Any]) -> list[str]:
    sentences = [visible(verdict) for verdict in summary["verdicts"]]
    best = best_sentence(summary)
    told = any(sentence.startswith("Best run") for sentence in sentences)
    return sentences if best is None or told else [*sentences, best]


def _path_lines(paths: Mapping[str, str]) -> list[Line]:
    size = max(map(len, paths), default=0) + 3
    lines: list[Line] = [
        [(label.ljust(size), "dim"), (visible(path), "")] for label, path in paths.items()
    ]
    return [[("", "")], *lines] if lines else []


def _joined(values: Sequence[str], sizes: Iterable[int]) -> str:
    return "".join(_GAP + _fit(value, size) for value, size in zip(values, sizes, strict=True))


def _fit(text: str, size: int) -> str:
    """Pad or cut a text to so many terminal cells; wide characters take two."""
    if _cells(text) <= size:
        return text + " " * (size - _cells(text))
    while text and _cells(text) > size - 1:
        text = text[:-1]
    return _fit(f"{text}…", size)


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _clipped(value: float | None) -> float:
    return 0.0 if value is None else min(max(value, 0.0), 1.0)


def _encodable(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        drawn = text.replace("█", "#").replace("░", ".").translate(_ASCII)
        return drawn.encode(encoding, "backslashreplace").decode(encoding)
    return text
