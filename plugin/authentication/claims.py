"""Reads verified claims into an Identity: who, on whose behalf, with which scopes, about whom, what for.

A claim map is a function from claims to `Described`; what a description amounts to (person, patient or machine) is
judged here for all of them alike. What is absent stays absent; what is present in a shape that nobody understands
refuses the token.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plugin.authentication.bearer_token import VerifiedToken
from plugin.errors import TokenInvalid
from plugin.settings.ehr import Auditors, ClientSettings, Issuer
from policies.vocabulary import scopes
from policies.vocabulary.identity import Client, Coding, Identity, Person, Subject
from policies.vocabulary.purposes import ACT_REASON, PurposeSource

MAX_TEXT_LENGTH = 256
"""Characters of a name or an organisation in the record; the rest is cut, since it describes and does not identify."""

MAX_LIST_LENGTH = 16
"""Roles or purposes. People have a few."""

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_FHIR_USER = re.compile(
    r"(?:https?://[^\s?#]+/)?(Patient|RelatedPerson|Person|PractitionerRole|Practitioner)/[A-Za-z0-9\-.]{1,64}"
    r"(?:/_history/[A-Za-z0-9\-.]{1,64})?"
)
_PURPOSE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_SCOPE = re.compile(r"[\x21-\x7e]+")
"""RFC 6749 3.3, without its finer exclusions: visible ASCII."""

PATIENT_USERS = frozenset({"Patient", "RelatedPerson", "Person"})
PROFESSIONAL_USERS = frozenset({"Practitioner", "PractitionerRole"})

SERVICE_ACCOUNT_PREFIX = "service-account-"
"""Keycloak's user name for a client that logs in as itself."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a claim map makes of the claims of one kind of issuer."""

    scope: object
    launch_patient: str | None = None
    fhir_user: str | None = None
    user_type: str | None = None
    """The resource type that `fhir_user` names."""
    name: str | None = None
    national_identifier: str | None = None
    roles: tuple[Coding, ...] = ()
    organisation: str | None = None
    organisation_id: str | None = None
    purposes: tuple[str, ...] = ()


ClaimMap = Callable[[Mapping[str, Any]], Described]


def identity(verified: VerifiedToken) -> Identity:
    """Whom a verified token speaks for. Raises TokenInvalid for claims that are present and not understood."""
    claims, listing = verified.claims, verified.listing
    described = CLAIM_MAPS[listing.issuer.claims](claims)
    grants = _grants(described.scope)
    purposes, source = _purposes(described.purposes, listing.client)
    return Identity(
        ehr=listing.ehr.id,
        subject=_subject(claims, verified.client_id, described, grants, listing.issuer),
        # A token without `sub` speaks for its client (IUA 2.4: then sub = client_id).
        person=Person(
            issuer=listing.issuer.issuer,
            subject=claims.get("sub") or verified.client_id,
            name=described.name,
            fhir_user=described.fhir_user,
            national_identifier=described.national_identifier,
            roles=described.roles,
            organisation=described.organisation,
            organisation_id=described.organisation_id,
            assurance=_text(claims, "acr"),
        ),
        client=Client(
            verified.client_id,
            renders_only=listing.client is not None and listing.client.renders_only,
            listed=listing.client is not None,
        ),
        grants=grants,
        launch_patient=described.launch_patient,
        purposes=purposes,
        purpose_source=source,
        token_reference=f"urn:ietf:params:oauth:jti:{claims['jti']}",
        expires_at=verified.expires_at,
        auditor=_is_auditor(claims, listing.ehr.auditors),
    )


def smart(claims: Mapping[str, Any]) -> Described:
    """SMART App Launch 2.2 claims, and IUA 2.4's `extensions.ihe_iua` where present.

    `person_id` of IUA is the patient whose data is asked for, and no description of the user: it is ignored here.
    """
    patient = claims.get("patient")
    if patient is not None and not (isinstance(patient, str) and _FHIR_ID.fullmatch(patient)):
        raise TokenInvalid("The patient claim of the access token is not a FHIR id.")
    fhir_user, user_type = _fhir_user(claims.get("fhirUser"))
    iua = _table(_table(claims, "extensions"), "ihe_iua")
    return Described(
        scope=claims.get("scope"),
        launch_patient=patient,
        fhir_user=fhir_user,
        user_type=user_type,
        name=_text(iua, "subject_name"),
        national_identifier=_text(iua, "national_provider_identifier"),
        roles=_codings(iua.get("subject_role")),
        organisation=_text(iua, "subject_organization"),
        organisation_id=_text(iua, "subject_organization_id"),
        purposes=_purpose_codes(iua.get("purpose_of_use")),
    )


CLAIM_MAPS: dict[str, ClaimMap] = {"smart": smart}


