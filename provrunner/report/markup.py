"""HTML elements that escape whatever is not HTML already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provrunner.report.escape import html_text

__all__ = [
    "Content",
    "Markup",
    "Section",
    "details",
    "element",
    "figure",
    "join",
    "region",
    "table",
]

_VOID = frozenset({"br", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML already; every other text is escaped when it enters an element."""

    __slots__ = ()


Content = str | float | None


def element(tag: str, /, *content: Content, **attributes: str | bool | None) -> Markup:
    """Write an element; a trailing `_` of an attribute's name is dropped, others become hyphens.

    Example:
        >>> element("p", "a < b", element("br"), class_="note", hidden=True, title=None)
        '<p class="note" hidden>a &lt; b<br></p>'
    """
    parts = [tag]
    for key, value in attributes.items():
        plain = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(plain)
        elif value is not None and value is not False:
            parts.append(f'{plain}="{html_text(value)}"')
    start = f"<{' '.join(parts)}>"
    return Markup(start if tag in _VOID else f"{start}{join(content)}</{tag}>")


def join(content: Iterable[Content], between: str = "") -> Markup:
    """Put pieces of content behind each other; None is nothing.

    Example:
        >>> join(["a & b", Markup("<i>c</i>"), None, 3])
        'a &amp; b<i>c</i>3'
    """
    pieces = (item for item in content if item is not None)
    return Markup(
        between.join(item if isinstance(item, Markup) else html_text(item) for item in pieces)
    )


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        key: what `#key` leads to.
        name: the word for it in the table of contents.
        title: its heading.
        body: what stands below; a section without is left out.
    """

    key: str
    name: str
    title: str
    body: Markup

    def to_html(self) -> Markup:
        """Write the section under its heading."""
        heading = element("h2", self.title, id=f"{self.key}-title")
        return element(
            "section", heading, self.body, id=self.key, aria_labelledby=f"{self.key}-title"
        )


def region(label: str, *content: Content, class_: str = "scroll", id_: str | None = None) -> Markup:
    """Write a box that scrolls sideways, by the keyboard too."""
    return element(
        "div", *content, id=id_, class_=class_, role="region", aria_label=label, tabindex="0"
    )


def details(summary: str, *content: Content) -> Markup:
    """Write what opens on demand; nothing without content."""
    if not join(content):
        return Markup("")
    return element("details", element("summary", summary), *content)


def figure(key: str, charts: Mapping[str, Markup]) -> Markup:
    """Write a chart by its key with a place to scroll in; nothing where there is none."""
    chart = charts.get(key)
    if not chart:
        return Markup("")
    return element("figure", region("Chart", chart, class_="scroll chart"), id=f"figure-{key}")


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[Content]],
    *,
    figures: Iterable[int] = (),
) -> Markup:
    """Write a table whose first column names its rows; nothing without rows.

    Args:
        caption: what the table shows, for screen readers.
        head: names of the columns.
        rows: cells, as many as `head`.
        figures: positions of columns that hold numbers, which are set flush right.
    """
    right = frozenset(figures)
    body = [_row(row, right) for row in rows]
    if not body:
        return Markup("")
    names = [
        element("th", name, scope="col", class_="n" if i in right else None)
        for i, name in enumerate(head)
    ]
    return region(
        caption,
        element(
            "table",
            element("caption", caption, class_="unseen"),
            element("thead", element("tr", *names)),
            element("tbody", *body),
        ),
    )


def _row(row: Sequence[Content], right: frozenset[int]) -> Markup:
    first = element("th", row[0], scope="row", class_="n" if 0 in right else None)
    rest = [
        element("td", cell, class_="n" if i in right else None)
        for i, cell in enumerate(row[1:], start=1)
    ]
    return element("tr", first, *rest)
