"""How a picture becomes a harmless part of a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

from provrunner.report.escape import html_text

__all__ = ["inline_svg"]

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_ELEMENTS = frozenset(
    """svg g path rect circle ellipse line polyline polygon text tspan title desc defs clipPath
    linearGradient radialGradient stop marker use""".split()  # noqa: SIM905 -- read as a text
)
_ATTRIBUTES = frozenset(
    """id class width height viewBox preserveAspectRatio transform x y x1 y1 x2 y2 dx dy cx cy r
    rx ry d points fill fill-opacity fill-rule stroke stroke-width stroke-opacity
    stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit opacity
    clip-path clip-rule font-family font-size font-style font-weight text-anchor text-decoration
    dominant-baseline textLength lengthAdjust letter-spacing color offset stop-color stop-opacity
    gradientUnits gradientTransform clipPathUnits refX refY orient markerWidth markerHeight
    markerUnits marker-start marker-mid marker-end href""".split()  # noqa: SIM905 -- read as a text
)
_REFERENCE = re.compile(r"url\(\s*['\"]?#([^'\")\s]+)['\"]?\s*\)")
_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*>", re.IGNORECASE)
_SHAPES = frozenset({"path", "rect", "circle", "line", "text", "use"})


def inline_svg(picture: bytes | str, *, prefix: str, label: str) -> str:
    """Rewrite an SVG document as an element that can stand inside an HTML page.

    Only drawing elements and attributes are kept: no script, handler, style sheet, foreign object,
    link or reference that leaves the picture. Ids become the prefix and a number, so that pictures
    can share a page and do not depend on what was drawn before. What each mark says to a screen
    reader becomes its `title`, shown on hovering.

    Args:
        picture: an SVG document.
        prefix: what its ids begin with; letters, digits and hyphens.
        label: what the whole picture shows, for those who do not see it.

    Raises:
        ValueError: the picture is no SVG document, or declares entities.

    Example:
        >>> drawn = '<svg xmlns="http://www.w3.org/2000/svg"><script/><g id="a" onclick=""/></svg>'
        >>> inline_svg(drawn, prefix="p-", label="A <picture>")
        '<svg role="img" aria-label="A &lt;picture&gt;"><g id="p-0"/></svg>'
    """
    root = _parsed(picture)
    found = dict.fromkeys(key for element in root.iter() if (key := element.get("id")))
    ids = {key: f"{prefix}{number}" for number, key in enumerate(found)}
    body = "".join(_children(root, ids))
    attributes = "".join(_attributes(root, ids))
    return f'<svg role="img" aria-label="{html_text(label)}"{attributes}>{body}</svg>'


def _parsed(picture: bytes | str) -> ET.Element:
    text = picture.decode("utf-8", "replace") if isinstance(picture, bytes) else picture
    text = _DOCTYPE.sub("", text, count=1)
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise ValueError("a picture that declares entities is not shown")
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    try:
        root = ET.fromstring(text)  # noqa: S314 -- entities are refused above
    except ET.ParseError as error:
        raise ValueError(f"the picture is no SVG document: {error}") from error
    if root.tag != f"{{{_SVG}}}svg":
        raise ValueError(f"the picture is no SVG document: its root is {root.tag!r}")
    return root


def _children(element: ET.Element, ids: Mapping[str, str]) -> Iterator[str]:
    if element.text and element.text.strip():
        yield html_text(element.text.strip("\n"))
    for child in element:
        yield from _element(child, ids)
        if child.tail and child.tail.strip():
            yield html_text(child.tail.strip("\n"))


def _element(element: ET.Element, ids: Mapping[str, str]) -> Iterator[str]:
    name = _local(element)
    if name not in _ELEMENTS or _is_unseen(element):
        return
    title = element.get("aria-label") if name in _SHAPES and len(element) == 0 else None
    body = "".join(
        [f"<title>{html_text(title)}</title>" if title else "", *_children(element, ids)]
    )
    start = f"<{name}{''.join(_attributes(element, ids))}"
    yield f"{start}>{body}</{name}>" if body else f"{start}/>"


def _attributes(element: ET.Element, ids: Mapping[str, str]) -> Iterator[str]:
    for name, value in [*element.attrib.items(), *_styles(element)]:
        plain = name.removeprefix(f"{{{_XLINK}}}")
        kept = _value(plain, value, ids)
        if plain in _ATTRIBUTES and kept is not None:
            yield f' {plain}="{html_text(kept)}"'


def _styles(element: ET.Element) -> Iterator[tuple[str, str]]:
    for declaration in element.get("style", "").split(";"):
        name, colon, value = declaration.partition(":")
        if colon and name.strip() not in element.attrib:
            yield name.strip(), value.strip()


def _value(name: str, value: str, ids: Mapping[str, str]) -> str | None:
    """Give an attribute's value with local references renamed; None where it refers elsewhere."""
    if name == "id":
        return ids[value]
    if name == "href":
        return f"#{ids[value[1:]]}" if value.startswith("#") and value[1:] in ids else None
    if "\\" in value:  # a CSS escape may spell `url` in a way that the next lines do not see
        return None
    renamed = _REFERENCE.sub(lambda found: f"url(#{ids.get(found[1], '')})", value)
    return None if "url(" in _REFERENCE.sub("", value).lower() else renamed


def _local(element: ET.Element) -> str:
    """Give an SVG element its plain name, a link that of the group it becomes; else nothing."""
    tag = element.tag if isinstance(element.tag, str) else ""
    name = tag.removeprefix(f"{{{_SVG}}}")
    return "" if name == tag else "g" if name == "a" else name


def _is_unseen(element: ET.Element) -> bool:
    frame = element.get("class") in {"background", "foreground"}
    bare = element.get("fill") is None and element.get("stroke") is None
    return element.get("display") == "none" or (frame and bare) or element.get("d") == ""
