"""The process's own log and metrics: what an operator needs; never a patient, a person, a token, text from outside."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter

CONSULTATIONS = Counter("vitrine_consultations", "Consultations by outcome.", ["feed", "outcome"])
CALLERS_REFUSED = Counter("vitrine_callers_refused", "Refusals of unidentified callers.", ["reason"])


def configure_logging() -> None:
    """One JSON object a line, to stderr."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _places_of_exception,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _places_of_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Kind and places of an exception: its message may quote what it choked on, and locals certainly would."""
    if event.pop("exc_info", None):
        kind, _error, trace = sys.exc_info()
        event["exception"] = kind.__name__ if kind else None
        event["at"] = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(trace)]
    return event
