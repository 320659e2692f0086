"""A C-CDA (or any CDA R2) document as simple markup: its sections with their titles and narrative, nothing else.

Parsed by expat without a document type: no entity, inner or outer, can be declared. Runs only where `pdf` does. What
comes out is not to be trusted: `markup` sanitises it, in a process that has not read this document.
"""

import base64
import binascii
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from html import escape
from xml.parsers import expat

from plugin.rendering import image, pdf
from plugin.rendering.job import Answer, Problem

NAMESPACE = "urn:hl7-org:v3"
_SEPARATOR = " "

MAX_DEPTH = 100
"""Elements within each other. Sections nest thrice, tables in lists a dozen times."""

_PLAIN = {
    "paragraph": "p", "list": "ul", "item": "li", "table": "table", "thead": "thead", "tbody": "tbody",
    "tfoot": "tfoot", "tr": "tr", "th": "th", "td": "td", "caption": "b", "br": "br", "sub": "sub", "sup": "sup",
    "footnote": "small",
}  # fmt: skip
"""Narrative block (CDA R2 4.3.5) -> HTML. Others, links among them, leave their text."""

_HOLDS_TEXT = frozenset({"content", "paragraph", "item", "td", "th", "caption", "footnote"})
"""What a styleCode becomes an element in: what holds words, and not only other elements."""

_STYLES = {
    "bold": "b", "italics": "i", "underline": "u", "emphasis": "em", "strikethrough": "s", "line-through": "s",
}  # fmt: skip
"""styleCode, in small letters -> HTML. The standard has no word for struck out; some write these."""

_REVISED = {"delete": "del", "insert": "ins"}
"""CDA R2 4.3.5.4, of a `content`: what a later version took out or put in."""

_STRUCK = ' style="text-decoration:line-through"'
"""Of a row, list or table that is struck out as a whole, in which no `s` may stand; `markup` knows it."""

_NOT_TEXT = frozenset({"renderMultiMedia"})
_PLAIN_TEXT = "text/plain"
"""What a body is that does not say what it is (HL7 V3 data types, ED)."""

_ALLOWED_SPANS = frozenset({"colspan", "rowspan"})
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/tiff"})


class _Refused(Exception):
    """The document has what none of ours has."""


def document_of(data: bytes, number: int, watermark: tuple[str, ...]) -> Answer:
    """The document as markup; one whose body is a PDF, a picture or a plain text, as that."""
    reader = _Reader()
    try:
        reader.read(data)
    except (expat.ExpatError, _Refused, ValueError, LookupError):  # an encoding that Python does not know, among others
        return Answer(Problem.BROKEN)
    if not reader.is_clinical_document:
        return Answer(Problem.BROKEN)
    if reader.body_type:
        return _unstructured(reader, number, watermark)
    markup = "".join(reader.written)
    if not markup:
        return Answer(Problem.NOTHING_TO_SHOW)
    return Answer(None, 1, markup=markup) if number == 1 else Answer(Problem.NO_SUCH_PAGE, 1)


def _unstructured(reader: "_Reader", number: int, watermark: tuple[str, ...]) -> Answer:
    """The content of a nonXMLBody: most French documents of level 1 are a PDF in such an envelope."""
    body = "".join(reader.body)
    if not reader.is_encoded:  # or a place elsewhere, which no file of a source may send us to
        return _text(body) if reader.body_type == _PLAIN_TEXT else Answer(Problem.NOTHING_TO_SHOW)
    try:
        content = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return Answer(Problem.BROKEN)
    if reader.body_type == _PLAIN_TEXT:
        return _text(_decoded(content))
    if reader.body_type == "application/pdf":
        return pdf.page_of(content, number, watermark)
    if reader.body_type in _PICTURES:
        return image.picture_of(content, number, watermark)
    return Answer(Problem.NOTHING_TO_SHOW)


def _text(text: str) -> Answer:
    """All of it: whoever shows it makes pages of it."""
    if "\x00" in text:
        return Answer(Problem.BROKEN)  # no text has one, whatever it is called
    return Answer(None, 1, text=text) if text.strip() else Answer(Problem.NOTHING_TO_SHOW)


