"""Says to an operator, check by check, why a token is accepted or not. It shows claims, never the token or signature.

Callers of the gateway get fixed sentences (`plugin.errors`); this is for `vitrine token explain` alone.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from plugin.authentication import claims, compact
from plugin.authentication.bearer_token import NOBODY_TO_ASK, BearerTokens
from plugin.authentication.introspection import Introspects
from plugin.authentication.issuers import Issuers
from plugin.authentication.listings import Listings
from plugin.authentication.token_checks import INTROSPECTED, SIGNED, Check
from plugin.errors import IssuerUnreachable, TokenInvalid
from plugin.settings.document import Settings
from policies.decision import decide_core, decide_log
from policies.rulebook import Rulebook
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import AuditConsultation, ClinicalConsultation
from policies.vocabulary.identity import Identity, Subject
from policies.vocabulary.interactions import Delivery, Interaction, Level
from policies.vocabulary.verdict import Permit

MAX_SHOWN_LENGTH = 160
"""Characters of a value on the operator's terminal."""

_HELD = {
    Check.FORM: "a signed JWT of three parts, holding unambiguous JSON",
    Check.ACTIVE: "its issuer, asked about it, says that it is active",
    Check.ISSUER: "the issuer is configured",
    Check.ALGORITHM: "signed with an accepted algorithm",
    Check.KEY: "the issuer publishes the key",
    Check.SIGNATURE: "the signature is right",
    Check.TYPE: "of an accepted type",
    Check.TIMES: "valid now",
    Check.AUDIENCE: "meant for this gateway",
    Check.TOKEN_ID: "has an id (jti)",
    Check.ACCESS_TOKEN: "an access token",
    Check.BINDING: "not bound to a key",
    Check.CLIENT: "names one client",
    Check.SUBJECT: "the subject is usable",
    Check.EHR: "selects one EHR",
}

