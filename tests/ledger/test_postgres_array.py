"""The arrays of a batch: the same bytes as psycopg's own, which nobody has to take on trust."""

import pytest
from psycopg.adapt import PyFormat, Transformer

from plugin.ledger import postgres_array


@pytest.mark.parametrize(
    ("ours", "values"),
    [
        (postgres_array.byteas, [b"", b"\x00\xff", None, b"{}"]),
        (postgres_array.texts, ["", None, "é 😀", "a" * 3_000]),
        (postgres_array.bigints, [2**40, 2**62]),
    ],
)
def test_an_array_has_the_bytes_of_psycopg(ours, values):
    """What PostgreSQL reads is what psycopg would have said."""
    assert Transformer().dump_sequence([values], [PyFormat.BINARY]) == [bytes(ours(values))]