def _decoded(content: bytes) -> str:
    """As a plain text file that does not state its encoding."""
    try:
        return content.decode("utf-16" if content.startswith((BOM_UTF16_BE, BOM_UTF16_LE)) else "utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("windows-1252", errors="replace")


class _Reader:
    """Handlers of one document."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.body: list[str] = []
        self.body_type = ""
        """Of a nonXMLBody; empty: there is none."""
        self.is_encoded = False
        self.is_clinical_document = False
        self._path: list[str] = []
        self._narrative = 0
        """Depth of the `text` of a section that is being read; 0 outside."""
        self._title = False
        self._in_body = False
        self._tags: list[tuple[str, ...]] = []
        """HTML of each open element of a narrative, outermost first; nothing for one that leaves its text alone."""

    def read(self, data: bytes) -> None:
        """Raises ExpatError, _Refused."""
        parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(data, True)

    def _refuse(self, *_: object) -> int:
        raise _Refused

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.rpartition(_SEPARATOR)
        if len(self._path) >= MAX_DEPTH:
            raise _Refused
        if not self._path:
            self.is_clinical_document = (namespace, name) == (NAMESPACE, "ClinicalDocument")
        self._path.append(name if namespace == NAMESPACE else "")
        if self._narrative:
            self._open(name, attributes)
        elif self._path[-2:] == ["section", "text"]:
            self._narrative = len(self._path)
        elif name == "title" and self._path[-2:-1] in (["section"], ["ClinicalDocument"]):
            self._title = True
            self.written.append("<h3>" if self._path[-2] == "section" else "<h2>")
        elif self._path[-2:] == ["nonXMLBody", "text"]:
            self._in_body = True
            self.is_encoded = attributes.get("representation") == "B64"
            self.body_type = attributes.get("mediaType", "").strip().lower() or _PLAIN_TEXT

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        opened: tuple[str, ...] = ()
        if name in _NOT_TEXT:
            self.written.append("[…]")
        elif tag := _PLAIN.get(name):
            spans = "".join(
                f' {key}="{int(value)}"'
                for key, value in attributes.items()
                if key in _ALLOWED_SPANS and value.isascii() and value.isdecimal() and len(value) < 4
            )
            tag = "ol" if tag == "ul" and attributes.get("listType") == "ordered" else tag
            struck = _STRUCK if name not in _HOLDS_TEXT and _is_struck(attributes) else ""
            self.written.append(f"<{tag}{spans}{struck}>")
            opened = () if tag == "br" else (tag,)
        styles = _styles(name, attributes)
        self.written += [f"<{style}>" for style in styles]
        self._tags.append((*opened, *styles))

    def _end(self, qualified: str) -> None:
        _, _, name = qualified.rpartition(_SEPARATOR)
        depth = len(self._path)
        if self._narrative:
            if depth == self._narrative:
                self._narrative = 0
            else:
                self.written += [f"</{tag}>" for tag in reversed(self._tags.pop())]
        elif self._title and name == "title":
            self._title = False
            self.written.append("</h3>" if self._path[-2] == "section" else "</h2>")
        elif self._in_body and name == "text":
            self._in_body = False
        self._path.pop()

    def _text(self, text: str) -> None:
        if self._narrative or self._title:
            self.written.append(escape(text))
        elif self._in_body:
            self.body.append(text)


def _styles(name: str, attributes: dict[str, str]) -> tuple[str, ...]:
    """HTML of what an element says by how it is written: that it was taken out, above all."""
    if name not in _HOLDS_TEXT:
        return ()
    found = (_REVISED.get(attributes.get("revised", "").lower()), *map(_STYLES.get, _codes(attributes)))
    return tuple(dict.fromkeys([tag for tag in found if tag is not None]))


def _is_struck(attributes: dict[str, str]) -> bool:
    return any(_STYLES.get(code) == "s" for code in _codes(attributes))


def _codes(attributes: dict[str, str]) -> list[str]:
    return attributes.get("styleCode", "").lower().split()
