"""How names and values from a log are made harmless where people read them."""

from __future__ import annotations

import html
import re
import unicodedata

__all__ = ["html_text", "markdown_text", "visible"]

_JOINERS = "\u200c\u200d"
_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKDOWN = re.compile(r"([\\`*_\[\]#+|~$])")


def visible(value: object) -> str:
    r"""Write a value so that nothing in it acts on a terminal or reorders a line.

    Control, format (bidi, zero width), private, unassigned and surrogate characters become escapes
    as in Python; the two joiners stay, because Persian, Hindi and emoji are written with them.

    Example:
        >>> visible("lr\x1b[31m\u202e")
        'lr\\x1b[31m\\u202e'
        >>> visible("Größe η 学習率")
        'Größe η 学習率'
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def html_text(value: object) -> str:
    """Write a value as HTML text that is also safe inside a quoted attribute.

    Example:
        >>> html_text('<b a="1">')
        '&lt;b a=&quot;1&quot;&gt;'
    """
    return html.escape(visible(value), quote=True)


def markdown_text(value: object) -> str:
    r"""Write a value as Markdown text: no markup, no HTML, no end of a table's cell.

    Example:
        >>> markdown_text("a|b <i> *c*")
        'a\\|b &lt;i&gt; \\*c\\*'
    """
    marked = _MARKDOWN.sub(r"\\\1", visible(value))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _visible_character(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _INVISIBLE:
        return character
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
