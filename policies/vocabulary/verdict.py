"""Verdicts are values that carry the ids of their rules; an absent rule, an empty list, a failed evaluation: Deny."""

from dataclasses import dataclass

NO_RULE_PERMITS = "no-rule-permits"
"""Stands as the rule of a denial that comes from the absence of one."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The rules that permitted."""

    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """The rules that refused, stable enough to audit, for instance ("view-only",)."""

    rules: tuple[str, ...]

    @property
    def silent(self) -> bool:
        """True if no rule spoke: nothing forbade, and nothing permitted."""
        return self.rules == (NO_RULE_PERMITS,)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A resource that is not shown. For the record only: no face shows it, not even a count."""

    reference: str
    """`Observation/77`"""
    rule: str
