"""A range of the log as a stream: FHIR NDJSON, CSV or ATNA syslog messages, between a head and a foot.

The head says which range of which log follows, the foot what became of every position in it: a stream without its
foot was cut. Nothing is left out unsaid. Who may read was decided before; the range comes from `Gateway.consult`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, NamedTuple, Protocol

import orjson

from plugin.audit import atna, codes, content, table
from plugin.audit.audit_event import to_audit_event
from plugin.audit.content import Header
from plugin.audit.entities import LOG_NAME
from plugin.audit.selection import Selection
from plugin.audit.side_by_side import side_by_side
from plugin.event import Body
from plugin.ledger.record import StoredRecord, encode_time

CHUNK = 1_000
"""Records that are held at a time, in each place where some are: memory does not grow with the range."""
PARALLEL_FROM = 20_000
"""Records below which starting further processes costs more than they save."""


class OutputFailed(Exception):
    """Where an export goes to took no more, or only a part. The message is one sentence."""


class LogRange(Protocol):
    """What is exported: `plugin.audit.feed.LogRelease`, or a part of it."""

    @property
    def first(self) -> int:
        """Position of the first record."""

    @property
    def last(self) -> int:
        """Position of the last record; `first - 1` if there is none."""

    @property
    def checkpoint(self) -> str:
        """A signed note over at least the records up to `last`."""

    def records(self) -> Iterator[StoredRecord]:
        """The records in ledger order. May raise LogUnreadable."""

    def part(self, first: int, last: int) -> "LogRange":
        """The records from `first` to `last`, both within this range. Pickles if several processes are to export it."""


@dataclass
class Counts:
    """What became of the positions of a range so far."""

    written: int = 0
    not_selected: int = 0
    without_body: int = 0
    """Deleted after its retention period: nobody can say whether a person's or patient's selection would have it."""
    missing: int = 0
    """Positions at which the file has no record: `verify` tells of it."""

    def add(self, more: "Counts") -> None:
        """Count what became of further positions; what is missing is known at the end alone."""
        self.written += more.written
        self.not_selected += more.not_selected
        self.without_body += more.without_body


class Statement(NamedTuple):
    """What the head or foot of a stream says."""

    place: str
    """`head` or `foot`"""
    time: str
    first: int
    last: int
    selection: str
    checkpoint: str
    counts: Counts | None
    """None in the head."""

    def facts(self) -> dict[str, str | int]:
        """Everything but the place, by the names that all formats use. A resumed export begins at `next`."""
        facts: dict[str, str | int] = {"time": self.time, "first": self.first, "last": self.last}
        facts["records"] = self.last - self.first + 1
        facts["selection"] = self.selection
        if self.counts is not None:
            facts |= {
                "written": self.counts.written,
                "not-selected": self.counts.not_selected,
                "without-body": self.counts.without_body,
                "missing": self.counts.missing,
                "next": self.last + 1,
            }
        facts["checkpoint"] = self.checkpoint
        return facts


class Form(NamedTuple):
    """A format: how a record and a statement are written, each as bytes without the end of the line."""

    opening: tuple[bytes, ...]
    """What stands above the head."""
    record: Callable[[Header, Body], bytes]
    statement: Callable[[Statement], bytes]
    end: bytes


def _ndjson_record(header: Header, body: Body) -> bytes:
    return orjson.dumps(to_audit_event(header, body))


def _ndjson_statement(statement: Statement) -> bytes:
    """A FHIR Parameters resource, so that every line of the stream is a resource."""
    parameters = [
        {"name": name, ("valueString" if isinstance(value, str) else "valueDecimal"): value}
        for name, value in statement.facts().items()
    ]
    return orjson.dumps({"resourceType": "Parameters", "id": statement.place, "parameter": parameters})


def _atna_record(header: Header, body: Body) -> bytes:
    return atna.message(to_audit_event(header, body))


def _atna_statement(statement: Statement) -> bytes:
    """An "Audit Log Used" message (DICOM PS3.15 A.5.3.2) whose details are the facts."""
    details = [{"type": name, "valueString": str(value)} for name, value in statement.facts().items()]
    origin = statement.checkpoint.partition("\n")[0] or LOG_NAME
    log = {"what": {"identifier": {"value": origin}}, "type": codes.SYSTEM_OBJECT, "role": codes.SECURITY_RESOURCE}
    return atna.message(
        {
            "type": codes.LOG_USED,
            "action": codes.READ_ACTION,
            "recorded": statement.time,
            "outcome": "0",
            "agent": [{"who": {"identifier": {"value": atna.APP_NAME}}, "requestor": True}],
            "source": {"observer": {"display": origin}},
            "entity": [
                {**log, "name": LOG_NAME, "detail": [{"type": "export", "valueString": statement.place}, *details]}
            ],
        }
    )


def _csv_statement(statement: Statement) -> bytes:
    position = statement.first if statement.counts is None else statement.last
    return table.statement(statement.place, position, statement.time, statement.facts())


FORMS = {
    "ndjson": Form((), _ndjson_record, _ndjson_statement, b"\n"),
    "csv": Form((table.COLUMN_NAMES,), table.record, _csv_statement, b"\r\n"),  # RFC 4180
    "atna": Form((), _atna_record, _atna_statement, b"\n"),
}
"""By the name that the operator types."""


class Export:
    """One pass over a range: `lines` or `write`, once."""

    def __init__(
        self,
        source: LogRange,
        selection: Selection,
        form: str,
        *,
        workers: int = 1,
        opened: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`form` is a key of FORMS; `opened` leaves out what stands above the head, where a stream goes on."""
        self.counts = Counts()
        self.next = source.first
        """Where to go on if the stream ends here: all before this position was handed over or counted."""
        self._source = source
        self._selection = selection
        self._name = form
        self._form = FORMS[form]
        self._workers = workers if source.last - source.first + 1 >= PARALLEL_FROM else 1
        self._opened = opened
        self._now = now

    @property
    def whole(self) -> bool:
        """False if the file lacks records of the range. Known at the end."""
        return self.counts.missing == 0

    def lines(self) -> Iterator[bytes]:
        """Head, one line for each record, foot, without the ends of lines. Raises LogUnreadable: then no foot follows.

        Each line is made when it is asked for, or at most a chunk before.
        """
        yield from self._above()
        for part in _parts(self._source):
            rendered = render(self._name, self._selection, part)
            self.counts.add(rendered.counts)
            for position, line in rendered.lines:
                yield line
                self.counts.written += 1
                self.next = position + 1
            self.next = part.last + 1
        yield self._foot()

    def write(self, out: BinaryIO, stopped: Callable[[], bool] = lambda: False) -> bool:
        """The same with the ends of lines, by all the workers. False if it was `stopped`: then no foot follows.

        `out` is given a chunk of records in one piece, and `stopped` asked when it has the whole of it. Raises
        LogUnreadable, or OutputFailed, after which `out` may have a part of what stands from `next` on.
        """
        end = self._form.end
        _hand_over(out, b"".join(line + end for line in self._above()))
        share = partial(_share, self._name, self._selection, self._source, self._workers)
        for (last, counts), text in side_by_side(share, self._workers):
            _hand_over(out, text)
            self.counts.add(counts)
            self.next = last + 1
            if stopped():
                return False
        _hand_over(out, self._foot() + end)
        return True

    def _above(self) -> Iterator[bytes]:
        if not self._opened:
            yield from self._form.opening
        yield self._form.statement(self._statement("head"))

    def _foot(self) -> bytes:
        counted = self.counts.written + self.counts.not_selected + self.counts.without_body
        self.counts.missing = max(0, self._source.last - self._source.first + 1 - counted)
        self.next = self._source.last + 1
        return self._form.statement(self._statement("foot", self.counts))

    def _statement(self, place: str, counts: Counts | None = None) -> Statement:
        source = self._source
        time = encode_time(self._now())
        selection = self._selection.query()
        return Statement(place, time, source.first, source.last, selection, source.checkpoint, counts)


