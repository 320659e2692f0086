"""Opaque tokens: their issuer is asked (RFC 7662), nobody else ever is, and what it says is judged like a JWT."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fhir_adapters.breaker import FAILURES_TO_OPEN, OPEN_SECONDS
from fhir_adapters.interface import FeedTimeout, FeedUnavailable
from plugin import assembly
from plugin.authentication.credential import BearerToken
from plugin.authentication.explain import explain
from plugin.authentication.introspection import BELIEVED_SECONDS, MAX_ANSWER_BYTES, PLACES, IntrospectionEndpoint
from plugin.authentication.issuers import Issuers
from plugin.authentication.token_checks import INTROSPECTED, Check
from plugin.errors import IssuerUnreachable, TokenExpired, TokenInvalid
from plugin.settings.ehr import Introspection
from plugin.settings.errors import SettingsError
from policies.rulebook import load
from policies.vocabulary.identity import Subject
from tests.authentication.pretend_issuer import (
    BASE,
    ISSUER,
    NOW,
    PretendIntrospection,
    PretendIssuer,
    ehr,
    good_claims,
    identifier,
    json_answer,
    members,
    settings,
)

URL = f"{ISSUER}/introspect"
TOKEN = "opaque-7e1f"
OTHER = "https://other.example"
HOW = {"url": URL, "client_id": "vitrine@site", "client_secret_file": "introspection.secret"}


@pytest.fixture
def asked():
    return PretendIntrospection({TOKEN: members(good_claims(), {"jti": ...})})


def gate_over(server, clock, asked, *ehrs, **introspection):
    configured = settings(*ehrs, tokens="opaque", introspection={**HOW, **introspection})
    told = next(issuer.introspection for one in configured.ehr for issuer in one.issuer if issuer.introspection)
    endpoint = IntrospectionEndpoint(told, "s3 cret", upstream=asked, clock=clock, monotonic=clock)
    return identifier(configured, server, clock, {ISSUER: endpoint})


@pytest.fixture
def gate(server, clock, asked):
    return gate_over(server, clock, asked)


def identified(gate, token=TOKEN, feed="city-lab"):
    return gate.identify(BearerToken(token, feed))


def test_an_opaque_token_gives_the_identity_that_its_issuer_vouches_for(gate, asked):
    """The record names the token by its hash: 128 bits of SHA-256, no part of the token."""
    identity = identified(gate)
    assert (identity.person.key, identity.subject) == (f"{ISSUER} u-123", Subject.PROFESSIONAL)
    assert identity.launch_patient == "p1"
    assert identity.token_reference == f"urn:vitrine:token-sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()[:32]}"
    [(address, form, headers)] = asked.asked
    assert (address, form) == (URL, {"token": TOKEN, "token_type_hint": "access_token"})
    assert headers["authorization"] == "Basic dml0cmluZSU0MHNpdGU6czMrY3JldA=="


def test_an_answer_that_names_no_issuer_is_of_the_one_that_was_asked(server, clock):
    """RFC 7662 2.2 leaves `iss` to the server, and nobody else answers at that endpoint."""
    asked = PretendIntrospection({TOKEN: members(good_claims(), {"jti": ..., "iss": ...})})
    assert identified(gate_over(server, clock, asked)).person.key == f"{ISSUER} u-123"


REFUSED = {
    "another issuer": {"iss": OTHER},
    "an issuer that is null": {"iss": None},
    "no audience": {"aud": ...},
    "another audience": {"aud": "https://x.example/fhir"},
    "an audience that is null": {"aud": None},
    "the other feed's audience": {"aud": f"{BASE}/fhir/imaging"},
    "no expiry": {"exp": ...},
    "not valid yet": {"nbf": NOW + 900},
    "bound to a key": {"cnf": {"x5t#S256": "x"}},
    "a DPoP token": {"token_type": "DPoP"},
    "a refresh token": {"token_use": "refresh_token"},
    "a use that is no text": {"token_use": ["access_token"]},
    "a use that is an object": {"token_use": {}},
    "an id token": {"nonce": "n"},
    "no client": {"client_id": ...},
    "two clients": {"azp": "other"},
    "a subject of two words": {"sub": 7},
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_answer_that_does_not_say_enough_refuses_the_token(server, clock, case):
    """`active` is the issuer's word about itself; whether the token is for us stands in the other members."""
    claims = members(members(good_claims(), {"jti": ...}), REFUSED[case])
    gate = gate_over(server, clock, PretendIntrospection({TOKEN: claims}))
    with pytest.raises(TokenInvalid):
        identified(gate)


def test_an_inactive_token_is_refused_and_asked_about_once(gate, asked):
    """Whoever repeats a bad token does not make us repeat the question."""
    for _ in range(3):
        with pytest.raises(TokenInvalid) as caught:
            identified(gate, "unknown")
        assert caught.value.verified_subject is None
    assert len(asked.asked) == 1


