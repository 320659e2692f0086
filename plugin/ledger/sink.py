"""Where checkpoints go so that the owner of the ledger's machine cannot cut it unseen: what every kind promises.

One file per kind: `sink_file`, `sink_https`, `sink_syslog`, `sink_witness`. When and to whom is for `deliveries`. The
network is a `Poster`'s, which whoever assembles the program brings along.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.reader import Reader

ANSWER_SECONDS = 10.0
"""How long a sink may take to answer."""
MAX_ANSWER = 1 << 16
"""Bytes of an answer that a poster reads: a hundred cosignatures have a quarter of this."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server said."""

    status: int
    content_type: str
    body: bytes
    """At most MAX_ANSWER bytes."""


class Poster(Protocol):
    """Sends one HTTP request. Verifies certificates, follows no redirect, tries once."""

    def post(self, url: str, body: bytes, content_type: str) -> Answer:
        """The answer, whatever its status. Raises SinkFailed if there is none within ANSWER_SECONDS."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A checkpoint for a sink, and what can be said about how it came about."""

    stated: Checkpoint
    note: str
    """With the cosignatures that it has so far."""
    reader: Reader

    def consistency(self, old: int) -> Sequence[bytes]:
        """The proof that it continues the tree of `old` records. Raises ValueError if it is not that large."""
        # A read of its own: one that lasted as long as a sink takes would keep SQLite's log growing.
        with self.reader.tree() as tree:
            return tree.consistency(old, self.stated.size)

    def continues(self, earlier: Checkpoint) -> bool:
        """True if the tree begins with the one that `earlier` states."""
        if earlier.size > self.stated.size:
            return False
        with self.reader.tree() as tree:
            return tree.continues(earlier)


class Sink(Protocol):
    """Takes checkpoints of one ledger. Used by one thread at a time."""

    name: str
    """For people and for metrics: its kind and place, no secret."""
    cosigns: bool
    """True if it gives cosignatures."""

    def newest(self) -> Checkpoint | None:
        """The checkpoint of most records of this ledger that the sink shows; None if it has none, or shows none.

        Raises SinkFailed.
        """

    def deliver(self, offer: Offer) -> Sequence[str]:
        """Hand over a checkpoint; returns the cosignature lines that it was given for it.

        Raises SinkFailed if it was not taken now, and SinkForked if the sink holds one that it does not continue.
        """
