"""Next links: sealed, so that a client can follow one but not make, read or share one.

A link carries the question, where to go on, for whom it was issued, and until when.
"""

import time
from dataclasses import dataclass

import msgspec

from plugin.sealing import Seal, SealBroken
from policies.vocabulary.consultation import PageBinding, PagePosition, Reason

LIFE_SECONDS = 600
"""Long enough to read a page before asking for the next."""

PARAMETER = "_page"


class _Content(msgspec.Struct, array_like=True, frozen=True):
    feed: str
    resource_type: str
    ehr: str
    patient: str
    reader: str
    parameters: tuple[tuple[str, str], ...]
    count: int
    place: bytes
    """Page and entries spent, padded: a link is as long wherever it leads, so its length tells nothing withheld."""
    expires: int


PLACE_BYTES = 768
"""What place is padded to a multiple of. Pages of real servers have names of at most some 200 characters."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What an opened link asks for."""

    binding: PageBinding
    parameters: tuple[tuple[str, str], ...]
    count: int
    position: PagePosition


class LinkRefused(Exception):
    """The link cannot be followed; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class PageLinks:
    """Issues and opens page links."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def issue(self, feed: str, resource_type: str, continuation: Continuation) -> str:
        """The value of `_page` for a further page."""
        return self._seal.close(
            msgspec.msgpack.encode(
                _Content(
                    feed,
                    resource_type,
                    continuation.binding.ehr,
                    continuation.binding.patient,
                    continuation.binding.reader,
                    continuation.parameters,
                    continuation.count,
                    _padded(continuation.position),
                    int(time.time()) + LIFE_SECONDS,
                )
            )
        )

    def open(self, text: str, feed: str, resource_type: str) -> Continuation:
        """What the link asks for at this feed and type. Raises LinkRefused."""
        try:
            content = msgspec.msgpack.decode(self._seal.open(text), type=_Content)
        except (SealBroken, msgspec.MsgspecError) as error:
            raise LinkRefused(Reason.PAGE_LINK_INVALID) from error
        if content.expires < time.time():
            raise LinkRefused(Reason.PAGE_LINK_EXPIRED)
        if (content.feed, content.resource_type) != (feed, resource_type):
            raise LinkRefused(Reason.PAGE_LINK_FOREIGN)
        return Continuation(
            PageBinding(content.reader, content.ehr, content.patient),
            content.parameters,
            content.count,
            _unpadded(content.place),
        )


def _padded(position: PagePosition) -> bytes:
    packed = msgspec.msgpack.encode((position.page, position.spent))
    told = len(packed).to_bytes(4) + packed
    return told + bytes(-len(told) % PLACE_BYTES)


def _unpadded(place: bytes) -> PagePosition:
    length = int.from_bytes(place[:4])
    page, spent = msgspec.msgpack.decode(place[4 : 4 + length], type=tuple[str | None, int])
    return PagePosition(page, spent)