def test_an_expired_token_is_refused_though_it_is_called_active(server, clock):
    """Clocks differ; ours counts."""
    asked = PretendIntrospection({TOKEN: {**good_claims(), "exp": NOW - 60}})
    with pytest.raises(TokenExpired):
        identified(gate_over(server, clock, asked))


def test_an_answer_without_audience_is_good_only_where_configured(server, clock):
    """`implied_audience` is for a server that answers for nobody else's tokens; a named audience still counts."""
    asked = PretendIntrospection({TOKEN: members(good_claims(), {"aud": ...})})
    assert identified(gate_over(server, clock, asked, implied_audience=True)).person.subject == "u-123"
    asked = PretendIntrospection({TOKEN: {**good_claims(), "aud": "https://x.example"}})
    with pytest.raises(TokenInvalid):
        identified(gate_over(server, clock, asked, implied_audience=True))


def test_an_answer_is_believed_for_a_minute_so_that_a_revocation_bites(gate, asked, clock):
    """Design section 6: at most sixty seconds, for every feed and process by itself."""
    identified(gate)
    identified(gate, feed="imaging")
    clock.now += BELIEVED_SECONDS - 1
    identified(gate)
    assert len(asked.asked) == 1
    asked.active.clear()
    clock.now += 1
    with pytest.raises(TokenInvalid):
        identified(gate)
    assert len(asked.asked) == 2


def test_an_answer_is_not_believed_beyond_its_expiry(server, clock):
    """The minute of belief does not prolong a token."""
    asked = PretendIntrospection({TOKEN: {**good_claims(), "exp": NOW + 5}})
    gate = gate_over(server, clock, asked)
    identified(gate)
    clock.now += 40
    with pytest.raises(TokenExpired):
        identified(gate)


