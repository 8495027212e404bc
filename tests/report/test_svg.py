import pytest

from provrunner.report.svg import inline_svg

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'


def inlined(body: str) -> str:
    return inline_svg(f"{OPEN}{body}</svg>", prefix="p-", label="x")


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        "<style>*{background:url(http://evil)}</style>",
        '<foreignObject><p xmlns="http://www.w3.org/1999/xhtml">x</p></foreignObject>',
        '<image href="http://evil/x.png"/>',
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<iframe xmlns="http://www.w3.org/1999/xhtml" src="http://evil"/>',
    ],
)
def test_what_is_no_drawing_is_left_out(body):
    assert inlined(body) == '<svg role="img" aria-label="x"></svg>'


@pytest.mark.parametrize(
    "attribute",
    [
        'onload="alert(1)"',
        'href="http://evil"',
        'xlink:href="javascript:alert(1)"',
        'fill="url(http://evil#a)"',
        'fill="url( &quot;//evil&quot; )"',
        'fill="u\\72l(http://evil)"',
        'style="fill:url(http://evil)"',
        'filter="url(#a)"',
    ],
)
def test_handlers_and_outside_references_are_left_out(attribute):
    assert inlined(f'<path d="M0,0" {attribute}/>') == (
        '<svg role="img" aria-label="x"><path d="M0,0"/></svg>'
    )


def test_a_link_becomes_a_group():
    assert inlined('<a xlink:href="http://evil"><text>hi</text></a>') == (
        '<svg role="img" aria-label="x"><g><text>hi</text></g></svg>'
    )


def test_ids_and_their_references_are_renamed_together():
    body = '<defs><clipPath id="clip7"/></defs><g clip-path="url(#clip7)"/><use href="#clip7"/>'
    assert inlined(body) == (
        '<svg role="img" aria-label="x"><defs><clipPath id="p-0"/></defs>'
        '<g clip-path="url(#p-0)"/><use href="#p-0"/></svg>'
    )


def test_a_style_attribute_becomes_plain_attributes():
    assert '<path fill="red"/>' in inlined('<path style="fill: red; behavior: x"/>')


def test_text_stays_escaped_and_controls_are_shown():
    assert "a &lt;b&gt; \\u202e" in inlined("<text>a &lt;b> \u202e</text>")


def test_entities_are_refused():
    bomb = f'<!DOCTYPE svg [<!ENTITY a "b">]>{OPEN}<text>&a;</text></svg>'
    with pytest.raises(ValueError, match="entities"):
        inline_svg(bomb, prefix="p-", label="x")


@pytest.mark.parametrize("text", ["", "<svg", "<html/>", b"\xff\xfe", "<svg/>"])
def test_what_is_no_svg_document_is_refused(text):
    with pytest.raises(ValueError, match="no SVG document"):
        inline_svg(text, prefix="p-", label="x")


def test_a_graphviz_picture_passes(picture):
    drawn = inline_svg(picture, prefix="g-", label="graph")
    assert ">best.ckpt</text>" in drawn
    assert "DOCTYPE" not in drawn
