"""Reads verified claims into an Identity: who, on whose behalf, with which scopes, about whom, what for.

Where an issuer's claims say what is in `claim_maps`; what they amount to (person, patient or machine) is judged here.
What is absent stays absent; what is present in a shape that nobody understands refuses the token.
"""

import re
from collections.abc import Mapping
from typing import Any

from plugin.authentication import claim_maps
from plugin.authentication.claim_maps import Described
from plugin.authentication.claim_reading import as_list
from plugin.authentication.token_checks import VerifiedToken
from plugin.errors import TokenInvalid
from plugin.settings.ehr import Auditors, ClientSettings, Issuer
from policies.vocabulary import scopes
from policies.vocabulary.identity import Client, Identity, Subject
from policies.vocabulary.purposes import PurposeSource

_SCOPE = re.compile(r"[\x21-\x7e]+")
"""RFC 6749 3.3, without its finer exclusions: visible ASCII."""

PATIENT_USERS = frozenset({"Patient", "RelatedPerson", "Person"})
PROFESSIONAL_USERS = frozenset({"Practitioner", "PractitionerRole"})

SERVICE_ACCOUNT_PREFIX = "service-account-"
"""Keycloak's user name for a client that logs in as itself."""

_CLIENT_MEMBERS = frozenset({"clientHost", "clientAddress"})
"""Keycloak tells these of a client that logs in as itself, and of nobody else."""

_CLIENT_CREDENTIALS_ID = re.compile(r"[a-z]{4}cc:.*", re.DOTALL)
"""How its `jti` begins then: two letters each for the session, the form of the token, and the grant (`trrtcc:…`)."""


def identity(verified: VerifiedToken) -> Identity:
    """Whom a verified token speaks for. Raises TokenInvalid for claims that are present and not understood."""
    claims, listing = verified.claims, verified.listing
    described = claim_maps.described(claims, listing.issuer)
    grants = granted(described.scope)
    purposes, source = _purposes(described.purposes, listing.client)
    return Identity(
        ehr=listing.ehr.id,
        subject=kind_of_subject(claims, verified.client_id, described, grants, listing.issuer),
        # A token without `sub` speaks for its client (IUA 2.4: then sub = client_id).
        person=described.person(listing.issuer.issuer, claims.get("sub") or verified.client_id),
        client=Client(
            verified.client_id,
            renders_only=listing.client is not None and listing.client.renders_only,
            listed=listing.client is not None,
        ),
        grants=grants,
        launch_patient=described.launch_patient,
        purposes=purposes,
        purpose_source=source,
        token_reference=verified.reference,
        expires_at=verified.expires_at,
        auditor=_is_auditor(claims, listing.ehr.auditors),
        person_id=described.person_id,
    )


def kind_of_subject(
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
    grants = [grant for name in ("gty", "grant_type") for grant in as_list(claims.get(name))]
    if any(isinstance(grant, str) and grant.lower().replace("-", "_") == "client_credentials" for grant in grants):
        return True
    # A service account may be given any attribute of a person, even a `fhirUser`.
    token_id = claims.get("jti")
    if _CLIENT_MEMBERS & claims.keys() or (isinstance(token_id, str) and _CLIENT_CREDENTIALS_ID.fullmatch(token_id)):
        return True
    names = (claims.get("username"), claims.get("preferred_username"))
    return any(isinstance(name, str) and name.lower().startswith(SERVICE_ACCOUNT_PREFIX) for name in names)


def _shows_login(claims: Mapping[str, Any]) -> bool:
    at, session = claims.get("auth_time"), claims.get("sid")
    at_a_time = isinstance(at, int | float) and not isinstance(at, bool) and at > 0
    return at_a_time or (isinstance(session, str) and session != "")


def granted(scope: object) -> scopes.Grants:
    """What a `scope` grants, claim or member. Raises TokenInvalid where it is not understood."""
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
    return any(isinstance(value, str) and value in auditors.values for value in as_list(claims.get(auditors.claim)))
