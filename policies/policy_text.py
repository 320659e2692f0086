"""A file of policies as text: where each policy begins, so that an error can name file and line.

Only what is needed to find the end of a statement: strings, comments and the closing semicolon. The grammar is Cedar's.
"""

import re
from dataclasses import dataclass

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;', re.DOTALL)
_BLANK = re.compile(r"(?:\s|//[^\n]*)*")


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy as it stands in its file."""

    file: str
    line: int
    """Of its first character, from 1."""
    text: str

    def place_of(self, name: str) -> str:
        """`file:line` of the first occurrence of `name` as a word, else of the policy."""
        found = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", self.text) if name else None
        return f"{self.file}:{self.line + (self.text.count(chr(10), 0, found.start()) if found else 0)}"


def statements(file: str, text: str) -> list[Statement]:
    """The policies of a file in their order; what follows the last semicolon is one more, if there is anything."""
    found: list[Statement] = []
    start = 0
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            found.append(_statement(file, text, start, token.end()))
            start = token.end()
    if _after_blank(text, start) < len(text):
        found.append(_statement(file, text, start, len(text)))
    return found


def _statement(file: str, text: str, start: int, end: int) -> Statement:
    begins = _after_blank(text, start)
    return Statement(file, text.count("\n", 0, begins) + 1, text[begins:end])


def _after_blank(text: str, start: int) -> int:
    blank = _BLANK.match(text, start)
    return blank.end() if blank else start
