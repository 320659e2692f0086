"""The process's own log and metrics: what an operator needs; never a patient, a person, a token, text from outside.

Every line is one JSON object, also where a library speaks: its words are kept, the values that it puts into them are
not, since a path or a message of an error may name a patient.
"""

import logging
import logging.config
import os
import sys
import threading
import time
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO, cast

import orjson
import structlog
from prometheus_client import Counter, Gauge, Histogram, values

from plugin import tallies

_counting = {"seat": tallies.SUPERVISING}
if tallies.FOLDER_VARIABLE in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda: _counting["seat"])  # type: ignore[no-untyped-call]

CONSULTATIONS = Counter("vitrine_consultations", "Consultations by outcome.", ["feed", "outcome"])
CALLERS_REFUSED = Counter("vitrine_callers_refused", "Refusals of unidentified callers.", ["reason"])
BATCHES = Histogram(
    "vitrine_ledger_batch_records",
    "Records that one commit made durable: its sum is all appends, its count all commits.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
REFUSED_RECORDS = Counter("vitrine_ledger_refused", "Records that the log did not take; nothing was released for them.")
QUOTA_REFUSALS = Counter("vitrine_quota_refusals", "Looks that were refused because they were beyond a quota.")
ALERTS = Counter("vitrine_alerts", "Alerts that were raised, by kind.", ["kind"])
ALERTS_NOT_TOLD = Counter("vitrine_alerts_not_told", "How often a receiver did not take an alert.")

ONE: Final = "max"
"""Of a gauge that the supervising process alone sets: in the files of the others it is absent, or 0."""

SINK_AGE = Gauge(
    "vitrine_ledger_sink_age_seconds",
    "For how long a sink has lacked the newest checkpoint.",
    ["sink"],
    multiprocess_mode=ONE,
)
SINK_FORKS = Counter("vitrine_ledger_forks", "Checkpoints of a sink that the log does not continue.", ["sink"])
REFUSING_SINCE = Gauge(
    "vitrine_ledger_refusing_since_timestamp_seconds",
    "Since when the log has taken no record that was to be released; 0: it took the newest.",
    multiprocess_mode="mostrecent",
)
VERIFIED_AT = Gauge(
    "vitrine_ledger_verified_timestamp_seconds",
    "When the log was last verified and found unbroken.",
    multiprocess_mode=ONE,
)
VERIFICATIONS = Counter("vitrine_ledger_verifications", "Scheduled verifications, by what they found.", ["result"])
CERTIFICATE_END = Gauge(
    "vitrine_certificate_end_timestamp_seconds",
    "Until when a certificate of our own is good, by its key in the configuration.",
    ["key"],
    multiprocess_mode=ONE,
)
SPACE_FREE = Gauge("vitrine_ledger_space_free_bytes", "Free where the log and the state are.", multiprocess_mode=ONE)
CLOCK_OFFSET = Gauge(
    "vitrine_clock_offset_seconds", "By how much this machine's clock is ahead.", ["against"], multiprocess_mode=ONE
)

_refusing: dict[str, float] = {}
"""Since when this process has met nothing but refusals; empty: it has not."""

NO_FEED = "none"
"""Stands for the feed of a consultation that names none of ours."""


def count_at(seat: int) -> None:
    """Count as the process of this seat, where it left off. Called once, before anything is counted."""
    _counting["seat"] = seat


def count_consultation(feed: str | None, outcome: str) -> None:
    """Count a recorded attempt; `feed` is the id of a configured one, or empty."""
    CONSULTATIONS.labels(feed or NO_FEED, outcome).inc()


def count_refused_caller(reason: str) -> None:
    """Count a refusal of a caller who was not identified; `reason` is one of our own keys."""
    CALLERS_REFUSED.labels(reason).inc()


def count_commit(records: int) -> None:
    """Count a commit of so many records."""
    BATCHES.observe(records)
    takes_records()


def count_refused_record(*, is_owed: bool) -> None:
    """Count a record that the log did not take; `is_owed`: it is tried again whoever asks for what."""
    REFUSED_RECORDS.inc()
    if is_owed:
        REFUSING_SINCE.set(_refusing.setdefault("since", time.time()))


def takes_records() -> None:
    """Nothing is known that the log refuses."""
    _refusing.clear()
    REFUSING_SINCE.set(0.0)


class JsonLine(logging.Formatter):
    """What a library logs, as a JSON object: the first line of its words, without their arguments."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        words = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        line = {
            "event": words.partition("\n")[0],
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            line |= _told(record.exc_info)
        return orjson.dumps(line).decode()


class WithoutAdvice(logging.Filter):
    """Leaves out granian's warning about the number of threads, which is meant (`cli.serve`)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for that warning."""
        return "which seems quite high" not in str(record.msg)


class _Stderr:
    """Standard error, for a log that nobody waits for: where it cannot be written, no request fails with it."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


LIBRARIES: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "plugin.telemetry.JsonLine"}},
    "filters": {"advice": {"()": "plugin.telemetry.WithoutAdvice"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "json"},
    },
    "loggers": {"_granian": {"handlers": ["stderr"], "filters": ["advice"], "level": "INFO", "propagate": False}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
"""For `logging.config.dictConfig`; granian applies it again in each worker."""


def configure_logging() -> None:
    """One JSON object a line, to stderr, whoever speaks."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_values,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Stderr())),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(LIBRARIES)
    logging.captureWarnings(capture=True)
    log = structlog.get_logger()
    sys.excepthook = lambda kind, error, trace: log.critical("the process failed", exc_info=(kind, error, trace))
    threading.excepthook = lambda said: log.critical(
        "a thread failed", exc_info=(said.exc_type, said.exc_value, said.exc_traceback)
    )
    sys.unraisablehook = lambda said: log.error(
        "an error could not be raised", exc_info=(said.exc_type, said.exc_value, said.exc_traceback)
    )


def _without_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception that is logged becomes its kind and places."""
    if given := event.pop("exc_info", None):
        event.update(_told(given if isinstance(given, tuple) else sys.exc_info()))
    return event


def _told(
    exception: tuple[type[BaseException] | None, BaseException | None, TracebackType | None],
) -> dict[str, Any]:
    """Kind and places: the message may quote what the code choked on, and locals certainly would."""
    kind, _error, trace = exception
    places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(trace)]
    return {"exception": kind.__name__ if kind else None, "at": places}
