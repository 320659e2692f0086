"""What separates the parts of a search value, and how it stands inside one: by a backslash (R4 3.1.1.4.0.1)."""

import re

_SEPARATOR = re.compile(r"([\\,|$])")
_ESCAPED = re.compile(r"\\([\\,|$])")


def split(value: str, separator: str = ",") -> list[str]:
    """The parts of a value at each separator that no backslash escapes; escapes are left in."""
    parts, start, index = [], 0, 0
    while index < len(value):
        if value[index] == "\\":
            index += 1
        elif value[index] == separator:
            parts.append(value[start:index])
            start = index + 1
        index += 1
    return [*parts, value[start:]]


def escaped(text: str) -> str:
    """The text as a part of a value, so that nothing in it separates anything."""
    return _SEPARATOR.sub(r"\\\1", text)


def plain(part: str) -> str:
    """A part without its escapes."""
    return _ESCAPED.sub(r"\1", part)
