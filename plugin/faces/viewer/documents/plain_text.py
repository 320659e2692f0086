"""A plain text file as pages of text. No markup, no library: bytes are decoded and cut."""

import codecs
from email.message import Message
from typing import Final

MAX_PAGE = 15_000
"""Characters: some five pages of paper, and less than what a page of ours shows of any text."""

_ENCODINGS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "windows-1252",  # as browsers read it: nothing else is meant by those bytes
    "latin1": "windows-1252",
    "windows-1252": "windows-1252",
    "iso-8859-15": "iso-8859-15",
    "utf-16": "utf-16",
    **{name: name for name in ("utf-16le", "utf-16be", *(f"windows-125{last}" for last in "013456789"))},
    **{name: name for name in (f"iso-8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 16))},
}
_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""How a text in UTF-16 begins that says so itself."""


class Unreadable(Exception):
    """The bytes are not text in the encoding that they are said to have."""


def decoded(data: bytes, content_type: str) -> str:
    """The text; without a charset as its mark says, else UTF-8, else windows-1252, which older systems write. Raises
    Unreadable."""
    stated = _charset(content_type)
    unstated = ("utf-16" if data.startswith(_MARKS) else "utf-8", "windows-1252")
    encodings = unstated if stated is None else (_ENCODINGS.get(stated, ""),)
    for each in filter(None, encodings):
        try:
            text = data.decode(each)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:  # no text has one, whatever it is called
            return text.removeprefix("\ufeff")
    raise Unreadable


def paged(text: str) -> list[str]:
    """At form feeds, and at an end of a line before MAX_PAGE. At least one page."""
    pages = []
    for part in text.split("\f"):
        left = part
        while len(left) > MAX_PAGE:
            end = left.rfind("\n", 1, MAX_PAGE) + 1 or MAX_PAGE
            pages.append(left[:end])
            left = left[end:]
        pages.append(left)
    return [each for each in pages if each.strip()] or [""]


def _charset(content_type: str) -> str | None:
    message = Message()
    message["Content-Type"] = content_type
    found = message.get_param("charset")
    return found.strip().lower() if isinstance(found, str) else None