def _subject(
    claims: Mapping[str, Any], client_id: str, described: Described, grants: scopes.Grants, issuer: Issuer
) -> Subject:
    """Design section 6, natural person. Marks of a machine and of a patient count before those of a professional."""
    if claims.get("sub") in (None, client_id) or _logged_in_as_client(claims) or grants.only_system:
        return Subject.MACHINE
    if described.user_type in PATIENT_USERS:
        return Subject.PATIENT
    if described.user_type in PROFESSIONAL_USERS or described.national_identifier:
        return Subject.PROFESSIONAL
    # A Keycloak service account has a `sub` unlike its client id, but no login to show.
    if issuer.subjects == "professionals" and _shows_login(claims):
        return Subject.PROFESSIONAL
    return Subject.MACHINE


def _logged_in_as_client(claims: Mapping[str, Any]) -> bool:
    grants = [grant for name in ("gty", "grant_type") for grant in _as_list(claims.get(name))]
    if any(isinstance(grant, str) and grant.lower().replace("-", "_") == "client_credentials" for grant in grants):
        return True
    names = (claims.get("username"), claims.get("preferred_username"))
    return any(isinstance(name, str) and name.lower().startswith(SERVICE_ACCOUNT_PREFIX) for name in names)


def _shows_login(claims: Mapping[str, Any]) -> bool:
    at, session = claims.get("auth_time"), claims.get("sid")
    at_a_time = isinstance(at, int | float) and not isinstance(at, bool) and at > 0
    return at_a_time or (isinstance(session, str) and session != "")


def _grants(scope: object) -> scopes.Grants:
    # RFC 6749 3.3: spaces alone separate; a word with another blank in it is not understood.
    words = [word for word in scope.split(" ") if word] if isinstance(scope, str) else [] if scope is None else scope
    if not isinstance(words, list) or not all(isinstance(word, str) and _SCOPE.fullmatch(word) for word in words):
        raise TokenInvalid("The scopes of the access token are not understood.")
    try:
        return scopes.parse(words)
    except ValueError as error:
        raise TokenInvalid("The scopes of the access token are not understood.") from error


def _purposes(claimed: tuple[str, ...], client: ClientSettings | None) -> tuple[tuple[str, ...], PurposeSource | None]:
    if claimed:
        return claimed, PurposeSource.CLAIM
    if client is not None and client.default_purpose is not None:
        return (client.default_purpose,), PurposeSource.CLIENT_DEFAULT
    return (), None


def _is_auditor(claims: Mapping[str, Any], auditors: Auditors | None) -> bool:
    if auditors is None:
        return False
    return any(isinstance(value, str) and value in auditors.values for value in _as_list(claims.get(auditors.claim)))


def _fhir_user(value: object) -> tuple[str | None, str | None]:
    """The reference, and the type that its path names."""
    if value is None:
        return None, None
    found = _FHIR_USER.fullmatch(value) if isinstance(value, str) and len(value) <= 1024 else None
    if found is None or not found.group().isprintable():
        raise TokenInvalid("The fhirUser claim of the access token is not understood.")
    return found.group(), found.group(1)


def _purpose_codes(value: object) -> tuple[str, ...]:
    """Codes of v3-ActReason, bare or as Codings, each once. One of another system would be mistaken for one of ours."""
    codes: list[str] = []
    for item in _bounded_list(value):
        code = item
        if isinstance(item, dict):
            code = item.get("code") if item.get("system") in (None, ACT_REASON) else None
        if not isinstance(code, str) or not _PURPOSE.fullmatch(code):
            raise TokenInvalid("The purpose of use of the access token is not understood.")
        if code not in codes:
            codes.append(code)
    return tuple(codes)


def _codings(value: object) -> tuple[Coding, ...]:
    """Roles. One without system or code says nothing that a rule could use, and is left out."""
    codings = []
    for item in _bounded_list(value):
        if not isinstance(item, dict):
            raise TokenInvalid("A claim of the access token has an unknown form.")
        system, code = _text(item, "system"), _text(item, "code")
        if system and code:
            codings.append(Coding(system, code, _text(item, "display")))
    return tuple(codings)


def _bounded_list(value: object) -> list[Any]:
    items = _as_list(value)
    if len(items) > MAX_LIST_LENGTH:
        raise TokenInvalid("A claim of the access token has too many values.")
    return items


def _as_list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TokenInvalid("A claim of the access token has an unknown form.")
    return value


def _text(table: Mapping[str, Any], name: str) -> str | None:
    """A describing text: invisible characters removed, bounded; None if nothing is left."""
    value = table.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise TokenInvalid("A claim of the access token has an unknown form.")
    visible = "".join(" " if character.isspace() else character for character in value if _is_kept(character))
    return visible.strip()[:MAX_TEXT_LENGTH] or None


def _is_kept(character: str) -> bool:
    return character.isprintable() or character.isspace()
