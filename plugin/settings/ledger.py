"""`[ledger]`: where the log is, who signs it, where its checkpoints go, how long records are kept."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Discriminator, Field, model_validator

from plugin.settings.errors import WrongBelow
from plugin.settings.values import AskedBase, AskedUrl, Flag, HostPort, Location, Section, Text, Whole

DEFAULT_PATH = "ledger/vitrine.sqlite"
NEVER = "never"
OWNER_OPTION = "--owner-dsn-file"
"""By which the operator names the role that owns the tables in PostgreSQL: the gateway's own file never does."""
_BESIDE_THE_LEDGER = ("-wal", "-shm", "-journal", ".checkpoints")
"""Endings of what stands beside a ledger that is a file."""
_INTERVAL = re.compile(r"([1-9][0-9]{0,2}) (hour|day)s?")
_DAYS = re.compile(r"[1-9][0-9]{0,4} days")


def _interval(value: str) -> str:
    if value != NEVER and not _INTERVAL.fullmatch(value):
        raise ValueError('must be a number of hours or days, such as "1 day", or "never"')
    return value


def _period(value: str) -> str:
    if value not in get_args(Preset) and not _DAYS.fullmatch(value):
        raise ValueError(f"must be one of {', '.join(get_args(Preset))}, or a number of days: '400 days'")
    return value


class FileSinkSettings(Section):
    """A file on another mount to which each checkpoint is appended."""

    kind: Literal["file"]
    path: Location


class HttpsSinkSettings(Section):
    """A web server that is sent each checkpoint, and answers 2xx when it keeps it."""

    kind: Literal["https"]
    url: AskedUrl


class SyslogSinkSettings(Section):
    """A syslog collector (RFC 5424). It acknowledges nothing."""

    kind: Literal["syslog"]
    address: HostPort
    transport: Literal["tls", "tcp", "udp"] = "tls"


class WitnessSinkSettings(Section):
    """A witness (c2sp.org/tlog-witness): it cosigns only what continues what it saw."""

    kind: Literal["witness"]
    url: AskedBase
    vkey: Text


SinkSettings = Annotated[
    FileSinkSettings | HttpsSinkSettings | SyslogSinkSettings | WitnessSinkSettings, Discriminator("kind")
]


Preset = Literal["6-months", "1-year", "3-years", "10-years", "20-years"]
Interval = Annotated[str, AfterValidator(_interval)]
Period = Annotated[str, AfterValidator(_period)]
RetentionClass = Literal["consultation", "refusal", "log-reading", "callers", "operation"]
"""The classes of records that may have a period; what explains the ledger itself is kept for ever."""


class LedgerSettings(Section):
    path: Location | None = None
    """The ledger's file, `ledger/vitrine.sqlite` by default. It must exist already (`vitrine audit init` makes it): a
    mistyped path would otherwise start a second, empty history. None: it is in PostgreSQL."""
    dsn_file: Location | None = None
    """Instead of `path`: a secret file with the connection string of a PostgreSQL database that several machines share.
    Its role is the gateway's: one that could change or delete records stops the start."""
    purge_dsn_file: Location | None = None
    """With `dsn_file`: the connection string of the one role that may empty records. Read by `audit init`, which grants
    that right, and `audit purge`; the user that the gateway runs as need not be able to read it."""
    key_file: Location = Field(default=Path("secrets/checkpoint.key"), validate_default=True)
    """Signs checkpoints. Whoever holds it can rewrite history that no sink has seen."""
    sinks: tuple[SinkSettings, ...] = ()
    """Where checkpoints go, so that the owner of this machine alone cannot cut the log unnoticed."""
    space_floor_mb: Whole = Field(default=256, ge=0, le=1 << 20)
    """MiB that must be free where the ledger is, or every request is refused: a record with its indexes takes about
    3 kB, so this holds what an outage still has to record, SQLite's log, and the work of the purge that makes room.
    0 leaves it to the disk: then too nothing is released that cannot be recorded, but refusals may go uncounted."""
    anonymous_space_floor_mb: Whole = Field(default=1024, ge=0, le=1 << 20)
    """Below this callers without a credential are refused, and refusals of unidentified callers are recorded as counts
    only: whoever floods the gateway from outside meets this floor before a clinician meets the other one."""
    verify_every: Interval = "1 day"
    """How often `serve` re-reads and verifies the whole ledger, at the lowest priority: hours or days, or "never" where
    something else does it."""
    public: Flag = False
    """Serve the signed head, hashes and proofs under `/ledger/`: how many records there are, and nothing of them."""
    retention: dict[RetentionClass, Period] = Field(default_factory=dict)
    """How long the records of each class are kept before `vitrine audit purge` may empty them. A class that is not
    named is kept for ever, and nothing is purged but by that command."""

    @model_validator(mode="before")
    @classmethod
    def _is_in_one_place(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if "dsn_file" not in given:
            if "purge_dsn_file" in given:
                raise WrongBelow("purge_dsn_file", "is of a ledger in PostgreSQL, which dsn_file names")
            return {"path": DEFAULT_PATH, **given}
        if "path" in given:
            raise WrongBelow("path", "the ledger is in a file or in PostgreSQL, which dsn_file names, not in both")
        return given

    @model_validator(mode="after")
    def _checkpoints_go_elsewhere(self) -> Self:
        """A sink that appends to a file of the ledger would break it."""
        own = {self.key_file, self.dsn_file, self.purge_dsn_file, self.path}
        if self.path is not None:
            own |= {self.path.with_name(self.path.name + ending) for ending in _BESIDE_THE_LEDGER}
        for number, sink in enumerate(self.sinks):
            if isinstance(sink, FileSinkSettings) and sink.path in own:
                raise WrongBelow(f"sinks.{number}.path", "a file of the ledger itself is no place elsewhere")
        return self

    @model_validator(mode="after")
    def _strangers_are_refused_first(self) -> Self:
        if self.anonymous_space_floor_mb < self.space_floor_mb:
            raise WrongBelow("anonymous_space_floor_mb", "is less than space_floor_mb: strangers are refused first")
        return self

    def verify_seconds(self) -> float | None:
        """`verify_every` in seconds; None: never."""
        found = _INTERVAL.fullmatch(self.verify_every)
        return None if found is None else int(found[1]) * (3_600.0 if found[2] == "hour" else 86_400.0)
