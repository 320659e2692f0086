"""Claims of other dialects: IUA, Pro Santé Connect, and a table of the deployer's own."""

import pytest

from plugin.authentication.credential import BearerToken
from plugin.errors import TokenInvalid
from policies.vocabulary.identity import Coding, Subject
from policies.vocabulary.purposes import ACT_REASON
from tests.authentication.pretend_issuer import identifier, settings

PERSON_ID = "286080^^^&1.2.250.1.213.1.4.8&ISO"
IUA = {
    "subject_name": "Dr Alma Roy",
    "subject_organization": "Clinique Nord",
    "subject_organization_id": "urn:oid:1.2.250.1.999.1",
    "subject_role": [{"system": "urn:oid:2.16.840.1.113883.6.96", "code": "309343006"}],
    "purpose_of_use": [{"system": ACT_REASON, "code": "TREAT"}],
    "home_community_id": "urn:oid:1.2.3.4",
    "national_provider_identifier": "899700218896",
    "person_id": PERSON_ID,
}
PSC = {
    "fhirUser": ...,
    "SubjectNameID": "899700218896",
    "preferred_username": "899700218896",
    "given_name": "Alma",
    "family_name": "ROY",
    "SubjectRole": ["10^1.2.250.1.213.1.1.5.5"],
    "SubjectOrganization": "Clinique Nord",
    "SubjectOrganizationID": "1230000012",
    "acr": "eidas1",
}


def identified(server, clock, claims, changes, **issuer):
    gate = identifier(settings(claims=claims, **issuer), server, clock)
    return gate.identify(BearerToken(server.token(changes), "city-lab"))


def extended(**changes):
    extension = {name: value for name, value in {**IUA, **changes}.items() if value is not ...}
    return {"fhirUser": ..., "extensions": {"ihe_iua": extension}}


def test_an_iua_token_describes_person_purpose_and_whose_data_is_asked_for(server, clock):
    """IUA's person_id is kept apart: it counts only where a feed is matched by claim, and is in no repr."""
    identity = identified(server, clock, "iua", extended())
    assert identity.subject is Subject.PROFESSIONAL
    assert (identity.person.national_identifier, identity.person.name) == ("899700218896", "Dr Alma Roy")
    assert identity.person.roles == (Coding("urn:oid:2.16.840.1.113883.6.96", "309343006", None),)
    assert identity.purposes == ("TREAT",)
    assert identity.person_id == PERSON_ID
    assert PERSON_ID not in repr(identity)


@pytest.mark.parametrize(
    "changes",
    [
        {"extensions": ...},
        {"extensions": {"ihe_iua": {}}},
        {"extensions": {"ihe_iua": "x"}},
        {"extensions": []},
        extended(purpose_of_use=["TREAT"]),
        extended(purpose_of_use=[{"code": "TREAT"}]),
        extended(person_id={"id": 1}),
        extended(person_id="two\nlines"),
        extended(person_id="x" * 200),
        extended(national_provider_identifier=" 8997"),
        extended(home_community_id=7),
        extended(subject_role=["309343006"]),
        extended(subject_role=[IUA["subject_role"][0]] * 17),
    ],
)
def test_an_iua_token_that_is_not_understood_is_refused(server, clock, changes):
    """A half-read token would give a person without their purpose, or a patient who is not meant."""
    with pytest.raises(TokenInvalid):
        identified(server, clock, "iua", changes)


def test_a_pro_sante_connect_token_names_a_professional(server, clock):
    """The national number makes the person one; roles are codes with the OID of their system."""
    identity = identified(server, clock, "pro-sante-connect", PSC)
    person = identity.person
    assert identity.subject is Subject.PROFESSIONAL
    assert (person.national_identifier, person.name, person.assurance) == ("899700218896", "Alma ROY", "eidas1")
    assert person.roles == (Coding("urn:oid:1.2.250.1.213.1.1.5.5", "10", None),)
    assert (person.organisation, person.organisation_id) == ("Clinique Nord", "1230000012")


def test_a_pro_sante_connect_token_without_number_names_no_professional(server, clock):
    """Deny by absence: a login alone is no national identity."""
    changes = {**PSC, "SubjectNameID": ..., "preferred_username": "someone"}
    assert identified(server, clock, "pro-sante-connect", changes).subject is Subject.MACHINE


@pytest.mark.parametrize(
    "changes",
    [
        {"preferred_username": "899700218897"},
        {"SubjectNameID": 899700218896},
        {"SubjectRole": ["10"]},
        {"SubjectRole": ["10^x"]},
        {"SubjectRole": [{"code": "10"}]},
        {"given_name": ["Alma"]},
    ],
)
def test_a_pro_sante_connect_token_that_is_not_understood_is_refused(server, clock, changes):
    """Two numbers are two people."""
    with pytest.raises(TokenInvalid):
        identified(server, clock, "pro-sante-connect", {**PSC, **changes})


TABLE = {
    "scope": ["access", "scopes"],
    "patient": ["context", "patient"],
    "name": "display",
    "national_identifier": "rpps",
    "roles": ["access", "roles"],
    "role_system": "https://site.example/roles",
    "organisation": "site",
    "purposes": "why",
    "person_id": ["context", "ins"],
}
OWN = {
    "fhirUser": ...,
    "patient": "not-read",
    "scope": "user/*.rs",
    "access": {"scopes": ["patient/Observation.rs"], "roles": ["doctor"]},
    "context": {"patient": "p7", "ins": PERSON_ID},
    "display": "Dr Roy",
    "rpps": "10001234567",
    "site": "North",
    "why": "TREAT",
}


def test_a_table_reads_where_it_says_and_nowhere_else(server, clock):
    """A site's own claims; what the table does not name is not read, though it has a standard's name."""
    identity = identified(server, clock, TABLE, OWN)
    assert identity.grants.text == ("patient/Observation.rs",)
    assert (identity.launch_patient, identity.person_id) == ("p7", PERSON_ID)
    assert identity.person.roles == (Coding("https://site.example/roles", "doctor", None),)
    assert (identity.person.name, identity.person.organisation) == ("Dr Roy", "North")
    assert (identity.subject, identity.purposes) == (Subject.PROFESSIONAL, ("TREAT",))
    assert identified(server, clock, {}, OWN).launch_patient is None


@pytest.mark.parametrize("changes", [{"access": "x"}, {"context": {"patient": "../p7"}}, {"rpps": 1}, {"why": ["a b"]}])
def test_claims_of_a_table_that_are_not_understood_refuse_the_token(server, clock, changes):
    """The same care as for the named maps."""
    with pytest.raises(TokenInvalid):
        identified(server, clock, TABLE, {**OWN, **changes})
