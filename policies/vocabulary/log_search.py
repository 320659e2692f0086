"""A search of the log, in words that no face owns. Building one grants nothing."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

DEFAULT_COUNT = 50


@dataclass(frozen=True, slots=True)
class LogMark:
    """Where a search that is gone on with stands, and which records were there when it began."""

    size: int
    """Records from this position on came later, and are not part of the answer."""
    time: str
    position: int


@dataclass(frozen=True, slots=True)
class LogSearch:
    """Which AuditEvents are wanted, by search parameters that `plugin.audit.search` has read."""

    parameters: tuple[tuple[str, str], ...] = ()
    """In the order given, without order and paging."""
    newest_first: bool = True
    count: int | None = DEFAULT_COUNT
    """Events on a page; None is all of them, which only the command line asks for."""
    mark: LogMark | None = None
    """Set where a further page is asked for."""
    reader: str | None = None
    """For whom the link to that page was issued."""

    @property
    def text(self) -> str:
        """Our own serialisation, for records and links: `AuditEvent?patient=p1&_sort=-date&_count=50`."""
        told = [*self.parameters, ("_sort", "-date" if self.newest_first else "date")]
        if self.count is not None:
            told.append(("_count", str(self.count)))
        return f"AuditEvent?{urlencode(told, quote_via=quote)}"
