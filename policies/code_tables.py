"""The tables of sensitive codes in force: those that ship, and the site's; what they say of a code, and their digest.

A site's file replaces a shipped one of the same name, and else stands beside it. Tables only add up: of several lines
that fit a code every sensitivity counts, and the strictest confidentiality.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from policies.code_systems import CodeSystem
from policies.code_table import Label, Line, LineInvalid, Table, TablesInvalid, read
from policies.coding import system_of
from policies.vocabulary.security_labels import STRICTNESS

MAX_BYTES = 16 << 20
"""All of a site's tables; a larger folder is some other folder."""

_NOTHING: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class _Index:
    """The lines of one system, cut where any of them begins or ends: `labels[n]` holds from `starts[n]` on."""

    system: CodeSystem
    starts: Sequence[str]
    labels: Sequence[tuple[Label, ...]]


class CodeTables:
    """An accepted set of tables. Immutable; safe to share between threads."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Read `texts`, file name -> content. Raises TablesInvalid."""
        self.tables = tuple(read(name, texts[name]) for name in sorted(texts))
        told = b"\0".join(part.encode() for name in sorted(texts) for part in (name, texts[name]))
        self.digest = hashlib.sha256(told).hexdigest()
        """SHA-256 of names and contents."""
        ours = {name for name, text in shipped().items() if texts.get(name) == text}
        _refuse_contradictions(self.tables, ours)
        self._by_uri: dict[str, _Index] = {}
        for uri, system in {uri: each for table in self.tables for uri, each in table.systems.items()}.items():
            index = _index(system, [line for table in self.tables for line in table.lines if line.uri == uri])
            self._by_uri.update(dict.fromkeys(system.uris, index))

    def labels(self, system: str, code: str) -> tuple[Label, ...]:
        """What the tables say of a code; nothing of a system that no line names."""
        index = self._by_uri.get(system_of(system))
        if index is None:
            return _NOTHING
        place = bisect_right(index.starts, index.system.normal(code)) - 1
        return index.labels[place] if place >= 0 else _NOTHING


def shipped() -> dict[str, str]:
    """File name -> content of the tables that ship."""
    folder = files("policies").joinpath("tables")
    return {each.name: each.read_text(encoding="utf-8") for each in folder.iterdir() if each.name.endswith(".csv")}


def texts(site: Path | None) -> dict[str, str]:
    """File name -> content of the tables in force; `site` is a folder of `*.csv`. Raises TablesInvalid."""
    return shipped() if site is None else shipped() | _site_texts(site)


def _site_texts(site: Path) -> dict[str, str]:
    try:
        paths = [path for path in site.iterdir() if path.suffix == ".csv" and not path.name.startswith(".")]
        if sum(path.stat().st_size for path in paths) > MAX_BYTES:
            raise TablesInvalid(f"the folder {site} holds more than tables")
        contents = {path.name: path.read_bytes() for path in paths}
    except OSError as error:
        raise TablesInvalid(f"{error.filename or site}: cannot be read: {error.strerror}") from error
    return {name: _decoded(name, content) for name, content in contents.items()}


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")  # spreadsheets put a mark in front
    except UnicodeDecodeError as error:
        raise LineInvalid(name, content[: error.start].count(b"\n") + 1, "is not UTF-8") from error


def _refuse_contradictions(tables: Iterable[Table], ours: Collection[str]) -> None:
    """Raise LineInvalid where two lines say different things of one code, and one would silently have no effect.

    A narrower line may be stricter than a wider one, and a site's line stricter than one of `ours`, the files that
    ship. Where a line is laxer the stricter wins, and who wrote it would believe otherwise.
    """
    by_sensitivity: dict[tuple[str, str], list[Line]] = {}
    for table in tables:
        for line in table.lines:
            by_sensitivity.setdefault((line.uri, line.label.sensitivity), []).append(line)
    for lines in by_sensitivity.values():
        open_lines: list[Line] = []
        for line in sorted(lines, key=lambda each: (each.first, _backwards(each.last), each.file, each.number)):
            open_lines = [each for each in open_lines if each.last >= line.first]
            for each in open_lines:
                _compare(each, line, ours)
            open_lines.append(line)


def _backwards(text: str) -> tuple[int, ...]:
    return (*(-ord(each) for each in text), 0)


def _compare(wider: Line, narrower: Line, ours: Collection[str]) -> None:
    """`wider` begins no later than `narrower`, and ends no earlier if they begin together; they overlap."""
    outer, inner = (STRICTNESS.get(each.label.confidentiality, -1) for each in (wider, narrower))
    if outer == inner:
        return
    if (wider.file in ours) != (narrower.file in ours):
        theirs, shipped_line = (narrower, wider) if wider.file in ours else (wider, narrower)
        if (theirs is narrower) == (inner > outer):
            return
        raise _contradiction(theirs, shipped_line)
    refines = narrower.last <= wider.last and (narrower.first, narrower.last) != (wider.first, wider.last)
    if not refines or inner < outer:
        raise _contradiction(*sorted((wider, narrower), key=lambda each: (each.file, each.number), reverse=True))


def _contradiction(line: Line, other: Line) -> LineInvalid:
    return LineInvalid(
        line.file,
        line.number,
        f"contradicts {other.file}, line {other.number}: both speak of the same codes and sensitivity, with "
        f"confidentiality '{line.label.confidentiality}' here and '{other.label.confidentiality}' there",
    )


def _index(system: CodeSystem, lines: Sequence[Line]) -> _Index:
    """Where each stretch of equal labels begins. A line ends behind its last code: at the smallest text after it."""
    starts = sorted({line.first for line in lines} | {line.last + "\0" for line in lines})
    begins: dict[str, list[Line]] = {}
    ends: dict[str, list[Line]] = {}
    for line in lines:
        begins.setdefault(line.first, []).append(line)
        ends.setdefault(line.last + "\0", []).append(line)
    holding: dict[tuple[str, int], Label] = {}
    labels = []
    for start in starts:
        for line in ends.get(start, ()):
            del holding[line.file, line.number]
        holding |= {(line.file, line.number): line.label for line in begins.get(start, ())}
        labels.append(tuple(dict.fromkeys(holding.values())))
    return _Index(system, starts, labels)
