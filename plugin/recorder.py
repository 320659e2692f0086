"""The one hand that writes to the ledger: appends records, and settles what an outage left owing.

What a record says is decided by `attempt`, `strangers`, and whoever runs the gateway.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from plugin.errors import RecordUnavailable
from plugin.event import GATEWAY_TENANT, AuditAction, Body, GatewayBody, Outcome, RetentionClass
from plugin.ledger.errors import LedgerBroken, LedgerError, LedgerUnavailable, StorageFailed
from plugin.ledger.key import SigningKey
from plugin.ledger.record import Position
from plugin.ledger.writer import TURN_SECONDS, Ledger
from plugin.state.owed import Owed
from plugin.telemetry import count_commit, count_refused_record

MAX_DOUBTFUL = 10_000
"""Records that are looked up after an outage: a megabyte of ids. More are counted only, so that memory is bounded."""


BACK_SECONDS = 1.0
"""A commit that is dated this much before the one it follows is told by a record. Clocks of machines that share a
ledger differ by some milliseconds; a second is a clock that was set."""


class Recorder:
    """Appends bodies to the ledger, and settles what an outage left owing. Safe to call from several threads."""

    def __init__(
        self,
        ledger: Ledger,
        gateway: GatewayBody,
        on_damage: Callable[[str], None] = lambda _problem: None,
        on_clock_back: Callable[[str], None] = lambda _reference: None,
    ) -> None:
        """`on_damage` is called, with a sentence, when this process can never append again: who runs it should end it.

        `on_clock_back` is called with the place of the record which says that times in the log went back.
        """
        self._ledger = ledger
        self._on_damage = on_damage
        self._on_clock_back = on_clock_back
        self._on_refused: Callable[[str], None] = lambda _problem: None
        self._back = 0.0
        ledger.observe(self._committed)
        self._gateway = gateway
        self._doubtful: list[str] = []
        self._beyond = 0
        """How many more there were when `_doubtful` was full."""
        self._owing = threading.Lock()
        """Held while what is owed is read or changed, and never while the ledger is asked."""
        self._settling = threading.Lock()
        """Held by the one that settles: as long as the ledger takes."""

    def append(self, body: Body, *, tenant: str, retention_class: RetentionClass, repeated: bool = False) -> Position:
        """Make `body` durable; where it stands. Raises RecordUnavailable: then nothing may be released.

        A record whose commit had an unknown outcome is looked up before the next one is written: if it is there, its
        release is withdrawn by a record; if not, the loss is. `repeated`: nothing is owed, since the caller asks
        whether it is there (`has`) and appends it again if not.
        """
        try:
            self._settle()
            position = self._append(body, tenant, retention_class)
            self._tell_clock()
        except LedgerError as error:
            is_owed = "record" in body and not repeated
            if is_owed:
                self._doubt(body["record"])
            count_refused_record(is_owed=is_owed)
            self._on_refused(str(error))
            self._end_if_damaged(error)
            raise RecordUnavailable from error
        return position

    def observe_refusals(self, on_refused: Callable[[str], None]) -> None:
        """Call `on_refused`, with a sentence, for each record that the log does not take from now on."""
        self._on_refused = on_refused

    def settle(self) -> str | None:
        """Record what an outage left owing, if anything; why not, if the ledger takes no records now.

        The next record does so too; but it may come to another process, or never.
        """
        try:
            self._settle()
        except LedgerError as error:
            self._end_if_damaged(error)
            return str(error)
        return None

    def owed(self) -> Owed:
        """What is not settled, for a process that ends."""
        with self._owing:
            return Owed(list(self._doubtful), self._beyond)

    def owe(self, owed: Owed) -> None:
        """Settle this as well."""
        for record in owed.records:
            self._doubt(record)
        with self._owing:
            self._beyond += owed.beyond

    def decide_by(self, digest: str) -> None:
        """Name this set of rules in what is recorded from now on, where a body does not name its own."""
        self._gateway = {**self._gateway, "policies": digest}

    def has(self, record: str) -> bool:
        """Whether a record with this id is durable. Raises RecordUnavailable: it cannot be told."""
        try:
            return self._ledger.contains(record)
        except LedgerError as error:
            raise RecordUnavailable from error

    def rotate(self, body: Body, key: SigningKey) -> None:
        """Make the record durable by which `key` takes over from the one in use. Raises RecordUnavailable."""
        try:
            self._settle()
            whole: Mapping[str, object] = {**body, "gateway": self._gateway}
            self._ledger.rotate(whole, key, tenant=GATEWAY_TENANT, retention_class=RetentionClass.LEDGER)
        except LedgerError as error:
            raise RecordUnavailable from error

    def operational(self, action: AuditAction, note: str, outcome: Outcome = Outcome.SUCCESS) -> Position:
        """Record what happened to the gateway itself; where it stands. Raises RecordUnavailable."""
        return self.append(
            {"action": action, "outcome": outcome, "reason": None, "note": note},
            tenant=GATEWAY_TENANT,
            retention_class=RetentionClass.OPERATION,
        )

    def _committed(self, records: int, back: float) -> None:
        count_commit(records)
        if back >= BACK_SECONDS:
            self._back = max(self._back, back)

    def _tell_clock(self) -> None:
        """Times never go back silently. The body before is durable whatever becomes of this record."""
        with self._owing:
            back, self._back = self._back, 0.0
        if not back:
            return
        note = f"times went back by {back:.1f} s: what stands before may be dated later than what follows"
        body: Body = {"action": AuditAction.CLOCK_DRIFTED, "outcome": Outcome.FAILED, "reason": None, "note": note}
        with suppress(LedgerError):
            position = self._append(body, GATEWAY_TENANT, RetentionClass.OPERATION)
            self._on_clock_back(f"position-{position.position}")

    def _end_if_damaged(self, error: LedgerError) -> None:
        if isinstance(error, StorageFailed | LedgerBroken):
            self._on_damage(str(error))

    def _doubt(self, record: str) -> None:
        with self._owing:
            if len(self._doubtful) < MAX_DOUBTFUL:
                self._doubtful.append(record)
            else:
                self._beyond += 1

    def _settle(self) -> None:
        """Only one at a time, and who comes meanwhile is soon refused: a ledger that says nothing may take long."""
        if not self._doubtful and not self._beyond:
            return
        if not self._settling.acquire(timeout=TURN_SECONDS):
            raise LedgerUnavailable("what an outage left owing is still being recorded")
        try:
            self._settle_alone()
        finally:
            self._settling.release()

    def _settle_alone(self) -> None:
        owed = self.owed()
        there = [record for record in owed.records if self._ledger.contains(record)]
        for record in there:
            # Never purged: without it, what it withdraws would read as a look that took place.
            self._outage(
                {
                    "action": AuditAction.RELEASE_WITHDRAWN,
                    "record": record,
                    "request": record.rpartition(".")[0],
                    "note": f"the answer of record {record} was never handed over: its commit seemed to fail",
                },
                RetentionClass.LEDGER,
            )
            with self._owing:
                self._doubtful.remove(record)
        lost = len(owed.records) - len(there)
        if lost or owed.beyond:
            gap: Body = {"action": AuditAction.LEDGER_GAP, "note": _gap(lost, owed.beyond)}
            self._outage(gap, RetentionClass.OPERATION)
        with self._owing:
            del self._doubtful[:lost]  # what came meanwhile stands behind them
            self._beyond -= owed.beyond

    def _outage(self, body: Body, retention_class: RetentionClass) -> None:
        whole: Body = {"outcome": Outcome.UNAVAILABLE, "reason": "no-store", **body}
        self._append(whole, GATEWAY_TENANT, retention_class)

    def _append(self, body: Body, tenant: str, retention_class: RetentionClass) -> Position:
        whole: Mapping[str, object] = {**body, "gateway": {**self._gateway, **body.get("gateway", {})}}
        return self._ledger.append(whole, tenant=tenant, retention_class=retention_class)


def _gap(lost: int, beyond: int) -> str:
    """How many records are missing, and of how many more that is not known."""
    note = f"{lost} records could not be written; nothing was released for them"
    return f"{note}, nor for {beyond} more that were not looked up" if beyond else note
