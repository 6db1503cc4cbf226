"""Foreign text in Markdown, read back with a parser of GitHub's dialect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt

from editbench.printable import clean
from editbench.report.render.markdown_text import Markdown, bold, bullets, escape, table, warnings

HOSTILE = [
    "a|b\n<script>alert(1)</script> *x* [y](z) ![p](q) `c` ~~d~~ __e__ &amp; \\ \\| &#x3c; <https://a.example>",
    *("# heading", "- list", "+ list", "1. list", "2) list", "---", "===", "> quote", "```", "    code", "ends with ##"),
    *("[x]: http://a.example", "| a | b |", "=1+1", "物理 \x1b[2J\x07\x9b\u202e"),
]
CONTEXTS: dict[str, tuple[Callable[[str], str], str]] = {
    "table": (lambda text: table(("x", text), [(text, 1)]), "table thead tbody tr th td"),
    "list": (lambda text: bullets([text]), "bullet_list list_item paragraph"),
    "warning": (lambda text: warnings([text])[0].replace("> [!WARNING]\n", ""), "blockquote bullet_list list_item paragraph"),
    "heading": (lambda text: f"## {escape(text)}", "heading"),
    "emphasis": (bold, "paragraph strong"),
}


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_is_text_in_every_context(context: str, text: str) -> None:
    make, expected = CONTEXTS[context]
    blocks = MarkdownIt("gfm-like", {"linkify": False}).parse(make(text))
    tokens = [inner for block in blocks for inner in block.children or [block]]
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens} - {"inline", "text"}
    assert kinds == set(expected.split())
    assert clean(text) in "".join(token.content for token in tokens if token.type == "text")


def test_addresses_are_no_links() -> None:
    """The parser here makes no links of bare addresses, as GitHub does where these beginnings stand unescaped."""
    assert escape("see https://a.example and www.a.example") == r"see https\://a.example and www\.a.example"


def test_what_is_markdown_already_stays() -> None:
    assert table((Markdown("**a**"), bold("b|")), []).splitlines()[0] == r"| **a** | **b\|** |"
