"""Whom a verified token speaks for. Every line is a token that some server writes."""

import pytest

from plugin.authentication.credential import BearerToken, LocalOperator
from plugin.errors import TokenInvalid
from policies.vocabulary.identity import Client, Coding, Subject
from policies.vocabulary.purposes import ACT_REASON, PurposeSource
from tests.authentication.pretend_issuer import CLIENT, ISSUER, NOW, ehr, identifier, settings

KEYCLOAK = {"fhirUser": ..., "client_id": ..., "azp": CLIENT, "typ": "Bearer", "acr": "1", "sub": "7c0e-uuid"}
LOGIN = {"sid": "s-1", "auth_time": NOW - 60}
SERVICE = {"clientHost": "10.0.0.1", "clientAddress": "10.0.0.1", "client_id": CLIENT}
NPI = {"extensions": {"ihe_iua": {"national_provider_identifier": "10001234567"}}}


def identified(gate, server, changes, feed="city-lab"):
    return gate.identify(BearerToken(server.token(changes), feed))


SUBJECTS = {
    "SMART practitioner": ({}, "by-claim", Subject.PROFESSIONAL),
    "SMART, absolute": ({"fhirUser": "https://e.example/fhir/Practitioner/1"}, "by-claim", Subject.PROFESSIONAL),
    "SMART role": ({"fhirUser": "PractitionerRole/1"}, "by-claim", Subject.PROFESSIONAL),
    "SMART patient": ({"fhirUser": "Patient/p1"}, "by-claim", Subject.PATIENT),
    "SMART patient, absolute": ({"fhirUser": "https://e.example/Patient/p1"}, "professionals", Subject.PATIENT),
    "SMART relative": ({"fhirUser": "RelatedPerson/r1", **LOGIN}, "professionals", Subject.PATIENT),
    "SMART person": ({"fhirUser": "Person/r1"}, "by-claim", Subject.PATIENT),
    "patient with a number": ({"fhirUser": "Patient/p1", **NPI}, "by-claim", Subject.PATIENT),
    "tricky path": ({"fhirUser": "https://e.example/Practitioner/1/Patient/p1"}, "by-claim", Subject.PATIENT),
    "IUA number": ({"fhirUser": ..., **NPI}, "by-claim", Subject.PROFESSIONAL),
    "IUA machine": ({"sub": CLIENT, **NPI}, "by-claim", Subject.MACHINE),
    "nobody shown": ({"fhirUser": ...}, "by-claim", Subject.MACHINE),
    "no subject": ({"sub": ...}, "by-claim", Subject.MACHINE),
    "subject is the client": ({"sub": CLIENT}, "professionals", Subject.MACHINE),
    "Keycloak person": ({**KEYCLOAK, **LOGIN}, "professionals", Subject.PROFESSIONAL),
    "Keycloak person, sid only": ({**KEYCLOAK, "sid": "s-1"}, "professionals", Subject.PROFESSIONAL),
    "Keycloak person by claim": ({**KEYCLOAK, **LOGIN}, "by-claim", Subject.MACHINE),
    "Keycloak service account": ({**KEYCLOAK, **SERVICE}, "professionals", Subject.MACHINE),
    "Keycloak service account called a practitioner": (
        {**SERVICE, "azp": CLIENT, "sub": "7c0e-uuid", "fhirUser": "Practitioner/robot"},
        "by-claim",
        Subject.MACHINE,
    ),
    "the same, without its address": (
        {"jti": "trrtcc:3a0f", "azp": CLIENT, "sub": "7c0e-uuid", "fhirUser": "Practitioner/robot"},
        "by-claim",
        Subject.MACHINE,
    ),
    "Keycloak person by jti": (
        {"jti": "onrtac:3a0f", "azp": CLIENT, "sub": "7c0e-uuid", "fhirUser": "Practitioner/dr-roy"},
        "by-claim",
        Subject.PROFESSIONAL,
    ),
    "Keycloak lightweight": ({**KEYCLOAK, "sub": ..., "sid": "s-1"}, "professionals", Subject.MACHINE),
    "service account by name": (
        {**KEYCLOAK, **LOGIN, "preferred_username": "service-account-batch"},
        "professionals",
        Subject.MACHINE,
    ),
    "introspected name": ({"username": "Service-Account-batch"}, "by-claim", Subject.MACHINE),
    "Auth0 m2m": ({"sub": "abc@clients", "gty": "client-credentials"}, "professionals", Subject.MACHINE),
    "Auth0 m2m, list": ({"gty": ["password", "client-credentials"]}, "by-claim", Subject.MACHINE),
    "Auth0 m2m RFC 9068": ({"sub": "abc@clients", "fhirUser": ...}, "professionals", Subject.MACHINE),
    "grant_type": ({"grant_type": "client_credentials"}, "by-claim", Subject.MACHINE),
    "system scopes only": ({"scope": "system/Observation.rs"}, "by-claim", Subject.MACHINE),
    "an empty login": ({"fhirUser": ..., "sid": "", "auth_time": True}, "professionals", Subject.MACHINE),
}


