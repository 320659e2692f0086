"""One serving process: the application, and what goes on beside the requests. Loaded once, in the zygote."""

import atexit
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from plugin import assembly
from plugin.alerts import FLUSH_SECONDS
from plugin.app import create_app
from plugin.cli.failure import CANNOT
from plugin.cli.follow import Follower
from plugin.cli.reload import unusable
from plugin.errors import RecordUnavailable, StateUnavailable
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.state.owed import Debts
from plugin.state.rules_in_force import AcceptedRules
from plugin.telemetry import configure_logging, count_at, takes_records
from policies.rulebook import Rulebook

MINUTE = 60.0
OWED_SECONDS = 20.0
"""How often what is owed to the log is paid: within a minute it tells of broken glass that ended by itself, and of what
could not be written during an outage."""
DAMAGE_EXIT = 70
"""Exit status of a worker whose ledger can no longer be trusted to append; its successor runs the start checks."""
DAMAGE_DELAY = 0.5
"""Seconds for the answers under way to say that nothing was released."""
LEAST_LIFE = 6.0
"""Seconds. Of a worker that ends within 5.5 s granian thinks that all would, and stops serving for good; while a disk
fails, successors must go on trying."""

log = structlog.get_logger()
_given: list[Settings] = []
"""What this process is to serve by."""


def seated(seat: int, settings: Settings, target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    """Run the server's own `target(*arguments)` as the process of this seat; one at a time has it.

    `settings` are those of the start: the file may be edited by now, and what it says waits for a restart.
    """
    count_at(seat)
    _given.append(settings)
    target(*arguments)


def application() -> object:
    """The WSGI application of this process, which is `seated`."""
    born = time.monotonic()
    configure_logging()
    # Meant for the process that supervises; a signal to all of the group must not end this one.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    (settings,) = _given
    try:
        accepted = assembly.accepted_rules(settings)
        leaving = _Leaving(born)
        assembled = assembly.assemble(settings, leaving, _rules(settings, accepted))
        assembly.check_ledger(assembled.ledger)
    except SettingsError as error:
        log.critical(str(error))
        time.sleep(_rest_of_life(born))
        sys.exit(CANNOT)
    takes_records()  # what its predecessor met is checked
    assembled.recorder.observe_refusals(_Refusals())
    debts = Debts(settings.state_dir)
    assembled.recorder.owe(debts.take())
    leaving.at_last = partial(_leave_debt, assembled, debts)
    threading.Thread(target=_each_minute, args=(assembled,), daemon=True, name="callers").start()
    follower = Follower(accepted, assembled.gateway.rules, assembled.recorder)
    threading.Thread(target=follower.run, daemon=True, name="rules").start()
    threading.Thread(target=_often, args=(assembled,), daemon=True, name="owed").start()
    atexit.register(_at_stop, assembled, debts)
    app = create_app(assembled)
    # What was built so far lives as long as the process: looking at it again in every collection costs tail latency.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    return app


def _rules(settings: Settings, accepted: AcceptedRules) -> Rulebook:
    """What was accepted, not what the files say now. Raises SettingsError."""
    try:
        return accepted.load()
    except StateUnavailable as error:
        raise SettingsError(unusable(settings)) from error


def _each_minute(assembled: assembly.Assembled) -> None:
    while True:
        time.sleep(MINUTE)
        _record_callers(assembled)


def _record_callers(assembled: assembly.Assembled, *, at_stop: bool = False) -> None:
    if not assembled.strangers.summarise(at_stop=at_stop):
        log.error("counts of unidentified callers could not be recorded; they are kept for the next minute")


def _at_stop(assembled: assembly.Assembled, debts: Debts) -> None:
    # A database that says nothing may be waited for longer than this process has.
    left = _leave_debt(assembled, debts)
    _record_callers(assembled, at_stop=True)
    _settle(assembled)
    if left is not None:
        _leave_debt(assembled, debts)
        left.unlink(missing_ok=True)
    assembled.alerts.flush(FLUSH_SECONDS)


def _leave_debt(assembled: assembly.Assembled, debts: Debts) -> Path | None:
    """To the next worker that begins here, what this one has not recorded; where it lies, if there is anything."""
    owed = assembled.recorder.owed()
    owed = replace(owed, beyond=owed.beyond + assembled.strangers.unrecorded())
    if not owed:
        return None
    try:
        return debts.leave(owed)
    except StateUnavailable:
        log.critical("refusals are neither recorded nor kept", count=len(owed.records) + owed.beyond)
        return None


def _often(assembled: assembly.Assembled) -> None:
    while True:
        _record_ended(assembled)
        _forget_ended(assembled)
        _settle(assembled)
        time.sleep(OWED_SECONDS)


def _settle(assembled: assembly.Assembled) -> None:
    if problem := assembled.recorder.settle():
        log.error(
            "what the ledger could not take during an outage is not recorded yet; it is tried again", problem=problem
        )


def _record_ended(assembled: assembly.Assembled) -> None:
    try:
        assembled.gateway.glass.record_ended()
    except (RecordUnavailable, StateUnavailable):
        log.error("the end of an emergency access could not be recorded; it is tried again")


def _forget_ended(assembled: assembly.Assembled) -> None:
    if not assembled.launches.ehrs:
        return
    try:
        assembled.sessions.forget_ended()
    except StateUnavailable:
        log.error("views that have ended could not be forgotten; it is tried again")


class _Refusals:
    """Logs why the log did not take a record: an outage may be over before what it left owing is tried again."""

    MOST = 32
    """Reasons that are remembered. There are some dozens at most; their sentences are not ours to bound."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, problem: str) -> None:
        """Log it, unless the same was logged less than OWED_SECONDS ago."""
        now = time.monotonic()
        with self._lock:
            if now - self._told.get(problem, -OWED_SECONDS) < OWED_SECONDS:
                return
            if len(self._told) >= self.MOST:
                self._told.clear()
            self._told[problem] = now
        log.error("the ledger did not take a record, and nothing was released for it", problem=problem)


class _Leaving:
    """Ends the process, once, when it can never append again. Until then every answer is a 503."""

    def __init__(self, born: float) -> None:
        self._born = born
        self._once = threading.Lock()
        self.at_last: Callable[[], object] = lambda: None
        """Called as the process ends."""

    def __call__(self, problem: str) -> None:
        if not self._once.acquire(blocking=False):
            return
        timer = threading.Timer(max(DAMAGE_DELAY, _rest_of_life(self._born)), self._end)
        timer.daemon = True
        timer.start()
        log.critical("the ledger failed; this worker ends and its successor checks it", problem=problem)

    def _end(self) -> None:
        try:
            self.at_last()
        finally:
            os._exit(DAMAGE_EXIT)


def _rest_of_life(born: float) -> float:
    return max(0.0, LEAST_LIFE - (time.monotonic() - born))
