"""One table of sensitive codes: a CSV file that a privacy officer edits, with its provenance in front.

    # source: WHO, ICD-10, 2019
    # version: 1
    # date: 2026-11-25
    # author: Dr Roy
    # system: our-lab = https://lab.example/codes
    system,codes,sensitivity,confidentiality,comment
    icd-10,B20..B24,HIV,R,HIV disease
    our-lab,HX*,HIV,R,all HIV assays

`codes` is one code, a beginning (`F2*`) or a range (`B20..B24`, whatever begins with its last code included). One of
`sensitivity` (v3-ActCode) and `confidentiality` (v3-Confidentiality) may be empty. What tables say together is
`code_tables`.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from policies.cedar import RulesInvalid
from policies.code_systems import SYSTEMS, CodeSystem, local
from policies.coding import system_of
from policies.vocabulary.security_labels import SENSITIVITIES, STRICTNESS

COLUMNS = ("system", "codes", "sensitivity", "confidentiality", "comment")
PROVENANCE = ("source", "version", "date", "author")
MAX_LINES = 50_000
"""More are no table that somebody reads."""
MAX_CELL = 1_000
LAST = "\U0010ffff"
"""Sorts behind every code: `F2` to `F2` and this is whatever begins with F2."""


class TablesInvalid(RulesInvalid):
    """The tables cannot be used. The message says why."""


class LineInvalid(TablesInvalid):
    """So it is for a line of a table. The message names file and line, and says why."""

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(f"{file}, line {line}: {why}")


@dataclass(frozen=True, slots=True)
class Label:
    """What a line says of its codes; an empty part says nothing."""

    sensitivity: str
    confidentiality: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table: the codes from `first` to `last` of a system, normalised."""

    file: str
    number: int
    uri: str
    """The first of the system's URIs."""
    first: str
    last: str
    label: Label


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read."""

    file: str
    provenance: Mapping[str, str]
    systems: Mapping[str, CodeSystem]
    """First URI -> system, for the systems that its lines name."""
    lines: tuple[Line, ...]


def read(file: str, text: str) -> Table:
    """The table in `text`. Raises LineInvalid, naming `file` and the line."""
    provenance: dict[str, str] = {}
    systems = dict(SYSTEMS)
    used: dict[str, CodeSystem] = {}
    lines: list[Line] = []
    headed = False
    number = 1
    for number, cells in _rows(file, text):
        if cells[0].startswith("#"):
            if headed:
                continue  # a remark between lines
            _read_heading(file, number, ",".join(cells)[1:], provenance, systems)
        elif not headed:
            if tuple(cells) != COLUMNS:
                raise LineInvalid(file, number, f"the columns must be {','.join(COLUMNS)}")
            headed = True
        else:
            system, line = _line(file, number, cells, systems)
            used[line.uri] = system
            lines.append(line)
    if not headed:
        raise LineInvalid(file, number, f"there is no line {','.join(COLUMNS)}")
    missing = [name for name in PROVENANCE if name not in provenance]
    if missing:
        raise LineInvalid(file, 1, f"its provenance lacks '# {missing[0]}: …'")
    return Table(file, provenance, used, tuple(lines))


def _rows(file: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not blank, without empty cells at its end."""
    reader = csv.reader(text.splitlines(), strict=True)
    try:
        for row in reader:
            if reader.line_num > MAX_LINES:
                raise LineInvalid(file, reader.line_num, f"a table has at most {MAX_LINES} lines")
            cells = [cell.strip() for cell in row]
            while len(cells) > len(COLUMNS) and not cells[-1]:
                cells.pop()  # what spreadsheets add
            if any(len(cell) > MAX_CELL or not cell.isprintable() for cell in cells):
                raise LineInvalid(file, reader.line_num, "a cell is too long, or holds a control character")
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise LineInvalid(file, reader.line_num, "is not CSV") from error


def _read_heading(
    file: str, number: int, text: str, provenance: dict[str, str], systems: dict[str, CodeSystem]
) -> None:
    name, colon, value = (part.strip() for part in text.strip(" ,").partition(":"))
    if not colon or not value:
        return  # a remark
    if name == "system":
        short, equals, uri = (part.strip() for part in value.partition("="))
        if not equals or not short or ":" not in uri or " " in uri:
            raise LineInvalid(file, number, "a system is declared as '# system: name = URI'")
        uri = system_of(uri)
        if short in systems or uri in (known for each in systems.values() for known in each.uris):
            raise LineInvalid(file, number, f"the system '{short}' is known already")
        systems[short] = local(uri)
    elif name in PROVENANCE:
        if name in provenance:
            raise LineInvalid(file, number, f"'{name}' is said twice")
        if name == "date" and not _is_date(value):
            raise LineInvalid(file, number, "the date is not YYYY-MM-DD")
        provenance[name] = value


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _line(file: str, number: int, cells: list[str], systems: Mapping[str, CodeSystem]) -> tuple[CodeSystem, Line]:
    if len(cells) not in (len(COLUMNS) - 1, len(COLUMNS)):
        raise LineInvalid(file, number, f"a line has {len(COLUMNS)} cells, not {len(cells)}")
    name, codes, sensitivity, confidentiality = cells[: len(COLUMNS) - 1]
    system = systems.get(name)
    if system is None:
        raise LineInvalid(file, number, f"the system '{name}' is not known; declare it with '# system: {name} = URI'")
    if sensitivity and sensitivity not in SENSITIVITIES:
        raise LineInvalid(file, number, f"'{sensitivity}' is no sensitivity of v3-ActCode")
    if confidentiality and confidentiality not in STRICTNESS:
        raise LineInvalid(file, number, f"'{confidentiality}' is no confidentiality of v3-Confidentiality")
    if not sensitivity and not confidentiality:
        raise LineInvalid(file, number, "neither sensitivity nor confidentiality is given")
    first, last = _span(file, number, codes, system)
    return system, Line(file, number, system.uris[0], first, last, Label(sensitivity, confidentiality))


def _span(file: str, number: int, codes: str, system: CodeSystem) -> tuple[str, str]:
    """The first and last code, in the order of their characters, that `codes` stands for."""
    low, dots, high = codes.partition("..")
    starred = codes.endswith("*")
    if (dots or starred) and not system.ordered:
        raise LineInvalid(file, number, f"'{codes}': codes of this system have no order; list them one by one")
    ends = [system.normal(end) for end in ((low.strip(), high.strip()) if dots else (codes.removesuffix("*"),))]
    if any("*" in end or not system.is_code(end) for end in ends):
        raise LineInvalid(file, number, f"'{codes}' is not a code of its system, a beginning like F2*, or a range")
    if dots and (len(ends[0]) != len(ends[1]) or ends[0] >= ends[1]):
        raise LineInvalid(file, number, f"'{codes}': a range goes from a lower code to a higher one of equal length")
    whole = dots or starred or system.hierarchical
    return ends[0], ends[-1] + LAST if whole else ends[-1]
