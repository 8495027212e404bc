"""The provenance graph as a part of the page that a reader opens run by run."""

from __future__ import annotations

import json
from collections.abc import Mapping

from provrunner.report.markup import Markup, element, join, region

__all__ = ["graph_view"]

_MOST_BYTES = 1_500_000
_NOT_IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def graph_view(view: Mapping[str, object] | None, best: int | None) -> Markup:
    """Write a folded graph and what `graph.js` shows it in; nothing without a graph.

    The data stand in a block that no browser runs, with no sign in it that could end the block.

    Args:
        view: as `graph.build_view` gives it.
        best: number of the run that is open at first.
    """
    if view is None:
        return Markup("")
    text = json.dumps(view, ensure_ascii=False, separators=(",", ":")).translate(_NOT_IN_SCRIPT)
    if len(text.encode("utf-8", "backslashreplace")) > _MOST_BYTES:
        return element("p", "The graph is too large to open here: ask provrunner lineage.")
    data = element(
        "script",
        Markup(text),
        type="application/json",
        id="graph-data",
        data_best=None if best is None else str(best),
    )
    find = element(
        "label", "Find ", element("input", type="search", id="graph-find", autocomplete="off")
    )
    shown = element(
        "div",
        element("p", find, class_="tools"),
        element("div", id="graph-found"),
        region("Provenance graph", element("svg"), class_="scroll paper", id_="graph-picture"),
        element("div", id="graph-told", aria_live="polite"),
        id="graph-view",
        hidden=True,
    )
    return join([shown, data])
