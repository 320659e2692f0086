"""Texts of search columns as PostgreSQL keeps them: its `text` cannot hold every character that a body may."""

from plugin.ledger.errors import LedgerBroken

_NUL, MARK = "\0", "\x1a"
"""PostgreSQL's text cannot hold the first, which a body may; the second, as rare, stands for it."""


def to_text(fact: str | None) -> str | None:
    """A search column's value as it is stored; a search compares with this too."""
    if fact is None or (_NUL not in fact and MARK not in fact):
        return fact
    return fact.replace(MARK, MARK + "1").replace(_NUL, MARK + "0")


def from_text(stored: str | None) -> str | None:
    """What `to_text` was given. Raises LedgerBroken if it cannot have made this."""
    if stored is None or MARK not in stored:
        return stored
    fact = stored.replace(MARK + "0", _NUL).replace(MARK + "1", MARK)
    if to_text(fact) != stored:
        raise LedgerBroken("a search column holds what no record can have put there")
    return fact
