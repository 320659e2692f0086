"""Callers who were never identified: held off by address, counted, and recorded as counts (design section 3).

The first of its kind is recorded at once, the others as one count a minute, so that a flood of forged tokens costs a
bounded number of records. No character of an unverified token is stored.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from plugin.errors import CallerThrottled, RecordUnavailable, Unidentified, outcome_of
from plugin.event import GATEWAY_TENANT, AuditAction, RetentionClass
from plugin.ledger.space import FreeSpace
from plugin.recorder import Recorder
from plugin.state.callers import Callers, Kind, Refusals, network_of
from plugin.telemetry import count_refused_caller
from policies.vocabulary.consultation import Origin


class Strangers:
    """Safe to call from several threads."""

    def __init__(self, callers: Callers, recorder: Recorder, space: FreeSpace, tenant_of: Callable[[str], str]) -> None:
        """While `space` is low nothing is recorded at once, and while it is spent no counts are either.

        `tenant_of` tells whose the people of an issuer are: a refused one is shown to that EHR's auditors alone.
        """
        self._callers = callers
        self._recorder = recorder
        self._space = space
        self._tenant_of = tenant_of

    def admits(self, address: str) -> bool:
        """False while too many authentications from there have failed."""
        return self._callers.admits(address)

    def refused(self, error: BaseException | None, origin: Origin) -> None:
        """A request ended before anybody was identified. Raises nothing: what cannot be recorded stays counted."""
        if error is None:
            return
        outcome, reason = outcome_of(error)
        count_refused_caller(reason)
        subject = error.verified_subject if isinstance(error, Unidentified) else None
        kind = Kind(reason, origin.family, network_of(origin.address), subject, outcome)
        first = self._callers.refused(kind, origin.address, charged=_is_charged(error))
        if first is None:
            return
        if self._space.low():
            self._callers.restore([first])
        else:
            self._write([first], origin.request_id)

    def summarise(self, *, at_stop: bool = False) -> bool:
        """Record what was counted since the last time; False if the ledger takes no records now.

        At the stop of the process the counts would be lost otherwise: they are few enough for what space is left.
        """
        if self._space.spent() and not at_stop:
            return False
        return self._write(self._callers.drain())

    def unrecorded(self) -> int:
        """How many refusals are counted and not recorded yet."""
        return self._callers.counted()

    def _write(self, waiting: list[Refusals], request: str | None = None) -> bool:
        while waiting:
            try:
                self._record(waiting[0], request)
            except RecordUnavailable:
                self._callers.restore(waiting)
                return False
            waiting = waiting[1:]
        return True

    def _record(self, refusals: Refusals, request: str | None) -> None:
        """`request`: the id of the answer, where the record is of that one alone."""
        kind = refusals.kind
        self._recorder.append(
            {
                **({} if request is None or refusals.count > 1 else {"request": request}),
                "action": AuditAction.CALLERS_REFUSED,
                "outcome": kind.outcome,
                "reason": kind.reason,
                "client": {"id": None, "address": kind.network},
                "callers": {
                    "reason": kind.reason,
                    "family": kind.family,
                    "count": refusals.count,
                    "since": _moment(refusals.since),
                    "until": _moment(refusals.until),
                    **({} if kind.subject is None else {"subject": kind.subject}),
                },
            },
            tenant=GATEWAY_TENANT if kind.subject is None else self._tenant_of(kind.subject.partition(" ")[0]),
            retention_class=RetentionClass.CALLERS,
        )


def _is_charged(error: BaseException) -> bool:
    """Failed authentications only: asking without a token is how clients find out where to get one."""
    if not isinstance(error, Unidentified) or isinstance(error, CallerThrottled):
        return False
    return error.reason != Unidentified.reason


def _moment(posix: float) -> str:
    return datetime.fromtimestamp(posix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
