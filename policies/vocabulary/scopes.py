"""SMART scopes (App Launch 2.2, v1 and v2) as a ceiling: which types a token lets its bearer read and search.

Only scopes whose meaning is understood grant anything. A scope with a part that we do not implement takes its type out
of the token's use altogether, since to ignore that part would widen what was granted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

RESTRICTABLE = frozenset({"category", "code", "status"})
"""Parameters that may follow `?` in a scope; each is enforced on the request and on every resource."""

_V1_WORDS = {"read": "rs", "write": "cud", "*": "cruds"}
_SCOPE = re.compile(r"(patient|user|system)/([A-Za-z]{1,64}|\*)\.(\*|[a-z]{1,5})(?:\?(.{1,1024}))?")
_LETTERS = re.compile(r"c?r?u?d?s?")
_URI_PREFIX = "http://smarthealthit.org/fhir/scopes/"
MAX_SCOPES = 200
"""A token with more is refused rather than read in part; real ones carry a dozen."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """`?category=system|code&status=final`: all pairs must hold for a resource to be within the scope."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the scopes allow for one interaction on one type."""

    allowed: bool
    restrictions: tuple[Restriction, ...] = ()
    """Empty: everything of the type. Otherwise a resource must meet at least one."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One understood scope."""

    level: str
    resource_type: str
    letters: str
    restriction: Restriction | None


@dataclass(frozen=True, slots=True)
class Grants:
    """All scopes of a token."""

    text: tuple[str, ...] = ()
    """As granted, for the record."""
    grants: tuple[Grant, ...] = ()
    unusable: frozenset[str] = field(default_factory=frozenset)
    """Types (or `*`) that a scope names in a form that is not implemented."""

    def ceiling(self, resource_type: str, letter: str, *, launch_patient: bool) -> Ceiling:
        """What `letter` ("r" or "s") is granted on `resource_type`.

        `patient/` scopes count only with a launch patient; `system/` scopes never count: nobody stands behind them.
        """
        if self.unusable & {resource_type, "*"}:
            return Ceiling(False)
        matching = [
            grant
            for grant in self.grants
            if letter in grant.letters
            and grant.resource_type in (resource_type, "*")
            and (grant.level == "user" or (grant.level == "patient" and launch_patient))
        ]
        if not matching:
            return Ceiling(False)
        if any(grant.restriction is None for grant in matching):
            return Ceiling(True)
        return Ceiling(True, tuple(grant.restriction for grant in matching if grant.restriction is not None))

    @property
    def only_system(self) -> bool:
        """True if the token carries resource scopes and all of them are `system/`."""
        return bool(self.grants) and all(grant.level == "system" for grant in self.grants)


def parse(scope: str | Iterable[str]) -> Grants:
    """Read a `scope` claim: a space-separated string, or a list. Raises ValueError if neither, or too long."""
    if not isinstance(scope, str) and not all(isinstance(item, str) for item in scope):
        raise ValueError("scope is neither a string nor a list of strings")
    # RFC 6749 3.3: words are separated by spaces; another blank is part of a word, which then grants nothing.
    words = [word for word in scope.split(" ") if word] if isinstance(scope, str) else list(scope)
    if len(words) > MAX_SCOPES:
        raise ValueError("too many scopes")
    grants: list[Grant] = []
    unusable: set[str] = set()
    for word in words:
        bare = word.removeprefix(_URI_PREFIX)
        if "/" not in bare.partition("?")[0]:
            continue  # openid, fhirUser, launch, profile …: no resource scope
        if not bare.startswith(("patient/", "user/", "system/")):
            continue  # launch/patient, launch/encounter
        found = _SCOPE.fullmatch(bare)
        if found is None:
            unusable.add(_named_type(bare))
            continue
        level, resource_type, permissions, query = found.groups()
        letters = _V1_WORDS.get(permissions, permissions)
        restriction = _restriction(query) if query else None
        if not letters or not _LETTERS.fullmatch(letters) or (query and restriction is None):
            unusable.add(resource_type)
            continue
        grants.append(Grant(level, resource_type, letters, restriction))
    return Grants(tuple(words), tuple(grants), frozenset(unusable))


def _named_type(scope: str) -> str:
    """The type that a scope of unknown form names, `*` if that cannot be told: then no type is usable."""
    found = re.match(r"(?:patient|user|system)/([A-Za-z]{1,64})(?![A-Za-z])", scope)
    return found.group(1) if found else "*"


def _restriction(query: str) -> Restriction | None:
    pairs = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        value = unquote(value)
        if name not in RESTRICTABLE or not equals or not value or "," in value:
            return None
        pairs.append((name, value))
    return Restriction(tuple(pairs))
