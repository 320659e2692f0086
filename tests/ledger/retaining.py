"""Purges and holds of a ledger in a test: what the command line does, without it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from plugin.ledger import disposal, writer
from plugin.ledger.hold import HELD, LIFTED
from plugin.ledger.own import OWN_CLASS
from plugin.ledger.purge import PURGED
from plugin.ledger.retention import Due, Period
from plugin.ledger.sqlite_eraser import SqliteEraser
from plugin.ledger.sqlite_view import opening


def record_own(ledger: writer.Ledger, action: str, **facts: object) -> int:
    """A record by which the ledger explains itself."""
    return ledger.append({"action": action, **facts}, tenant="gateway", retention_class=OWN_CLASS).position


def record_purge(ledger: writer.Ledger, due: Sequence[Due], action: str = PURGED) -> int:
    """The record that must be durable before anything goes."""
    return record_own(ledger, action, purge={"reason": "test", "due": [asdict(each) for each in due]})


def hold(ledger: writer.Ledger, name: str, **held: object) -> int:
    return record_own(ledger, HELD, hold={"id": name, "reason": "test", **held})


def lift(ledger: writer.Ledger, name: str) -> int:
    return record_own(ledger, LIFTED, hold={"id": name, "reason": "test"})


def planned(path: Path, periods: Mapping[str, str], now: datetime) -> disposal.Plan:
    return disposal.plan(opening(path), {(name, None): Period.parse(text) for name, text in periods.items()}, now)


def purge(ledger: writer.Ledger, path: Path, periods: Mapping[str, str], now: datetime) -> int:
    """All of it; how many records lost their bodies."""
    erased = 0
    for part in planned(path, periods, now).parts():
        record_purge(ledger, part)
        erased += sum(disposal.erase(opening(path), SqliteEraser(path), due.ranges) for due in part)
    return erased