@pytest.mark.parametrize("case", SUBJECTS)
def test_the_kind_of_subject_is_told_from_marks_and_denied_by_their_absence(server, clock, case):
    """Nobody reads without a natural person; a machine is identified all the same, to be refused by name."""
    changes, subjects, expected = SUBJECTS[case]
    gate = identifier(settings(subjects=subjects), server, clock)
    assert identified(gate, server, changes).subject is expected


def test_a_machine_without_sub_goes_by_its_client(gate, server):
    """Its refusal is recorded under some name."""
    assert identified(gate, server, {"sub": ...}).person.key == f"{ISSUER} {CLIENT}"


def test_the_iua_extension_describes_the_person_and_its_person_id_does_not(gate, server):
    """person_id is the patient whose data is asked for, whatever BALP makes of it."""
    iua = {
        "subject_name": "Dr Alma\u00a0Roy\u202e\x00",
        "subject_organization": "Clinique\nNord",
        "subject_organization_id": "urn:oid:1.2.250.1.999.1",
        "subject_role": [
            {"system": "urn:oid:2.16.840.1.113883.6.96", "code": "309343006", "display": "Physician"},
            {"code": "no system"},
        ],
        "national_provider_identifier": "10001234567",
        "person_id": "p9^^^&1.2.250.1.999.2&ISO",
    }
    identity = identified(gate, server, {"extensions": {"ihe_iua": iua}, "acr": "eidas2"})
    person = identity.person
    assert (person.name, person.organisation) == ("Dr Alma Roy", "Clinique Nord")
    assert person.organisation_id == "urn:oid:1.2.250.1.999.1"
    assert person.roles == (Coding("urn:oid:2.16.840.1.113883.6.96", "309343006", "Physician"),)
    assert (person.national_identifier, person.assurance) == ("10001234567", "eidas2")
    assert identity.launch_patient == "p1"
    assert "p9" not in repr(identity)


def test_a_long_name_is_cut(gate, server):
    """It describes; a record need not carry a novel."""
    identity = identified(gate, server, {"extensions": {"ihe_iua": {"subject_name": "x" * 3000}}})
    assert identity.person.name == "x" * 256


def purpose(value):
    return {"extensions": {"ihe_iua": {"purpose_of_use": value}}}


@pytest.mark.parametrize(
    ("changes", "codes", "source"),
    [
        ({}, ("TREAT",), PurposeSource.CLIENT_DEFAULT),
        (purpose([]), ("TREAT",), PurposeSource.CLIENT_DEFAULT),
        (purpose([{"system": ACT_REASON, "code": "COC"}]), ("COC",), PurposeSource.CLAIM),
        (purpose([{"system": "urn:oid:2.16.840.1.113883.5.8", "code": "COC"}]), ("COC",), PurposeSource.CLAIM),
        (purpose([{"system": "http://hl7.org/fhir/v3/ActReason", "code": "COC"}]), ("COC",), PurposeSource.CLAIM),
        (purpose([{"system": ACT_REASON, "code": "TREAT"}, "HMARKT"]), ("TREAT", "HMARKT"), PurposeSource.CLAIM),
        (purpose(["TREAT", {"code": "TREAT"}]), ("TREAT",), PurposeSource.CLAIM),
        (purpose("BTG"), ("BTG",), PurposeSource.CLAIM),
        ({"client_id": "unlisted"}, (), None),
    ],
)
def test_the_purpose_is_the_claims_else_the_clients_default_else_none(gate, server, changes, codes, source):
    """Each claimed purpose must be permitted later, so all are kept."""
    identity = identified(gate, server, changes)
    assert (identity.purposes, identity.purpose_source) == (codes, source)


