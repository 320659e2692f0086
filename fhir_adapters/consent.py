"""What a FHIR R4 Consent denies, as narrowings that a rule can be asked about; pure.

Fetching consents, and matching actor, purpose and labels with a person and a result, is left to others. What is not
understood denies without narrowing: an error here may hide too much, never too little.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_adapters.moments import Stretch, stretches

MAX_PROVISIONS = 10_000
"""Provisions read of one Consent. Real ones hold some dozens; what is longer is taken as a deny."""

_TOP = frozenset(
    [
        "resourceType",
        "id",
        "meta",
        "language",
        "text",
        "contained",
        "extension",
        "identifier",
        "status",
        "scope",
        "category",
        "patient",
        "dateTime",
        "performer",
        "organization",
        "sourceAttachment",
        "sourceReference",
        "policy",
        "policyRule",
        "verification",
        "provision",
    ]
)
"""What a Consent may hold; of it, what decides is read, and the rest narrows nothing."""

_OTHER_SCOPES = frozenset({"research", "treatment", "adr"})
"""Consents to something else than to showing data (http://terminology.hl7.org/CodeSystem/consentscope)."""
_SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"

_KNOWN = frozenset(
    [
        "id",
        "extension",
        "type",
        "period",
        "actor",
        "action",
        "securityLabel",
        "purpose",
        "class",
        "code",
        "dataPeriod",
        "data",
        "provision",
    ]
)
_OPT_OUT = frozenset({"OPTOUT", "OPTOUTE"})
_OPT_IN = frozenset({"OPTIN", "OPTINR"})


@dataclass(frozen=True, slots=True)
class Denial:
    """One deny that holds now. An empty part does not narrow.

    `understood` is False where the whole could not be read.
    """

    classes: frozenset[tuple[str, str]] = frozenset()
    labels: frozenset[tuple[str, str]] = frozenset()
    purposes: frozenset[tuple[str, str]] = frozenset()
    actors: frozenset[str] = frozenset()
    understood: bool = True


UNKNOWN = Denial(understood=False)


class _NotUnderstood(Exception):
    """A part of the Consent that this reader does not know."""


def denials(consent: Mapping[str, Any], now: datetime) -> tuple[Denial, ...]:
    """What an active Consent denies at `now`; (UNKNOWN,) where it cannot be understood. A parsed tree has no cycle,
    yet a built one may: the bound on provisions ends it. Raises nothing."""
    status = consent.get("status")
    if status in ("draft", "proposed", "rejected", "inactive", "entered-in-error"):
        return ()
    if status != "active" or any(name.lstrip("_") not in _TOP for name in consent):
        return (UNKNOWN,)
    try:
        if _is_of_another_scope(consent):
            return ()
        return tuple(_read(consent, Stretch(now, now)))
    except (_NotUnderstood, ValueError, OverflowError):
        return (UNKNOWN,)


def _read(consent: Mapping[str, Any], now: Stretch) -> Iterable[Denial]:
    root = consent.get("provision", {})
    if not isinstance(root, dict):
        raise _NotUnderstood
    by_policy = _by_policy(consent)
    kind = root.get("type", by_policy)
    if by_policy == "deny" and kind == "permit":
        yield Denial()  # a permit is an exception from what was opposed as a whole, and such are not followed
    waiting: list[tuple[Any, Any]] = [(root, kind)]
    seen = 0
    while waiting:
        provision, kind = waiting.pop()
        seen += 1
        if seen > MAX_PROVISIONS or not isinstance(provision, dict) or not provision.keys() <= _KNOWN:
            raise _NotUnderstood
        if kind not in ("deny", "permit"):
            raise _NotUnderstood
        if kind == "deny" and _holds(provision, now):
            yield _denial(provision)
        nested = _list(provision, "provision")
        if seen + len(waiting) + len(nested) > MAX_PROVISIONS:
            raise _NotUnderstood
        waiting.extend((each, each.get("type") if isinstance(each, dict) else None) for each in nested)


def _is_of_another_scope(consent: Mapping[str, Any]) -> bool:
    found = set(_codings([consent.get("scope", {})]))
    return bool(found) and found <= {(_SCOPES, code) for code in _OTHER_SCOPES}


def _by_policy(consent: Mapping[str, Any]) -> str | None:
    rule = consent.get("policyRule", {})
    codes = {code for _, code in _codings([rule])}
    if codes & _OPT_OUT:
        return "deny"
    return "permit" if codes and codes <= _OPT_IN else None


def _holds(provision: Mapping[str, Any], now: Stretch) -> bool:
    if "period" not in provision:
        return True
    found = stretches(provision["period"])
    if not found:
        raise _NotUnderstood
    return any(each.covers(now.start) for each in found)


def _denial(provision: Mapping[str, Any]) -> Denial:
    """The parts that narrow by code, data or action are not followed: such a deny is wider than written."""
    actors = set()
    for actor in _list(provision, "actor"):
        held = actor.get("reference") if isinstance(actor, dict) else None
        reference = held.get("reference") if isinstance(held, dict) else None
        if not isinstance(reference, str):
            raise _NotUnderstood
        actors.add(reference)
    return Denial(
        frozenset(_codings(_list(provision, "class"))),
        frozenset(_codings(_list(provision, "securityLabel"))),
        frozenset(_codings(_list(provision, "purpose"))),
        frozenset(actors),
    )


def _list(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name, [])
    if not isinstance(value, list):
        raise _NotUnderstood
    return value


def _codings(values: list[Any]) -> Iterable[tuple[str, str]]:
    for value in values:
        if not isinstance(value, dict):
            raise _NotUnderstood
        for coding in _list(value, "coding") if "coding" in value else ([value] if value else []):
            pair = (coding.get("system"), coding.get("code")) if isinstance(coding, dict) else (None, None)
            if not (isinstance(pair[0], str) and isinstance(pair[1], str)):
                raise _NotUnderstood
            yield pair[0].strip(), pair[1].strip()  # no code has blanks around it (R4 2.24.0.1)
