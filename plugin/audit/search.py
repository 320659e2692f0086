"""Searching the log by AuditEvents: from search parameters to records, a page at a time, or all of them in a stream.

A search column narrows, the event decides: every record that is given out was judged as the AuditEvent that its reader
gets. A search that would have to judge too much is refused as too costly; it never comes out short. Who may search is
decided before, and each search is recorded by the gateway.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from fhir_adapters.escapes import split
from plugin.audit import content
from plugin.audit.audit_event import to_audit_event
from plugin.audit.search_columns import Question, criteria
from plugin.audit.search_parameters import PARAMETERS, ValueInvalid, tester
from plugin.errors import LogUnreadable, Refused
from plugin.event import GATEWAY_TENANT, AuditAction
from plugin.ledger.criteria import Criteria, Hit, Mark, SearchTooLong
from plugin.ledger.errors import LedgerError
from plugin.ledger.purge import purges_of
from plugin.ledger.record import StoredRecord
from plugin.ledger.search import Searcher
from plugin.ledger.sqlite_view import opening
from plugin.ledger.store import Opening
from policies.vocabulary.consultation import Objection, Reason
from policies.vocabulary.log_search import DEFAULT_COUNT, LogMark, LogSearch
from policies.vocabulary.search_parameters import REFUSED

MAX_COUNT = 200
"""Larger wishes are clamped, as R4 3.1.1.5.2 allows."""
MAX_DIGITS = 17
"""Of `_count`: some clients ask for the largest number that they know."""
ORDERS = frozenset({"date", "-date"})
"""By which `_sort` may order: time."""
MAX_VALUE = 512
MAX_PARAMETERS = 30
MAX_QUESTION = 4_000
"""Characters of all parameters, encoded. A next link holds them, sealed and in base64, and must fit into an address."""
MAX_ALTERNATIVES = 50
"""Of one parameter, divided by commas."""

MOST_JUDGED = 20_000
"""Events that one page may cost: about a second. Beyond it the search has to be narrowed."""
SEARCH_SECONDS = 3.0
"""For what the columns alone cannot find quickly; well within the time that a consultation has."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:\-]{0,63}")
_NAMING = frozenset(
    {AuditAction.LOG_READ, AuditAction.LOG_DENIED, AuditAction.LOG_FAILED}
    | {AuditAction.LEDGER_HELD, AuditAction.LEDGER_HOLD_LIFTED}
)
"""Of the gateway's own records those that may name somebody."""


class SearchRefused(Exception):
    """The parameters are not those of a search; `objection` says which and why."""

    def __init__(self, reason: Reason, about: str) -> None:
        super().__init__(reason)
        # A name is repeated to the caller only where it looks like one.
        self.objection = Objection(reason, about if _NAME.fullmatch(about) else "given")


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose records a reader sees."""

    tenant: str | None
    """None: everybody's, for the operator of the machine."""
    ehr_bases: tuple[str, ...]
    """Where a patient may live: the base of the reader's own EHR, or all of them."""

    def admits(self, tenant: object, action: object) -> bool:
        """Whether a record of `tenant` (of its signed header) is shown.

        The gateway's own records concern every tenant: starts, gaps, withdrawn releases, counts. But not its readings
        of the log and its holds: an operator's question, or a hold, may name another tenant's patient.
        """
        if self.tenant is None or tenant == self.tenant:
            return True
        return tenant == GATEWAY_TENANT and action not in _NAMING


@dataclass(frozen=True, slots=True)
class LogPage:
    """What one look finds."""

    records: tuple[StoredRecord, ...]
    size: int
    """How many records the ledger had when the search began; later ones are not part of it."""
    next: LogMark | None
    """Set only where a further record is known."""


def read_parameters(pairs: Sequence[tuple[str, str]], ehr_bases: Sequence[str]) -> LogSearch:
    """The search that decoded parameters mean. Raises SearchRefused: unknown, refused, with a modifier, a bad value.

    `ehr_bases`: of all EHRs. An identifier of a patient in any other system is refused here, before it is recorded.
    """
    if len(pairs) > MAX_PARAMETERS:
        raise SearchRefused(Reason.INVALID_VALUE, "parameters")
    kept: list[tuple[str, str]] = []
    newest_first, count = True, DEFAULT_COUNT
    seen: set[str] = set()
    for name, value in pairs:
        if name in {"_sort", "_count"} and name in seen:
            raise SearchRefused(Reason.REPEATED_PARAMETER, name)
        seen.add(name)
        if name == "_count":
            count = _count(value)
        elif name == "_sort":
            newest_first = _newest_first(value)
        elif name in PARAMETERS:
            kept.append((name, _value(name, value, ehr_bases)))
        elif name not in {"_format", "_pretty"}:  # the face looks at these: there is one format
            base = name.partition(":")[0].partition(".")[0]
            known = base in REFUSED or base in PARAMETERS
            raise SearchRefused(Reason.REFUSED_PARAMETER if known else Reason.UNKNOWN_PARAMETER, name)
    if len(urlencode(kept)) > MAX_QUESTION:
        raise SearchRefused(Reason.INVALID_VALUE, "parameters")
    return LogSearch(tuple(kept), newest_first, count)


