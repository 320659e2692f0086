"""What an operator is told about a token."""

import pytest

from plugin.authentication.explain import explain
from plugin.authentication.issuers import Issuers
from plugin.authentication.token_checks import Check
from policies.rulebook import load
from tests.authentication.pretend_issuer import NOW, settings


@pytest.fixture
def told(server, clock):
    configured = settings()
    issuers = Issuers([issuer for one in configured.ehr for issuer in one.issuer], server, clock)
    rules = load(None, unlabelled_documents="withhold")
    return lambda token: explain(configured, rules, issuers, token, clock)


def test_a_good_token_is_explained_down_to_its_scopes(told, server):
    """The operator sees what the gateway makes of it, and no part of the token itself."""
    token = server.token({"aud": "https://vitrine.hospital.example/fhir/imaging"})
    findings = told(token)
    assert all(finding.passed for finding in findings)
    lines = {finding.check: finding.text for finding in findings}
    assert lines["scopes"] == "openid fhirUser patient/Observation.rs"
    assert "a professional" in lines["person"]
    assert lines["purpose of use"] == "TREAT (client-default)"
    assert not any(part in repr(findings) for part in token.split("."))


@pytest.mark.parametrize(
    ("fault", "check", "hint"),
    [
        (({"iss": "https://evil.example\x1b[2J"}, {}), Check.ISSUER, "https://login.hospital.example"),
        (({}, {"alg": "HS256"}), Check.ALGORITHM, "'RS256', 'ES256'"),
        (({}, {"kid": "k9"}), Check.KEY, "'k9'"),
        (({}, {"typ": "JWT"}), Check.TYPE, "typ is 'JWT'; accepted: ['at+jwt']"),
        (({"exp": NOW - 100}, {}), Check.TIMES, f"now is {NOW:.0f}"),
        (({"aud": "https://x.example"}, {}), Check.AUDIENCE, "/fhir/<feed asked>"),
        (({"jti": ...}, {}), Check.TOKEN_ID, "jti"),
        (({"nonce": "n"}, {}), Check.ACCESS_TOKEN, "not an access token"),
        (({"cnf": {}}, {}), Check.BINDING, "bound"),
        (({"azp": "other"}, {}), Check.CLIENT, "azp is 'other'"),
        (({"sub": 7}, {}), Check.SUBJECT, "subject"),
        (({"patient": 7}, {}), "claims", "patient"),
    ],
)
def test_the_check_that_fails_is_named_with_what_would_be_accepted(told, server, fault, check, hint):
    """A type left unconfigured is the usual first failure, and cannot be guessed from a 401."""
    *before, last = told(server.token(*fault))
    assert all(finding.passed for finding in before)
    assert (last.check, last.passed) == (check, False)
    assert hint in last.text
    assert last.text.isprintable()


def test_garbage_and_outages_are_explained_too(told, server):
    """The operator pastes anything."""
    assert told("what is this")[-1].check == Check.FORM
    server.reachable = False
    last = told(server.token())[-1]
    assert (last.check, last.passed, last.undecided) == (Check.KEY, False, True)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"sub": "results-pane"}, "natural-person"),
        ({"fhirUser": "Patient/p1"}, "natural-person"),
        ({"client_id": "unlisted"}, "renders-only"),
        ({"client_id": "unlisted"}, "purpose-stated"),
        ({"extensions": {"ihe_iua": {"purpose_of_use": ["HRESCH"]}}}, "care-only"),
        ({"patient": ...}, "one-patient"),
    ],
)
def test_a_good_token_that_the_rules_refuse_is_a_no(told, server, changes, rule):
    """Every check of the token holds, and every look would end in a 403 that names no rule."""
    *before, last = told(server.token(changes))
    assert all(finding.passed for finding in before)
    assert (last.check, last.passed, last.undecided) == ("rules", False, False)
    assert rule in last.text
