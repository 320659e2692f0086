"""Alerts: what a person must look at now is told to whom `[alerts]` names, in the process log, and by a metric.

An alert holds its kind and a reference (a record's id, a position, the number of a sink) and never a patient, a person
or text from outside: who is told looks in the log, which records that. Whether a thing is recorded as well is up to
who raises it. docs/runbook.md has a section for each kind.
"""

import queue
import re
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson
import structlog

from fhir_adapters.credential import BearerCredential
from fhir_adapters.interface import Deadline, FeedError
from fhir_adapters.reach import Reach
from fhir_adapters.upstream import HttpUpstream
from plugin.ledger.syslog import Collector, Transport, in_words, local_name
from plugin.settings.alerts import AlertSettings, HttpsReceiverSettings, ReceiverSettings
from plugin.settings.errors import SettingsError
from plugin.settings.secret import read_secret
from plugin.settings.values import pair
from plugin.telemetry import ALERTS, ALERTS_NOT_TOLD

MAX_WAITING = 100
"""Alerts that wait for one receiver: more of them tell nobody anything new."""
RECEIVER_SECONDS = 10.0
"""How long a receiver may take."""
PAUSE_SECONDS = 5.0
"""After a first failure. It doubles with each further one, up to LONGEST_PAUSE."""
LONGEST_PAUSE = 60.0
FLUSH_SECONDS = 1.0
"""Given to alerts under way when a process stops."""
KEEP_SECONDS = 3600.0
"""For so long an alert is tried again. An older one nobody waits for; the log and `/readyz` still have the matter."""
MAX_ANSWER = 1 << 12
"""Bytes of an answer that are read: only its status counts."""
UNTOLD = "withheld"
"""Stands for a reference that is not of the form: it could be anything, a name too."""

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}")
_PRIORITY = 13 * 8 + 1
"""Facility 13, log audit; severity 1, alert (RFC 5424 section 6.2.1)."""

log = structlog.get_logger()


class AlertKind(StrEnum):
    """What happened. The runbook has a heading for each, word for word."""

    LEDGER_BROKEN = "ledger-broken"
    """A scheduled verification found the log broken, or it went back while the gateway served."""
    LEDGER_UNVERIFIED = "ledger-unverified"
    """A scheduled verification could not be done, or not to its end."""
    SINK_FORKED = "sink-forked"
    """A sink or witness holds a checkpoint that the log does not continue."""
    SINK_STALE = "sink-stale"
    """A sink has not had the newest checkpoint for too long."""
    SPACE_LOW = "space-low"
    """Little space is left where the log is: requests are refused."""
    CLOCK_DRIFTED = "clock-drifted"
    """The clock was set, or differs from others' or from the times in the log."""
    BREAK_GLASS_OPENED = "break-glass-opened"
    """Somebody opened a patient's results in an emergency."""
    QUOTA_REACHED = "quota-reached"
    """Somebody asked for more than one person may see."""


class Receiver(Protocol):
    """Somebody who is told."""

    name: str
    """For the process log: kind and place, no secret."""

    def tell(self, alert: bytes, moment: datetime) -> None:
        """Hand over an alert, a JSON object. Raises AlertNotTold."""


class AlertNotTold(Exception):
    """A receiver did not take an alert now. One sentence, without the alert."""


class HttpsReceiver:
    """See `Receiver`. POST of the JSON object; any 2xx answer says that it was taken."""

    def __init__(self, url: str, token: str | None) -> None:
        """Raises ValueError if `url` could be read in two ways. Opens nothing."""
        reach = Reach.of(url)
        self.name = f"https {urlsplit(url).hostname}"  # the path of such an address is often a secret
        self._address = reach.judge(url)
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._upstream = HttpUpstream(self.name, reach, max_body=MAX_ANSWER)

    def tell(self, alert: bytes, moment: datetime) -> None:
        """See `Receiver.tell`."""
        deadline = Deadline.after(RECEIVER_SECONDS)
        try:
            answer = self._upstream.post(self._address, alert, "application/json", self._headers, deadline=deadline)
        except FeedError as error:
            raise AlertNotTold(str(error)) from error
        if not 200 <= answer.status < 300:
            raise AlertNotTold(f"{self.name} answered {answer.status}")


class SyslogReceiver:
    """See `Receiver`. One RFC 5424 message, whose text is the JSON object."""

    def __init__(self, collector: Collector) -> None:
        self.name = collector.name
        self._collector = collector

    def tell(self, alert: bytes, moment: datetime) -> None:
        """See `Receiver.tell`."""
        head = f"<{_PRIORITY}>1 {_instant(moment)} {local_name()} vitrine - alert - "
        try:
            self._collector.send(head.encode() + alert)
        except OSError as error:
            raise AlertNotTold(f"{self.name}: {in_words(error)}") from error


