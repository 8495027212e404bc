"""The summary as a LaTeX table, for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provrunner.report.escape import visible
from provrunner.report.numbers import effect_text, interval, p_value, share
from provrunner.report.wording import (
    component_name,
    design_sentence,
    direction_text,
    noise_sentence,
    short_names,
)

__all__ = ["latex_text", "summary_latex"]

_SIGNS = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
    # after the end of a row they would be its arguments
    **{sign: f"{{{sign}}}" for sign in "[*"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "−": "$-$",
    "σ": r"$\sigma$",
    "∞": r"$\infty$",
    "–": "--",
}
_HEAD = ("", "share", r"95\,\% interval", "$p$ (Holm)", "range of means")


def summary_latex(summary: Mapping[str, Any]) -> str:
    """Write the shares as a table of the package booktabs; the same summary gives the same text.

    Args:
        summary: the sensitivity summary as plain values (`Summary.to_dict`).
    """
    components = summary["components"]
    names = short_names(name for item in components for name in item["parameters"])
    rows = [
        (
            component_name(item, names),
            share(item["share"]),
            interval(item["low"], item["high"]),
            p_value(item),
            effect_text(item),
        )
        for item in components
    ]
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"  \centering",
            f"  \\caption{{{_caption(summary)}}}",
            f"  \\label{{tab:{_label(summary['sweep']['name'])}}}",
            r"  \begin{tabular}{lrrrr}",
            r"    \toprule",
            f"    {' & '.join(_HEAD)} \\\\",
            r"    \midrule",
            *(f"    {_line(row)}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def latex_text(value: object) -> str:
    r"""Write a value as LaTeX text: nothing in it is a command.

    Example:
        >>> latex_text("lr_1 50% ± 2")
        'lr\\_1 50\\% $\\pm$ 2'
    """
    return "".join(_SIGNS.get(sign, sign) for sign in visible(value))


def _caption(summary: Mapping[str, Any]) -> str:
    sweep = summary["sweep"]
    text = (
        f"What explains one run's {sweep['metric']} ({direction_text(sweep['direction'])}): share "
        f"of its variance. {design_sentence(sweep)}, {sweep['finished']} finished. "
        f"{noise_sentence(summary['noise'])}"
    )
    return latex_text(text)


def _label(name: str) -> str:
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name)


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(map(latex_text, cells))} \\\\"
