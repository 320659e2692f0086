"""What the gateway asks of a rendering process, and what it may answer: the only words between the two.

An answer comes from a process that has read hostile bytes: it is bounded, typed, and believed in nothing else. Its
pictures are bytes for a browser, its markup is sanitised again by whoever shows it.
"""

from enum import StrEnum

import msgspec

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
"""As large as an answer of a feed may be."""

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Of a rendering process. A page at MAX_PIXELS of noise is some 4 MB of JPEG."""

MAX_SECONDS = 10.0
"""For one document by the clock, asleep or not; a loaded machine is given time."""

HEAD_BYTES = 4
"""The length of what follows, before a job or an answer."""

TOKEN_BYTES = 16
"""Random, between the length and a job, and again before its answer: what a process wrote for another document, before
or after, is an answer to none.
"""

MAX_PIXELS = 4_000_000
"""Of a picture of ours. A4 at 144 dots an inch, twice what a screen shows, has two million."""


class Kind(StrEnum):
    """How a document is read."""

    PDF = "pdf"
    IMAGE = "image"
    CDA = "cda"
    MARKUP = "markup"
    """HTML, to be sanitised."""


class Problem(StrEnum):
    """Why a document is not shown. A page has a sentence for each."""

    ENCRYPTED = "encrypted"
    BROKEN = "broken"
    """It is not what its type says, or is cut short."""
    NO_SUCH_PAGE = "no-such-page"
    TOO_LARGE = "too-large"
    """In bytes, pixels or text."""
    TOO_COMPLEX = "too-complex"
    """Its rendering took too much time or memory, or ended the process."""
    NOTHING_TO_SHOW = "nothing-to-show"
    """A container with a content that is of none of our kinds."""
    BUSY = "busy"
    """No rendering process was free in time; nothing is wrong with the document."""


class Job(msgspec.Struct, array_like=True, frozen=True):
    """One page of one document."""

    kind: str
    data: bytes
    page: int
    """Counted from 1."""
    watermark: tuple[str, ...]
    """Lines: who, when, which record."""


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """Either a problem, or a picture with what it says, or text."""

    problem: str | None = None
    pages: int = 0
    picture: bytes = b""
    """JPEG."""
    width: int = 0
    height: int = 0
    text: str = ""
    """What the page of a PDF says, for who cannot see a picture; may be empty (a scan)."""
    markup: str = ""
    """Of a CDA: simple HTML, to be sanitised by another job. Of that job: what may stand in a page."""
    confined: bool = True
    """Whether system calls were filtered while it was made."""