class Alerts:
    """Raises alerts. Safe to call from several threads; nobody who raises one waits for a receiver."""

    def __init__(self, receivers: Sequence[Receiver], base: str, *, pause: float = PAUSE_SECONDS) -> None:
        """`base`, our `public_base`, says which gateway it is. Threads start with the first alert, not before."""
        self._lines = [_Line(receiver, pause) for receiver in receivers]
        self._base = base
        for kind in AlertKind:
            ALERTS.labels(kind)  # what counts from 0 on has an increase with the first alert, which rules ask for

    def raise_(self, kind: AlertKind, reference: str) -> None:
        """Tell of what happened; returns at once and raises nothing.

        `reference` is a record's id or another name of ours, of at most 128 letters, digits and `.:_-`; anything else
        is told as UNTOLD, since it could be a person's or a patient's.
        """
        moment = datetime.now(UTC)
        told = reference if _REFERENCE.fullmatch(reference) else UNTOLD
        ALERTS.labels(kind).inc()
        log.critical("an alert was raised", alert=str(kind), reference=told)
        alert = orjson.dumps({"alert": kind, "reference": told, "gateway": self._base, "time": _instant(moment)})
        for line in self._lines:
            line.add(alert, moment)

    def flush(self, seconds: float) -> bool:
        """Wait until everything was told, at most so long; False if something still waits."""
        until = time.monotonic() + seconds
        return all(line.flush(until) for line in self._lines)


class _Line:
    """The alerts that one receiver is still to be told. It has a thread of its own: no other receiver waits for it."""

    def __init__(self, receiver: Receiver, pause: float) -> None:
        self._receiver = receiver
        self._pause = pause
        self._waiting: queue.Queue[_Waiting] = queue.Queue(MAX_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failures = 0
        """One after another, up to now."""

    def add(self, alert: bytes, moment: datetime) -> None:
        """Have it told, unless too many wait."""
        self._wait(_Waiting(alert, moment, time.monotonic() + KEEP_SECONDS))
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
                self._thread.start()

    def flush(self, until: float) -> bool:
        """Wait until nothing waits, or for that moment of `time.monotonic`; False if something still does."""
        while self._waiting.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.02)
        return not self._waiting.unfinished_tasks

    def _run(self) -> None:
        while True:
            alert = self._waiting.get()
            try:
                self._tell(alert)
            finally:
                self._waiting.task_done()
            if self._failures:
                time.sleep(min(self._pause * 2 ** (self._failures - 1), LONGEST_PAUSE))

    def _tell(self, alert: "_Waiting") -> None:
        """One that is not taken waits again, behind the others: they may be."""
        try:
            self._receiver.tell(alert.text, alert.moment)
        except AlertNotTold as error:
            ALERTS_NOT_TOLD.inc()
            if not self._failures:
                log.error("an alert could not be delivered", receiver=self._receiver.name, problem=str(error))
            self._failures = min(self._failures + 1, MAX_WAITING)
            if time.monotonic() < alert.until:
                self._wait(alert)
            else:
                self._give_up(str(error))
        else:
            if self._failures:
                log.info("alerts are delivered again", receiver=self._receiver.name)
            self._failures = 0

    def _wait(self, alert: "_Waiting") -> None:
        try:
            self._waiting.put_nowait(alert)
        except queue.Full:
            ALERTS_NOT_TOLD.inc()
            self._give_up("too many alerts wait")

    def _give_up(self, problem: str) -> None:
        log.error("an alert was given up", receiver=self._receiver.name, problem=problem)


class _Waiting(NamedTuple):
    text: bytes
    moment: datetime
    until: float
    """Of `time.monotonic`: then it is given up."""


def alerts_of(settings: AlertSettings, base: str) -> Alerts:
    """What `[alerts]` describes. Raises SettingsError; opens nothing."""
    receivers = [_receiver(each, f"alerts.receivers.{number}") for number, each in enumerate(settings.receivers)]
    return Alerts(receivers, base)


def _receiver(settings: ReceiverSettings, place: str) -> Receiver:
    if isinstance(settings, HttpsReceiverSettings):
        return HttpsReceiver(settings.url, _token(settings.token_file, f"{place}.token_file"))
    address = pair(settings.address)
    return SyslogReceiver(Collector(*address, Transport(settings.transport), seconds=RECEIVER_SECONDS))


def _token(file: Path | None, key: str) -> str | None:
    """Raises SettingsError: it cannot be read, or no header could hold it."""
    if file is None:
        return None
    try:
        return BearerCredential(read_secret(file, key)).token
    except ValueError as error:
        raise SettingsError(f"{key}: {file}: {error}") from error


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