UNUSABLE = {
    "500": json_answer({"active": True, **good_claims()}, 500),
    "401 to ourselves": json_answer({"error": "invalid_client"}, 401),
    "a redirect": json_answer({}, 302),
    "no JSON": json_answer(b"<html>"),
    "a doubled key": json_answer(b'{"active": false, "active": true}'),
    "a list": json_answer([{"active": True}]),
    "active as text": json_answer({"active": "true", **good_claims()}),
    "nothing": json_answer({}),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_answer_that_cannot_be_understood_is_an_outage_and_no_verdict(gate, asked, case):
    """Neither yes nor no: the caller gets 503 and may come again."""
    asked.answer = UNUSABLE[case]
    with pytest.raises(IssuerUnreachable) as caught:
        identified(gate)
    assert caught.value.status == 503
    asked.answer = None
    assert identified(gate).person.subject == "u-123"


@pytest.mark.parametrize("failure", [FeedUnavailable("down"), FeedTimeout("slow")])
def test_an_issuer_that_is_down_or_slow_is_left_alone_and_asked_again_later(gate, asked, clock, failure):
    """One that hangs must not hold every clinician for seconds."""
    asked.failure = failure
    for number in range(FAILURES_TO_OPEN + 3):
        with pytest.raises(IssuerUnreachable):
            identified(gate, f"token-{number}")
    assert len(asked.asked) == FAILURES_TO_OPEN
    asked.failure = None
    clock.now += OPEN_SECONDS
    assert identified(gate).person.subject == "u-123"


def test_an_issuer_that_hangs_never_holds_more_than_its_share_of_threads(server, clock, asked):
    """Who comes beyond that is told at once to come again; the others get their answer when it arrives."""
    go, inside = threading.Event(), threading.Semaphore(0)
    answer = asked.post_form

    def hanging(*question, **bounds):
        inside.release()
        assert go.wait(60)
        return answer(*question, **bounds)

    asked.post_form = hanging
    asked.active.update({f"token-{number}": good_claims() for number in range(PLACES)})
    gate = gate_over(server, clock, asked)
    with ThreadPoolExecutor(PLACES) as threads:
        waiting = [threads.submit(identified, gate, f"token-{number}") for number in range(PLACES)]
        for _ in range(PLACES):
            assert inside.acquire(timeout=60)
        with pytest.raises(IssuerUnreachable):
            identified(gate)
        go.set()
        assert [each.result().person.subject for each in waiting] == ["u-123"] * PLACES


def test_a_jwt_of_another_issuer_is_shown_to_nobody(gate, asked, server):
    """It says whose it is: shown to the introspecting issuer, it could be used by whoever runs that."""
    stranger = PretendIssuer(OTHER)
    for token in (stranger.token(), f"{stranger.token()}.x.y", server.token({"iss": f"{ISSUER}/"})):
        with pytest.raises(TokenInvalid):
            identified(gate, token)
    assert asked.asked == []


def test_of_two_issuers_each_sees_its_own_tokens_alone(server, clock, asked):
    """The one with signed tokens is not asked about opaque ones, nor the introspecting one about signed ones."""
    signing = PretendIssuer(OTHER)
    both = ehr(
        "hospital",
        issuer=[
            {"issuer": ISSUER, "tokens": "opaque", "introspection": HOW, "advertised": True},
            {"issuer": OTHER},
        ],
    )
    gate = gate_over(signing, clock, asked, both)
    assert identified(gate, signing.token()).person.issuer == OTHER
    assert asked.asked == []
    assert identified(gate).person.issuer == ISSUER
    asked.active[TOKEN + "2"] = {**good_claims(), "iss": OTHER}
    with pytest.raises(TokenInvalid):
        identified(gate, TOKEN + "2")


def test_a_jwt_of_the_introspecting_issuer_is_introspected_and_not_believed_by_its_signature(gate, asked, server):
    """A revoked session shows at the issuer only."""
    revoked, good = server.token(), server.token({"jti": "another"})
    asked.active[good] = good_claims()
    with pytest.raises(TokenInvalid):
        identified(gate, revoked)
    assert identified(gate, good).person.subject == "u-123"
    assert server.jwks_fetches == 0


def test_a_token_too_large_is_sent_nowhere(gate, asked):
    """Anybody may send anything."""
    with pytest.raises(TokenInvalid):
        identified(gate, "x" * 9_000)
    assert asked.asked == []


def test_without_an_opaque_issuer_an_opaque_token_is_refused(server, clock):
    """Nobody is asked about it."""
    with pytest.raises(TokenInvalid):
        identified(identifier(settings(), server, clock))


@pytest.fixture
def large_answer() -> Iterator[str]:
    """The address of a server that answers any request with more than is read."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener.accept()[0] as connection:
            connection.recv(65_536)
            body = json.dumps({"active": True, "padding": "x" * MAX_ANSWER_BYTES}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            connection.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/introspect"
    listener.close()


def test_an_answer_too_large_is_an_outage(large_answer):
    """Over a real socket: the bound holds before the answer is parsed."""
    asked = IntrospectionEndpoint(Introspection(**{**HOW, "url": large_answer}), "secret")
    with pytest.raises(IssuerUnreachable):
        asked(TOKEN)


@pytest.mark.parametrize(
    ("changes", "failing", "says"),
    [
        ({}, None, "active"),
        ({"aud": ...}, Check.AUDIENCE, "aud is None"),
        ({"iss": OTHER}, Check.ISSUER, OTHER),
    ],
)
def test_token_explain_shows_what_the_issuer_said(server, clock, changes, failing, says):
    """An operator cannot read an opaque token: only its issuer's answer says what is missing."""
    asked = PretendIntrospection({TOKEN: members(good_claims(), changes)})
    findings = _explained(server, clock, asked)
    assert TOKEN not in repr(findings)
    if failing is None:
        assert [finding.check for finding in findings][: len(INTROSPECTED)] == list(INTROSPECTED)
        assert says in findings[1].text
    else:
        assert (findings[-1].check, findings[-1].passed) == (failing, False)
        assert says in findings[-1].text


def test_token_explain_tells_an_outage_from_a_refusal(server, clock):
    """Exit 2 and not 1."""
    asked = PretendIntrospection(failure=FeedUnavailable("down"))
    assert _explained(server, clock, asked)[-1].undecided
    assert not _explained(server, clock, PretendIntrospection())[-1].undecided


def _explained(server, clock, asked):
    configured = settings(tokens="opaque", introspection=HOW)
    issuers = Issuers([issuer for one in configured.ehr for issuer in one.issuer], server, clock)
    endpoint = IntrospectionEndpoint(Introspection(**HOW), "s", upstream=asked, clock=clock, monotonic=clock)
    rules = load(None, unlabelled_documents="withhold")
    return explain(configured, rules, issuers, TOKEN, clock, {ISSUER: endpoint})


def test_the_assembly_reads_the_secret_from_its_file(tmp_path):
    """Absent or open to others: the start ends with the key's name."""
    secret = tmp_path / "introspection.secret"
    configured = settings(tokens="opaque", introspection={**HOW, "client_secret_file": str(secret)})
    with pytest.raises(SettingsError, match=r"ehr\.0\.issuer\.0\.introspection\.client_secret_file"):
        assembly.introspections(configured)
    secret.write_text("s3cret")
    secret.chmod(0o644)
    with pytest.raises(SettingsError, match=r"ehr\.0\.issuer\.0\.introspection\.client_secret_file"):
        assembly.introspections(configured)
    secret.chmod(0o600)
    assert set(assembly.introspections(configured)) == {ISSUER}
