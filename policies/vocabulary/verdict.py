"""Verdicts are values that carry the ids of their rules; an absent rule, an empty list, a failed evaluation: Deny."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Permit:
    """The rules that permitted."""

    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """The rules that refused, stable enough to audit, for instance ("view-only",)."""

    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withheld:
    """A resource that is not shown. For the record only: no face shows it, not even a count."""

    reference: str
    """`Observation/77`"""
    rule: str
