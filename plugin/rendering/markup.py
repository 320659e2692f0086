"""FHIR narrative, and the markup that comes of a C-CDA, made fit for a page: structure and text, nothing else.

What stays is listed; an element that is not, leaves its text, and one that could act (script, style, svg …) nothing.
No attribute that loads, links, styles, names or scripts survives, so no request goes anywhere and no rule of the page
is touched. The sanitiser is memory-safe; it runs where `pdf` does for the time that it may be made to take.
"""

import re

import nh3

from plugin.rendering.job import Answer, Problem

MAX_MARKUP = 300_000
"""Characters: some hundred pages. What is longer is no summary for a reader, and is said to be too long."""

MAX_ELEMENTS = 10_000
"""By their opening tags: a table of a thousand results with nine columns."""

TAGS = frozenset(
    {
        "p", "br", "div", "span", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote", "pre",
        "b", "strong", "i", "em", "u", "small", "big", "sub", "sup", "tt", "code", "kbd", "samp", "var", "cite",
        "abbr", "acronym", "dfn", "q", "del", "ins", "s", "strike", "address", "center",
        "ul", "ol", "li", "dl", "dt", "dd", "dir", "menu",
        "table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td",
    }
)  # fmt: skip
"""Of R4 2.4.0.1 (HTML 4.0 chapters 7 to 11 and 15) without what fetches (img) and what leads away (a)."""

TODAY = {"strike": "s", "dir": "ul", "menu": "ul", "center": "div"}
"""Elements of HTML 4 that have gone since -> those that mean the same."""

ATTRIBUTES = {
    "*": {"style"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "col": {"span"},
    "ol": {"start"},
}
"""Of a style nothing stays but that a text is struck out, which is what it says rather than how it looks."""

ACTING = frozenset(
    {
        "script", "style", "svg", "math", "iframe", "frame", "frameset", "object", "embed", "applet", "template",
        "noscript", "noembed", "noframes", "title", "textarea", "select", "xmp", "plaintext", "audio", "video",
        "canvas", "form", "head", "link", "meta", "base",
    }
)  # fmt: skip
"""Dropped with everything in them: their content is not text of the narrative."""

_SPAN = re.compile(r"[1-9][0-9]{0,2}")
_SCOPES = frozenset({"row", "col", "rowgroup", "colgroup"})
_LINE_THROUGH, _STRUCK = "line-through", "struck"
_STYLED = re.compile(rf'(<[a-z0-9]+(?: [a-z]+="[^"<>]*")*?) style="{_STRUCK}"')
_GONE = re.compile(rf"<(/?)({'|'.join(TODAY)})\b")
_HEADING = re.compile(r"<(/?)h[1-6]\b")
_OPENED = re.compile(r"<[a-zA-Z]")


def clean(data: bytes, number: int, _: tuple[str, ...]) -> Answer:
    """The markup `data` (UTF-8) as a part of a page of ours, perhaps empty. A job, since parsers of HTML can be made to
    take a time that grows with the square of a text.
    """
    if number != 1:
        return Answer(Problem.NO_SUCH_PAGE, 1)
    text = data.decode("utf-8", errors="replace")
    if len(text) > MAX_MARKUP or len(_OPENED.findall(text)) > MAX_ELEMENTS:
        return Answer(Problem.TOO_LARGE)
    return Answer(None, 1, markup=sanitised(text))


def sanitised(text: str) -> str:
    """`text` with nothing in it but what is listed, balanced as a parser of HTML reads it."""
    found = nh3.clean(
        text,
        tags=set(TAGS),
        clean_content_tags=set(ACTING),
        attributes={name: set(allowed) for name, allowed in ATTRIBUTES.items()},
        attribute_filter=_attribute,
        url_schemes=set(),
        link_rel=None,
        strip_comments=True,
    )
    found = _GONE.sub(lambda tag: f"<{tag[1]}{TODAY[tag[2]]}", found)
    # An inline style is refused by the page's policy; a class of the page is not.
    found = _STYLED.sub(rf'\1 class="{_STRUCK}"', found)
    # The page has headings of its own above; a level that is skipped is a step missing to a screen reader.
    return _HEADING.sub(r"<\1h3", found)


def _attribute(_: str, name: str, value: str) -> str | None:
    if name == "style":
        return _STRUCK if _LINE_THROUGH in value.lower() else None
    if name == "scope":
        return value if value in _SCOPES else None
    return value if _SPAN.fullmatch(value) else None
