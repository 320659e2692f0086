"""What the claims of one kind of issuer say: `smart`, `iua`, `pro-sante-connect`, or a table of the deployer's own.

A claim map is a function from verified claims to `Described`. What a description amounts to (person, patient or
machine, which scopes) is judged in `claims`, for all maps alike.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plugin.authentication import claim_reading as read
from plugin.errors import TokenInvalid
from plugin.settings.ehr import ClaimTable, Issuer
from policies.vocabulary.identity import Coding, Person
from policies.vocabulary.purposes import ACT_REASON_NAMES


@dataclass(frozen=True, slots=True)
class Described:
    """What a claim map makes of a token's claims."""

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
    assurance: str | None = None
    person_id: str | None = None
    """The patient whose data is asked for, by an identifier and not by an id at the EHR. It says nothing of the user,
    whatever BALP makes of it, and counts only where a feed is matched by claim."""

    def person(self, issuer: str, subject: str, name: str | None = None) -> Person:
        """Whom it describes; `name` where no claim that the map knows tells it."""
        return Person(
            issuer=issuer,
            subject=subject,
            name=self.name or name,
            fhir_user=self.fhir_user,
            national_identifier=self.national_identifier,
            roles=self.roles,
            organisation=self.organisation,
            organisation_id=self.organisation_id,
            assurance=self.assurance,
        )


ClaimMap = Callable[[Mapping[str, Any]], Described]


def described(claims: Mapping[str, Any], issuer: Issuer) -> Described:
    """What the claims of a token of `issuer` say. Raises TokenInvalid for one that is present and not understood."""
    if isinstance(issuer.claims, ClaimTable):
        return by_table(claims, issuer.claims)
    return CLAIM_MAPS[issuer.claims](claims)


def smart(claims: Mapping[str, Any]) -> Described:
    """SMART App Launch 2.2 claims, and IUA's `extensions.ihe_iua` where present."""
    extension = read.table(read.table(claims.get("extensions")).get("ihe_iua"))
    return _iua_described(claims, extension, read.purpose_codes(extension.get("purpose_of_use")))


def iua(claims: Mapping[str, Any]) -> Described:
    """IHE IUA 2.4: `extensions.ihe_iua` must be there, and its purposes are Codings of v3-ActReason as IUA has them.

    `patient` and `fhirUser` are read as well: an IUA server that also speaks SMART names the patient in context so.
    """
    extension = read.table(read.table(claims.get("extensions")).get("ihe_iua"))
    if not extension:
        raise TokenInvalid("The access token has no IUA extension (extensions.ihe_iua).")
    read.identifier(extension.get("home_community_id"))  # of the asking community: its form is checked, no rule uses it
    purposes = read.purpose_codes(extension.get("purpose_of_use"), systems=ACT_REASON_NAMES)
    return _iua_described(claims, extension, purposes)


def _iua_described(claims: Mapping[str, Any], extension: Mapping[str, Any], purposes: tuple[str, ...]) -> Described:
    fhir_user, user_type = read.fhir_user(claims.get("fhirUser"))
    return Described(
        scope=claims.get("scope"),
        launch_patient=read.patient_id(claims.get("patient")),
        fhir_user=fhir_user,
        user_type=user_type,
        name=read.text(extension.get("subject_name")),
        national_identifier=read.identifier(extension.get("national_provider_identifier")),
        roles=read.codings(extension.get("subject_role")),
        organisation=read.text(extension.get("subject_organization")),
        organisation_id=read.text(extension.get("subject_organization_id")),
        purposes=purposes,
        assurance=read.text(claims.get("acr")),
        person_id=read.identifier(extension.get("person_id")),
    )


_PSC_CODE = re.compile(r"([A-Za-z0-9.\-/]{1,32})\^([0-9]+(?:\.[0-9]+)+)")
"""`code^OID of its code system`, as in `10^1.2.250.1.213.1.1.5.5`."""


def pro_sante_connect(claims: Mapping[str, Any]) -> Described:
    """Pro Santé Connect: its user information, as the site's server passes it on in access tokens of its own.

    `SubjectNameID` is the national number, with the digit of its kind before it, and `preferred_username` says the
    same; where they differ the token is refused. Of several organisations only one that the token itself names is
    recorded: `SubjectRefPro` lists all and does not say for which the person works now.
    """
    fhir_user, user_type = read.fhir_user(claims.get("fhirUser"))
    number, login = (read.identifier(claims.get(name)) for name in ("SubjectNameID", "preferred_username"))
    if number is not None and login not in (None, number):
        raise TokenInvalid("The access token names two professionals.")
    names = [read.text(claims.get(name)) for name in ("given_name", "family_name")]
    return Described(
        scope=claims.get("scope"),
        launch_patient=read.patient_id(claims.get("patient")),
        fhir_user=fhir_user,
        user_type=user_type,
        name=read.text(" ".join(filter(None, names))),
        national_identifier=number,
        roles=tuple(_psc_role(value) for value in read.bounded_list(claims.get("SubjectRole"))),
        organisation=read.text(claims.get("SubjectOrganization")),
        organisation_id=read.text(claims.get("SubjectOrganizationID")),
        purposes=read.purpose_codes(claims.get("purpose_of_use")),
        assurance=read.text(claims.get("acr")),
    )


def _psc_role(value: object) -> Coding:
    found = _PSC_CODE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise TokenInvalid("A role of the access token is not written as code^OID.")
    return Coding(f"urn:oid:{found[2]}", found[1])


def by_table(claims: Mapping[str, Any], table: ClaimTable) -> Described:
    """Claims of the deployer's own, where `table` says that they are."""
    fhir_user, user_type = read.fhir_user(read.at(claims, table.fhir_user))
    return Described(
        scope=read.at(claims, table.scope),
        launch_patient=read.patient_id(read.at(claims, table.patient)),
        fhir_user=fhir_user,
        user_type=user_type,
        name=read.text(read.at(claims, table.name)),
        national_identifier=read.identifier(read.at(claims, table.national_identifier)),
        roles=read.codings(read.at(claims, table.roles), system=table.role_system),
        organisation=read.text(read.at(claims, table.organisation)),
        organisation_id=read.text(read.at(claims, table.organisation_id)),
        purposes=read.purpose_codes(read.at(claims, table.purposes)),
        assurance=read.text(read.at(claims, table.assurance)),
        person_id=read.identifier(read.at(claims, table.person_id)),
    )


CLAIM_MAPS: dict[str, ClaimMap] = {"smart": smart, "iua": iua, "pro-sante-connect": pro_sante_connect}
