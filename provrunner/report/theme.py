"""The colours and type that all charts share, for light and dark paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "BLUE",
    "CONFIG",
    "DARK",
    "GREEN",
    "GREY",
    "KINDS",
    "LIGHT_GREY",
    "PALE",
    "RAMP",
    "VERMILION",
    "ramp",
]

BLUE, GREEN, VERMILION = "#0072B2", "#009E73", "#D55E00"
"""Okabe and Ito's colours, told apart with any colour vision."""
PALE, GREY, LIGHT_GREY = "#B5D3E7", "#8C8C8C", "#C9C9C9"
"""What is not significant, what seeds alone explain, and what is not resolved."""

_PURPLE, _ORANGE = "#AA4499", "#E69F00"
KINDS = (BLUE, _ORANGE, GREEN, _PURPLE, VERMILION)
"""Things side by side that have no order."""

RAMP = ("#440154", "#46307E", "#3B528B", "#2C728E", "#21918C", "#28AE80", "#5EC962", "#ADDC30")
"""Viridis from its dark end, eight steps for ordered levels."""
_DARK_RAMP = (
    "#6F5BB5", "#5B7BC4", "#3F93C5", "#2FA6B5", "#35B99A", "#5EC962", "#A5DB36", "#FDE725",
)  # fmt: skip

DARK: Mapping[str, str] = {
    BLUE: "#56B4E9",
    PALE: "#35617F",
    VERMILION: "#FF8F45",
    GREEN: "#3CC79B",
    _PURPLE: "#D78FCB",
    LIGHT_GREY: "#5C5C5C",
    **dict(zip(RAMP, _DARK_RAMP, strict=True)),
}
"""What each of these colours becomes on dark paper."""

_INK = "currentColor"
CONFIG: Mapping[str, Any] = {
    "background": None,
    "font": "Arial, Liberation Sans, Helvetica, sans-serif",
    "padding": {"left": 4, "right": 10, "top": 4, "bottom": 4},
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "frame": "bounds",
        "fontSize": 14,
        "subtitleFontSize": 12,
        "subtitleFontStyle": "normal",
        "subtitlePadding": 5,
        "offset": 12,
        "color": _INK,
        "subtitleColor": _INK,
    },
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 220,
        "titleLimit": 400,
        "domainColor": _INK,
        "domainOpacity": 0.4,
        "tickColor": _INK,
        "tickOpacity": 0.4,
        "gridColor": _INK,
        "gridOpacity": 0.12,
    },
    "legend": {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 160,
    },
    "text": {"color": _INK, "fontSize": 12},
}


def ramp(n: int) -> list[str]:
    """Choose n ordered colours, evenly from the ramp.

    Example:
        >>> ramp(2)
        ['#440154', '#ADDC30']
        >>> ramp(1)
        ['#0072B2']
    """
    if n == 1:
        return [BLUE]
    return [RAMP[round(i * (len(RAMP) - 1) / (n - 1))] for i in range(n)]