_SUBJECTS = {
    Subject.PROFESSIONAL: "a professional",
    Subject.PATIENT: "a patient or relative, refused in this release",
    Subject.MACHINE: "no natural person, or none that the token shows, so it is refused",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the explanation."""

    check: str
    passed: bool
    text: str
    undecided: bool = False
    """Not passed only because its issuer could not be asked."""


def explain(
    settings: Settings,
    rules: Rulebook,
    issuers: Issuers,
    token: str,
    clock: Callable[[], float] = time.time,
    introspections: Mapping[str, Introspects] = NOBODY_TO_ASK,
) -> list[Finding]:
    """Every check that held, then the one that failed and why; or, if all held, the identity that the token gives,
    and whether the core rules let it search for results of the patient in context, or search the log.

    The token is checked for the feed that its audience names, if there is one. Accepted exactly if every finding
    passed; the rules of the site, which need a feed and a patient, and a suspension (`policy suspended`), may still
    refuse. Raises nothing of its own.
    """
    listings = Listings(settings.ehr)
    tokens = BearerTokens(listings, issuers, settings.public_base, clock, introspections)
    held: list[Check] = []
    shown = _Shown({}, {}, SIGNED)
    feed = None
    try:
        shown = _shown_by(token, tokens, introspections)
        feed = _feed_named(shown.claims, settings)
        verified = tokens.verify(token, feed, held.append)
    except (TokenInvalid, IssuerUnreachable) as refusal:
        failed = shown.checks[len(held)]
        hint = _hint(failed, shown, listings, settings.public_base, clock())
        text = f"{refusal.text} {hint}" if hint else refusal.text
        undecided = isinstance(refusal, IssuerUnreachable)
        return [*_passed(held, shown), Finding(failed, False, text, undecided)]
    findings = _passed(held, shown)
    try:
        identity = claims.identity(verified)
    except TokenInvalid as refusal:
        return [*findings, Finding("claims", False, refusal.text)]
    feed = feed or settings.feed[0].id
    wants_informed = any(each.patient_informed for each in settings.feed if each.id == feed)
    return [*findings, *_identity(identity), _judged(rules, identity, feed, clock(), wants_informed=wants_informed)]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What can be read of a token before it is judged: in itself, or in its issuer's answer."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    checks: tuple[Check, ...]


def _shown_by(token: str, tokens: BearerTokens, introspections: Mapping[str, Introspects]) -> _Shown:
    """Raises TokenInvalid for what cannot be read. An issuer that cannot be asked shows nothing."""
    issuer = tokens.asked_about(token)
    if issuer is None:
        presented = compact.read(token)
        return _Shown(presented.header, presented.claims, SIGNED)
    asked = introspections.get(issuer.issuer)
    try:
        vouched = asked(token) if asked is not None else None
    except IssuerUnreachable:
        vouched = None
    return _Shown({}, vouched.claims if vouched else {}, INTROSPECTED)


def _passed(held: list[Check], shown: _Shown) -> list[Finding]:
    asked = {Check.FORM: "its issuer is asked about it"} if shown.checks is INTROSPECTED else {}
    return [Finding(check, True, asked.get(check, _HELD[check])) for check in held]


def _identity(identity: Identity) -> list[Finding]:
    client = identity.client
    listed = "listed" if client.listed else "not listed in this EHR"
    renders = "renders only" if client.renders_only else "no structured data"
    purposes = ", ".join(identity.purposes) or "none"
    source = f" ({identity.purpose_source})" if identity.purpose_source else ""
    return [
        Finding("person", True, f"{_shown(identity.person.key)}: {_SUBJECTS[identity.subject]}"),
        Finding("client", True, f"{_shown(client.id)} of ehr '{identity.ehr}': {listed}, {renders}"),
        Finding("scopes", True, " ".join(identity.grants.text) or "none"),
        Finding("unusable types", True, ", ".join(sorted(identity.grants.unusable)) or "none"),
        Finding("launch patient", True, "in context" if identity.launch_patient else "none"),
        Finding("purpose of use", True, purposes + source),
        Finding("auditor", True, "yes" if identity.auditor else "no"),
    ]


def _judged(rules: Rulebook, identity: Identity, feed: str, now: float, *, wants_informed: bool) -> Finding:
    """What the core rules say to a search, as structured data, of any type that is offered."""
    asked = ClinicalConsultation(
        feed, Interaction.SEARCH_TYPE, Level.TYPE, Delivery.STRUCTURED, patient=identity.launch_patient
    )
    hour = datetime.fromtimestamp(now, UTC).hour
    circumstances = Circumstances(hour=hour, type_offered=True, suspended=False, feed_wants_informed=wants_informed)
    verdict = decide_core(rules, identity, asked, circumstances)
    if isinstance(verdict, Permit):
        return Finding("rules", True, "none of the core refuses a search for results")
    if isinstance(decide_log(rules, identity, AuditConsultation(""), suspended=False), Permit):
        return Finding("rules", True, "the log may be searched, but no results")
    return Finding("rules", False, f"a search for results is refused by {', '.join(verdict.rules)}")


def _feed_named(shown: Mapping[str, Any], settings: Settings) -> str | None:
    audience = shown.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    return next((feed.id for feed in settings.feed if f"{settings.public_base}/fhir/{feed.id}" in named), None)


def _hint(check: Check, shown: _Shown, listings: Listings, public_base: str, now: float) -> str:
    """What stands in the token, and what would be accepted."""
    if check in {Check.FORM, Check.ACTIVE}:
        return ""
    header, body = shown.header, shown.claims
    listing = listings.of(body)
    if listing is None:
        configured = sorted({issuer.issuer for issuer in listings.issuers()})
        return f"iss is {_shown(body.get('iss'))}; configured: {_shown(configured)}."
    issuer = listing.issuer
    audiences = list(issuer.audiences) or [f"{public_base}/fhir", f"{public_base}/fhir/<feed asked>"]
    times = ", ".join(f"{name} is {_shown(body.get(name))}" for name in ("iat", "nbf", "exp"))
    client = f"client_id is {_shown(body.get('client_id'))}, azp is {_shown(body.get('azp'))}."
    return {
        Check.ALGORITHM: f"alg is {_shown(header.get('alg'))}; accepted: {_shown(list(issuer.algorithms))}.",
        Check.KEY: f"kid is {_shown(header.get('kid'))}.",
        Check.TYPE: f"typ is {_shown(header.get('typ'))}; accepted: {_shown(list(issuer.types))}.",
        Check.TIMES: f"{times}; now is {now:.0f}.",
        Check.AUDIENCE: f"aud is {_shown(body.get('aud'))}; accepted: {_shown(audiences)}.",
        Check.CLIENT: client,
        Check.EHR: client,
    }.get(check, "")


def _shown(value: object) -> str:
    """Quoted, without anything that a terminal would obey, and bounded."""
    text = ascii(value)
    return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[:MAX_SHOWN_LENGTH]}…"
