"""Arrays as PostgreSQL takes them in binary: the columns of a batch, made in half the time of psycopg's own lists.

psycopg looks at each list anew for what it holds; a column of ours is known. The form is that of `array_recv` in
PostgreSQL's backend/utils/adt/arrayfuncs.c: one dimension, counted from 1.
"""

from collections.abc import Iterable, Sequence
from struct import pack

from psycopg import pq
from psycopg.adapt import AdaptersMap, Dumper

from plugin.ledger.postgres_text import to_text

_BIGINT, _BIGINTS = 20, 1016
_BYTEA, _BYTEAS = 17, 1001
_TEXT, _TEXTS = 25, 1009
"""Object ids of types and of their arrays (catalog/pg_type.dat): they never change."""
_NULL = pack("!i", -1)


class Array(bytes):
    """One that is encoded."""


class BigintArray(Array):
    """bigint[]"""


class ByteaArray(Array):
    """bytea[]"""


class TextArray(Array):
    """text[]"""


def bigints(values: Sequence[int]) -> BigintArray:
    """Numbers of 64 bits."""
    return BigintArray(_array(_BIGINT, [pack("!q", value) for value in values]))


def byteas(values: Sequence[bytes | None]) -> ByteaArray:
    """Bytes, as they are."""
    return ByteaArray(_array(_BYTEA, values))


def texts(values: Iterable[str | None]) -> TextArray:
    """Values of a search column, as `to_text` has them kept."""
    return TextArray(_array(_TEXT, [None if text is None else text.encode() for text in map(to_text, values)]))


def register(adapters: AdaptersMap) -> None:
    """Let a connection take these arrays."""
    for kind, dumper in _DUMPERS.items():
        adapters.register_dumper(kind, dumper)


def _array(element: int, values: Sequence[bytes | None]) -> bytes:
    parts = [pack("!iiIii", 1, None in values, element, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (pack("!i", len(value)), value)
    return b"".join(parts)


class _ArrayDumper(Dumper):
    format = pq.Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj


class _BigintDumper(_ArrayDumper):
    oid = _BIGINTS


class _ByteaDumper(_ArrayDumper):
    oid = _BYTEAS


class _TextDumper(_ArrayDumper):
    oid = _TEXTS


_DUMPERS: dict[type[Array], type[_ArrayDumper]] = {
    BigintArray: _BigintDumper,
    ByteaArray: _ByteaDumper,
    TextArray: _TextDumper,
}
