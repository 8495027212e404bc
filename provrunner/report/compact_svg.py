"""A chart's SVG in fewer bytes, drawn the same to a tenth of a pixel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from xml.etree import ElementTree as ET

__all__ = ["compact_svg", "polyline"]

_SVG = "{http://www.w3.org/2000/svg}"
_GROUP, _PATH, _TEXT, _USE = (_SVG + name for name in ("g", "path", "text", "use"))
_INHERITED = frozenset(
    """fill fill-opacity stroke stroke-width stroke-opacity stroke-dasharray stroke-miterlimit
    font-family font-size font-style font-weight text-anchor""".split()  # noqa: SIM905 -- as a text
)
_IDLE = {"opacity": "1", "transform": "translate(0,0)", "stroke-dasharray": "1,0"}
_FRAMES = frozenset({"background", "foreground"})
_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PLACE = re.compile(rf"translate\(({_NUMBER}),({_NUMBER})\)(.*)")
_CORNER = re.compile(rf"({_NUMBER}),({_NUMBER})")
_RECTANGLE = re.compile(rf"M{_NUMBER},{_NUMBER}h[\d.]+v[\d.]+h-[\d.]+Z")
_POLYLINES = re.compile(rf"(?:M{_NUMBER},{_NUMBER}(?:L{_NUMBER},{_NUMBER})*Z?)+")
_FEWEST = 3
"""Marks that must be alike before what they share is written once."""


def compact_svg(picture: str) -> str:
    """Rewrite a chart as Vega draws it in a fraction of its bytes.

    Coordinates keep a tenth of a pixel. A symbol that is drawn often stands once and is used at
    each place; what neighbours share stands on a group around them; neighbouring rectangles of
    one look without a label become one path. What a mark says to a screen reader stays with it.

    The one thing drawn otherwise: where translucent rectangles of one path overlap, as the rims of
    a surface's cells do, it is no darker than elsewhere.

    Args:
        picture: an SVG document without entities.

    Returns:
        An SVG document.

    Example:
        >>> dots = "".join(
        ...     f'<path transform="translate({x}.123,5)" d="M3,0A3,3,0,1,1,3,0" fill="red"/>'
        ...     for x in range(3)
        ... )
        >>> svg = compact_svg(f'<svg xmlns="http://www.w3.org/2000/svg">{dots}</svg>')
        >>> svg.count("M3"), svg.count("red"), svg.count('x="2.1"')
        (1, 1, 1)
    """
    root = ET.fromstring(picture)  # noqa: S314 -- drawn by this program
    for element in root.iter():
        _shorten(element)
    symbols = _use_symbols(root)
    _fold(root, {"fill": "black", "stroke": "none"})
    if len(symbols):
        root.insert(0, symbols)
    return ET.tostring(root, encoding="unicode")


def _shorten(element: ET.Element) -> None:
    """Drop what changes nothing on the page, and digits that nobody sees."""
    attributes = element.attrib
    for name in list(attributes):
        if name.startswith("aria-") and (name != "aria-label" or element.tag == _GROUP):
            del attributes[name]
    attributes.pop("role", None)
    if attributes.get("class") not in _FRAMES:
        attributes.pop("class", None)
    for name, value in _IDLE.items():
        if attributes.get(name) == value:
            del attributes[name]
    if "d" in attributes:
        attributes["d"] = _path(attributes["d"])


def _path(text: str) -> str:
    """Write a path of straight lines in steps, any other with fewer digits.

    Example:
        >>> _path("M10.04,20L10.52,19.5L30,40Z"), _path("M0.123,1h2.04A3,3,0,1,1,0,0")
        ('M10 20l.5-.5 19.5 20.5z', 'M.1,1h2A3,3,0,1,1,0,0')
    """
    if not _POLYLINES.fullmatch(text):
        return re.sub(_NUMBER, lambda found: _figure(float(found[0])), text)
    lines = [
        polyline([(float(x), float(y)) for x, y in _CORNER.findall(line)])
        + ("z" if line.endswith("Z") else "")
        for line in text.split("M")[1:]
    ]
    return "".join(lines)


def polyline(points: Sequence[tuple[float, float]]) -> str:
    """Write a line through points as a path, in steps of a tenth of a pixel.

    Example:
        >>> polyline([(10.04, 20.0), (10.52, 19.5), (30.0, 40.0)])
        'M10 20l.5-.5 19.5 20.5'
    """
    places = [(round(x, 1), round(y, 1)) for x, y in points]
    steps = [_pair(x - a, y - b) for (a, b), (x, y) in pairwise(places)]
    apart = "".join(step if step.startswith("-") else f" {step}" for step in steps).strip()
    return f"M{_pair(*places[0])}{'l' if steps else ''}{apart}"


def _pair(x: float, y: float) -> str:
    first, second = _figure(x), _figure(y)
    return f"{first}{second}" if second.startswith("-") else f"{first} {second}"


def _figure(value: float) -> str:
    """Write a coordinate to a tenth of a pixel.

    Example:
        >>> [_figure(value) for value in (0.5, -0.04, -0.26, 12.0)]
        ['.5', '0', '-.3', '12']
    """
    text = f"{value:.1f}".removesuffix(".0")
    text = text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
    return "0" if text == "-0" else text


def _use_symbols(root: ET.Element) -> ET.Element:
    """Turn symbols that are drawn often into uses of definitions, which are returned."""
    found = [
        (element, place)
        for element in root.iter(_PATH)
        if (place := _PLACE.fullmatch(element.get("transform", "")))
    ]
    drawn = Counter(_symbol(element, place[3]) for element, place in found)
    names = {
        symbol: f"symbol{number}"
        for number, (symbol, times) in enumerate(drawn.items())
        if times >= _FEWEST
    }
    for element, place in found:
        name = names.get(_symbol(element, place[3]))
        if name is not None:
            for key in ("d", "opacity", "transform"):
                element.attrib.pop(key, None)
            element.tag = _USE
            own = {"href": f"#{name}", "x": _figure(float(place[1])), "y": _figure(float(place[2]))}
            element.attrib.update(own)
    definitions = ET.Element(f"{_SVG}defs")
    for symbol, name in names.items():
        ET.SubElement(definitions, _PATH, dict(symbol), id=name)
    return definitions


def _symbol(element: ET.Element, turn: str) -> tuple[tuple[str, str], ...]:
    """Give the attributes of a symbol that a use of it cannot pass on."""
    own = {**{key: element.get(key, "") for key in ("d", "opacity")}, "transform": turn.strip()}
    return tuple((key, value) for key, value in own.items() if value)


def _fold(parent: ET.Element, paint: Mapping[str, str]) -> None:
    """Join children that look alike, and write once what neighbours share.

    Args:
        parent: whose children are replaced.
        paint: fill and stroke that it inherits.
    """
    paint = {name: parent.get(name, inherited) for name, inherited in paint.items()}
    for child in parent:
        _fold(child, paint)
    children = list(_spread(parent))
    for child in children:
        _paint_opacity(child, paint)
    folded = []
    for tag, neighbours in groupby(_joined(children), key=lambda child: child.tag):
        alike = list(neighbours)
        shared = _shared(alike) if tag != _GROUP and len(alike) >= _FEWEST else {}
        for child in alike:
            for name in shared:
                del child.attrib[name]
        folded += [_grouped(alike, shared)] if shared else alike
    parent[:] = folded


def _spread(parent: ET.Element) -> Iterator[ET.Element]:
    """Give the children with those of groups that do nothing in their place."""
    for child in parent:
        if child.tag == _GROUP and not child.attrib:
            yield from child
        elif not _is_unseen(child):
            yield child


def _is_unseen(element: ET.Element) -> bool:
    """Say whether it is a label left out for want of room, or the frame of a plot without one."""
    if element.tag == _TEXT:
        return element.get("opacity") == "0" or not (len(element) or element.text)
    is_bare = element.get("fill") is None and element.get("stroke") is None
    return element.get("class") in _FRAMES and is_bare


def _paint_opacity(element: ET.Element, paint: Mapping[str, str]) -> None:
    """Say of a shape with one paint alone how opaque the paint is, which a group can pass on."""
    if element.tag != _PATH or "opacity" not in element.attrib:
        return
    painted = [name for name in paint if element.get(name, paint[name]) != "none"]
    if len(painted) == 1 and f"{painted[0]}-opacity" not in element.attrib:
        element.set(f"{painted[0]}-opacity", element.attrib.pop("opacity"))


def _joined(children: list[ET.Element]) -> Iterator[ET.Element]:
    """Draw neighbouring unlabelled rectangles of one look as one path.

    All are wound alike, so that none punches a hole into another.
    """

    def look(child: ET.Element) -> object:
        is_plain = child.tag == _PATH and not len(child)
        is_plain = is_plain and not {"transform", "aria-label"} & child.attrib.keys()
        if not is_plain or not _RECTANGLE.fullmatch(child.get("d", "")):
            return id(child)
        return sorted((key, value) for key, value in child.attrib.items() if key != "d")

    for _, alike in groupby(children, key=look):
        first, *rest = alike
        if rest:
            first.set("d", "".join(one.get("d", "") for one in (first, *rest)))
        yield first


def _shared(alike: list[ET.Element]) -> dict[str, str]:
    first, *rest = alike
    return {
        name: value
        for name, value in first.attrib.items()
        if name in _INHERITED and all(other.get(name) == value for other in rest)
    }


def _grouped(members: list[ET.Element], attributes: dict[str, str]) -> ET.Element:
    group = ET.Element(_GROUP, attributes)
    group.extend(members)
    return group
