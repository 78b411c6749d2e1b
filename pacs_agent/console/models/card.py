"""A model card as HTML. What the Markdown says is written by others: no HTML of its own, no pictures from elsewhere."""

from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from pacs_agent.inference import AnyBundle, BundleRefused

CARD = "MODEL_CARD.md"
PICTURES = (".png",)
MAX_CHARACTERS = 500_000


def card_of(bundle: AnyBundle) -> str:
    """The Markdown of a bundle's card; empty without one."""
    document = next((one for one in bundle.manifest.documents if one.file == CARD), None)
    try:
        content = bundle.read(document) if document else b""
    except BundleRefused:
        return ""
    return content.decode("utf-8", errors="replace")[:MAX_CHARACTERS]


def pictures(bundle: AnyBundle) -> frozenset[str]:
    """The pictures that the manifest names."""
    return frozenset(one.file for one in bundle.manifest.documents if one.file.endswith(PICTURES))


def rendered(text: str, base: str, known: Collection[str]) -> Markup:
    """Markdown (CommonMark with tables) as safe HTML, its known pictures below the path `base`.

    A card is a signed document of its bundle and is all the same rendered as a stranger's: raw HTML is shown as text,
    and links may only be http, https or mailto.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        _lower(token)
        for inner in token.children or ():
            _guard(inner, base, known)
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704 (made by the renderer, html off)


def _lower(token: Token) -> None:
    """Headings of the card stand below the page's h1 and its own h2."""
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(int(token.tag[1:]) + 2, 6)}"
    if token.type in ("th_open", "td_open"):
        token.attrs.pop("style", None)  # the page's policy allows no styles of an element
    if token.type == "th_open":
        token.attrSet("scope", "col")


def _guard(token: Token, base: str, known: Collection[str]) -> None:
    """A picture of the bundle is served from its folder; any other is left out, its description stays."""
    if token.type == "link_open":
        token.attrSet("rel", "noreferrer noopener")
        if not str(token.attrGet("href")).startswith(("https://", "http://", "mailto:", "#")):
            token.attrs.pop("href", None)
    if token.type != "image":
        return
    source = str(token.attrGet("src"))
    if source in known:
        token.attrSet("src", f"{base}/{quote(source)}")
        token.attrSet("loading", "lazy")
    else:
        _become_text(token)


def _become_text(token: Token) -> None:
    described: Any = token.content
    token.type, token.tag, token.children, token.content = "text", "", None, f"[{described}]"