def _hand_over(out: BinaryIO, text: bytes | memoryview) -> None:
    """Give it all, and see to it that nothing waits in `out` itself. Raises OutputFailed."""
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError as error:
        raise OutputFailed("nobody reads the output any more") from error
    except OSError as error:
        raise OutputFailed(f"the output cannot be written: {error.strerror}") from error


class Rendered(NamedTuple):
    """A chunk of records, written."""

    lines: list[tuple[int, bytes]]
    """Each with the position of its record."""
    counts: Counts
    """Of those that are not among them."""


def render(form: str, selection: Selection, source: LogRange) -> Rendered:
    """Write those records that are wanted. Raises LogUnreadable, also where one is in no form of ours."""
    write = FORMS[form].record
    lines: list[tuple[int, bytes]] = []
    counts = Counts()
    for record in source.records():
        header = content.header(record)
        if not selection.in_period(header):
            counts.not_selected += 1
        elif record.body is None:
            counts.without_body += 1
        elif not selection.may_accept(record.body) or not selection.accepts(body := content.body(record)):
            counts.not_selected += 1
        else:
            lines.append((record.position, write(header, body)))
    return Rendered(lines, counts)


def _share(
    form: str, selection: Selection, source: LogRange, shares: int, share: int
) -> Iterator[tuple[tuple[int, Counts], bytes]]:
    """The text of every part of a share, with its last position and what became of its positions."""
    end = FORMS[form].end
    for part in _parts(source, share, shares):
        lines, counts = render(form, selection, part)
        counts.written = len(lines)
        yield (part.last, counts), b"".join([piece for _, line in lines for piece in (line, end)])


def _parts(source: LogRange, share: int = 0, shares: int = 1) -> Iterator[LogRange]:
    """The chunks of a range, in order; of several shares, every so many of them."""
    for first in range(source.first + share * CHUNK, source.last + 1, shares * CHUNK):
        yield source.part(first, min(first + CHUNK - 1, source.last))