@pytest.mark.parametrize(
    "value",
    [
        [{"system": "urn:oid:1.0.14265.1", "code": "TREAT"}],
        [{"system": ACT_REASON}],
        [{}],
        [7],
        [""],
        ["TREAT TREAT"],
        ["T" * 40],
        ["TREAT"] * 17,
    ],
)
def test_a_purpose_that_is_not_of_the_vocabulary_refuses_the_token(gate, server, value):
    """A code of another system may mean anything."""
    with pytest.raises(TokenInvalid) as caught:
        identified(gate, server, purpose(value))
    assert caught.value.verified_subject


def test_scopes_are_read_as_a_string_or_a_list_and_may_be_absent(gate, server):
    """An empty grant is possible, and grants nothing."""
    assert identified(gate, server, {"scope": ["launch", "user/*.read"]}).grants.text == ("launch", "user/*.read")
    assert identified(gate, server, {"scope": ...}).grants.grants == ()


@pytest.mark.parametrize("blank", ["\t", "\n", "\u00a0", "\u2003"])
def test_only_a_space_separates_scopes(gate, server, blank):
    """RFC 6749 3.3: a server that let another blank through meant one word, and no grant of what stands behind it."""
    with pytest.raises(TokenInvalid):
        identified(gate, server, {"scope": f"openid{blank}patient/Observation.rs"})
    assert identified(gate, server, {"scope": " openid  launch "}).grants.text == ("openid", "launch")


def test_a_listed_client_brings_its_ehr_and_its_promise(server, clock):
    """Several hospitals may share an identity provider; the client tells whose patients are meant."""
    configured = settings(ehr("hospital"), ehr("clinic", client=[{"id": "clinic-pane"}]))
    gate = identifier(configured, server, clock)
    assert identified(gate, server, {}).client == Client(CLIENT, renders_only=True)
    clinic = identified(gate, server, {"client_id": "clinic-pane"})
    assert (clinic.ehr, clinic.client, clinic.purposes) == ("clinic", Client("clinic-pane"), ())


def test_an_unlisted_client_is_known_where_only_one_ehr_lists_the_issuer(server, clock, gate):
    """Else it would select nobody's patients, and is refused by name."""
    identity = identified(gate, server, {"client_id": "unlisted"})
    assert (identity.ehr, identity.client) == ("hospital", Client("unlisted", renders_only=False, listed=False))
    two = identifier(settings(ehr("hospital"), ehr("clinic", client=[])), server, clock)
    with pytest.raises(TokenInvalid) as caught:
        identified(two, server, {"client_id": "unlisted"})
    assert caught.value.verified_subject == f"{ISSUER} u-123 unlisted"


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["nurse", "auditor"], True),
        ("auditor", True),
        (["nurse"], False),
        ("auditors", False),
        (..., False),
        ({"auditor": True}, False),
        ([["auditor"]], False),
    ],
)
def test_an_auditor_is_who_the_ehr_says(server, clock, roles, expected):
    """Nobody reads the log by default."""
    configured = settings(ehr("hospital", auditors={"claim": "roles", "values": ["auditor"]}))
    gate = identifier(configured, server, clock)
    assert identified(gate, server, {"roles": roles}, None).auditor is expected


def test_nobody_is_an_auditor_by_default(gate, server):
    """Deny by absence."""
    assert not identified(gate, server, {"roles": ["auditor"]}).auditor


def test_the_local_operator_belongs_to_no_ehr_and_sees_no_patient(gate):
    """The command line reads the log, never a feed."""
    identity = gate.identify(LocalOperator("root", 0))
    assert identity.person.key == "urn:vitrine:local-operator 0"
    assert (identity.subject, identity.auditor, identity.ehr) == (Subject.OPERATOR, True, "")
    assert (identity.purposes, identity.purpose_source) == (("HSYSADMIN",), PurposeSource.OPERATOR)
    assert identity.grants.grants == ()
    assert identity.launch_patient is None
