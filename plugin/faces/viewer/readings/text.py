"""Texts from outside, made fit to be printed: one function that every name, unit, note and label goes through.

Markup stays text: escaping is the template's, and the chart's for what it draws. What could change how the rest of a
page reads (controls, reversed writing, piles of marks, endless fields) is taken out, made visible or shortened here.
"""

import re
import unicodedata
from typing import Any, ClassVar

from msgspec import Struct

MAX_LINE = 160
"""Of a name, unit or title, in characters: two lines of a panel 380 px wide, and longer than any in LOINC's short
names."""
MAX_PROSE = 1_200
"""Of a note or conclusion: what is read without opening it; some twenty lines."""
MAX_WHOLE = 20_000
"""Of what an expansion shows, so that one hostile field (FHIR allows a megabyte) does not become the page."""
MAX_MARKS = 6
"""Combining marks on one letter; Vietnamese needs two, Hebrew and Tibetan up to five. More only cover other lines."""

ELLIPSIS = "…"

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS = frozenset("\u200c\u200d")
"""They shape letters of Persian and Indic scripts and join emoji; they are part of how such a text is written."""
_FIRST_MARK = "\u0300"
"""Before it there are no combining marks."""
_BLANKS = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n ?")
_EMPTY_LINES = re.compile(r"\n{3,}")


class Text(Struct, frozen=True, gc=False):
    """A text that may be printed (escaped)."""

    kind: ClassVar[str] = "text"

    shown: str
    """Never empty; ends in `…` where something was cut off."""
    whole: str | None = None
    """The text for an expansion, where `shown` is not all of it; ends in `…` where something is missing there too."""
    complete: bool = True
    """False where not even `whole` is all that the source sent."""

    def __str__(self) -> str:
        return self.shown


def line(value: Any, limit: int = MAX_LINE) -> Text | None:
    """A text on one line: a name, a unit, a title. None where `value` is no text or has nothing to see in it."""
    if not isinstance(value, str):
        return None
    if len(value) <= limit and value.isprintable() and value == value.strip() and "  " not in value:
        # What is printable has no control, and no blank but the space; before the first mark nothing piles up.
        plain = value.isascii() or max(value) < _FIRST_MARK
        if plain:
            return Text(value) if value else None  # nearly all names, units and codes
    return _shortened(" ".join(_visible(value).split()), limit)


def prose(value: Any, limit: int = MAX_PROSE) -> Text | None:
    """A text with its line breaks: a note, a conclusion. None as in `line`."""
    if not isinstance(value, str):
        return None
    text = _LINE_ENDS.sub("\n", _BLANKS.sub(" ", _visible(value)))
    return _shortened(_EMPTY_LINES.sub("\n\n", text).strip(), limit)


def visible(text: str) -> str:
    """`text`, however long, without characters that are obeyed rather than read. The commonest is returned as it is."""
    if text.isascii() and text.isprintable():
        return text
    if not text.isprintable():
        text = text.replace("\r\n", "\n").translate(_SEEN)
    return _without_piles(text)


def _visible(text: str) -> str:
    return visible(text[: MAX_WHOLE + 1])  # one more than is ever shown, so that the shortening is seen


class _Seen(dict[int, str]):
    """What stands for each character; filled as characters are met, and bounded by how many there are."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        stands = self[point] = _stands_for(char)
        return stands


def _stands_for(char: str) -> str:
    if char in _BIDI:
        return f"‹U+{ord(char):04X}›"  # a reader sees that the text tries to be read in another order
    if char in "\n\u2028\u2029\x85\r":
        return "\n"
    kind = unicodedata.category(char)
    if char in "\t\v\f" or kind == "Zs":
        return " "
    if char in _JOINERS or kind == "Co" or char.isprintable():
        return char
    return "�" if kind in ("Cs", "Cn") else ""


_SEEN = _Seen()


def _without_piles(text: str) -> str:
    if max(text, default="") < _FIRST_MARK or not any(map(unicodedata.combining, text)):
        return text
    kept, pile = [], 0
    for char in text:
        pile = pile + 1 if unicodedata.combining(char) else 0
        if pile <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)


def _shortened(text: str, limit: int) -> Text | None:
    if not text or text.isspace():
        return None
    if len(text) <= limit:
        return Text(text)
    end = limit - 1
    while end > limit // 2 and unicodedata.combining(text[end]):
        end -= 1
    complete = len(text) <= MAX_WHOLE
    whole = text if complete else text[: MAX_WHOLE - 1] + ELLIPSIS
    return Text(text[:end].rstrip() + ELLIPSIS, whole, complete)