def page(ledger: Path | Opening, wanted: LogSearch, reach: Reach) -> LogPage:
    """One page of `wanted` for a reader with this reach.

    Raises LogUnreadable; Refused where a value fits no EHR (`invalid-value`), or the search costs too much.
    """
    if wanted.count is None:
        raise ValueError("a page has an end")
    search = _Compiled.of(wanted, reach)
    give_up_at = time.monotonic() + SEARCH_SECONDS
    found: list[Hit] = []
    try:
        searcher = Searcher(ledger)
        size = searcher.size() if wanted.mark is None else wanted.mark.size
        hits = searcher.hits(
            search.criteria,
            size=size,
            newest_first=wanted.newest_first,
            after=None if wanted.mark is None else Mark(wanted.mark.time, wanted.mark.position),
            give_up_at=give_up_at,
        )
        for judged, hit in enumerate(hits):
            if judged == MOST_JUDGED:
                raise Refused(Reason.TOO_COSTLY, rules=("too-costly",))
            if search.accepts(hit.record):
                found.append(hit)
            if len(found) > wanted.count:
                break
    except SearchTooLong as error:
        raise Refused(Reason.TOO_COSTLY, rules=("too-costly",)) from error
    except LedgerError as error:
        raise LogUnreadable from error
    shown = found[: wanted.count]
    going_on = LogMark(size, shown[-1].mark.time, shown[-1].mark.position) if len(found) > len(shown) else None
    return LogPage(tuple(hit.record for hit in shown), size, going_on)


@dataclass(frozen=True, slots=True)
class LogStream:
    """Everything that a search finds, bounded when it was asked for; for the command line, which may take its time."""

    size: int
    _ledger: Path | Opening
    _newest_first: bool
    _search: "_Compiled"

    def records(self) -> Iterator[StoredRecord]:
        """The records in order, memory flat. Raises LogUnreadable."""
        try:
            hits = Searcher(self._ledger).hits(self._search.criteria, size=self.size, newest_first=self._newest_first)
            for hit in hits:
                if self._search.accepts(hit.record):
                    yield hit.record
        except LedgerError as error:
            raise LogUnreadable from error


def stream(ledger: Path | Opening, wanted: LogSearch, reach: Reach) -> LogStream:
    """All of `wanted`. Raises LogUnreadable, or Refused where a value fits no EHR."""
    search = _Compiled.of(wanted, reach)
    try:
        return LogStream(Searcher(ledger).size(), ledger, wanted.newest_first, search)
    except LedgerError as error:
        raise LogUnreadable from error


def purged(ledger: Path | Opening, wanted: LogSearch, reach: Reach) -> bool:
    """Whether a record of the reader's own tenant that `wanted` names by `_id` was purged. Raises LogUnreadable.

    Of the gateway's own records the header does not tell whether this reader might have seen them.
    """
    positions = _Compiled.of(wanted, reach).criteria.positions or ()
    try:
        with opening(ledger)() as view:
            removed, _ = purges_of(view)
            found = [each for at in positions if removed.at(at) for each in view.records(at, at, 1)]
        return any(reach.tenant in {None, content.header(each)["tenant"]} for each in found)
    except LedgerError as error:
        raise LogUnreadable from error


def _count(value: str) -> int:
    if not re.fullmatch(rf"[0-9]{{1,{MAX_DIGITS}}}", value) or int(value) == 0:
        raise SearchRefused(Reason.INVALID_VALUE, "_count")
    return min(int(value), MAX_COUNT)


def _newest_first(value: str) -> bool:
    if value not in ORDERS:
        raise SearchRefused(Reason.INVALID_VALUE, "_sort")
    return value == "-date"


def _value(name: str, value: str, ehr_bases: Sequence[str]) -> str:
    if not value or len(value) > MAX_VALUE or not value.isprintable():
        raise SearchRefused(Reason.INVALID_VALUE, name)
    alternatives = split(value)
    if len(alternatives) > MAX_ALTERNATIVES or not all(alternatives):
        raise SearchRefused(Reason.INVALID_VALUE, name)
    try:
        for each in alternatives:
            tester(name, each, ehr_bases)
    except ValueInvalid as error:
        raise SearchRefused(Reason.INVALID_VALUE, name) from error
    return value


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A search made ready: what the columns can say of it, and the judgement of each event."""

    criteria: Criteria
    reach: Reach
    questions: tuple[Question, ...]

    @classmethod
    def of(cls, wanted: LogSearch, reach: Reach) -> "_Compiled":
        questions = []
        for name, value in wanted.parameters:
            try:
                questions.append(Question.of(name, value, reach.ehr_bases))
            except ValueInvalid as error:
                raise Refused(Reason.INVALID_VALUE, rules=("shape",), about=name) from error
        return cls(criteria(questions, reach.tenant, reach.ehr_bases), reach, tuple(questions))

    def accepts(self, record: StoredRecord) -> bool:
        """The one judgement, on what was signed. Raises LogUnreadable if the record cannot be judged."""
        if record.body is None:
            return False
        header, body = content.header(record), content.body(record)
        if not self.reach.admits(header["tenant"], body.get("action")):
            return False
        if not self.questions:
            return True
        event = to_audit_event(header, body)
        return all(question.accepts(event) for question in self.questions)
