"""Which tokens are refused, each for one reason only; and which are good."""

import base64
import hmac
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.authentication import bearer_token, token_checks
from plugin.authentication.compact import MAX_TOKEN_BYTES
from plugin.authentication.credential import BearerToken, MalformedCredential, NoCredential
from plugin.errors import ConsultError, CredentialMalformed, TokenExpired, TokenInvalid, Unidentified
from tests.authentication.pretend_issuer import (
    BASE,
    CLIENT,
    ISSUER,
    NOW,
    RSA_KEY,
    SPARE_KEYS,
    Clock,
    PretendIssuer,
    ehr,
    good_claims,
    identifier,
    settings,
    signed,
)

NAMED = f"{ISSUER} u-123 {CLIENT}"


def refusal(gate, token, feed="city-lab") -> TokenInvalid:
    with pytest.raises(TokenInvalid) as caught:
        gate.identify(BearerToken(token, feed))
    return caught.value


@pytest.mark.parametrize(
    ("feed", "changes", "header"),
    [
        ("city-lab", {}, {}),
        ("city-lab", {"aud": f"{BASE}/fhir/city-lab"}, {}),
        ("city-lab", {"aud": ["account", f"{BASE}/fhir/city-lab"]}, {}),
        (None, {}, {}),
        ("city-lab", {"client_id": ..., "azp": CLIENT}, {}),
        ("city-lab", {"azp": CLIENT}, {}),
        ("city-lab", {}, {"typ": "application/AT+JWT"}),
        ("city-lab", {"exp": NOW - 29, "iat": NOW + 29, "nbf": NOW + 29}, {}),
        ("city-lab", {"iat": NOW - 0.5}, {}),
        ("city-lab", {}, {"jku": "https://evil.example/jwks", "x5u": "not a url", "jwk": {"kty": "?"}, "x5c": 7}),
        ("city-lab", {"scope": ["patient/Observation.rs"]}, {}),
        ("city-lab", {"typ": "Bearer", "nonce": "n"}, {}),
    ],
)
def test_a_good_token_is_accepted(gate, server, feed, changes, header):
    """Tolerance where the standards or real servers ask for it; the key headers are for nobody."""
    identity = gate.identify(BearerToken(server.token(changes, header), feed))
    assert (identity.ehr, identity.person.key, identity.client.id) == ("hospital", f"{ISSUER} u-123", CLIENT)
    assert identity.token_reference == "urn:ietf:params:oauth:jti:6a1f"


@pytest.mark.parametrize(("kid", "alg"), [("ec-1", "ES256"), ("rsa-1", "RS256")])
def test_both_default_algorithms_verify(gate, server, kid, alg):
    """RS256 is what most servers sign with."""
    assert gate.identify(BearerToken(server.token(kid=kid, alg=alg), "city-lab")).launch_patient == "p1"


@pytest.mark.parametrize(
    ("changes", "header", "text"),
    [
        ({"iss": "https://other.example"}, {}, "issuer"),
        ({"iss": f"{ISSUER}/"}, {}, "issuer"),
        ({"iss": ...}, {}, "issuer"),
        ({"iss": [ISSUER]}, {}, "issuer"),
        ({}, {"alg": "none"}, "algorithm"),
        ({}, {"alg": "HS256"}, "algorithm"),
        ({}, {"alg": "ES384"}, "algorithm"),
        ({}, {"alg": "es256"}, "algorithm"),
        ({}, {"alg": ["ES256"]}, "algorithm"),
        ({}, {"alg": ...}, "algorithm"),
        ({}, {"alg": "RS256"}, "no known key"),
        ({}, {"kid": "unknown"}, "no known key"),
        ({}, {"kid": "rsa-1"}, "no known key"),
        ({}, {"kid": ...}, "no known key"),
        ({}, {"kid": ["ec-1"]}, "no known key"),
        ({}, {"crit": ["exp"]}, "extension"),
        ({}, {"crit": []}, "extension"),
    ],
)
def test_a_token_that_no_key_can_vouch_for_is_refused_without_a_name(gate, server, changes, header, text):
    """Nothing that it says of itself may reach a record."""
    error = refusal(gate, server.token(changes, header))
    assert text in error.text
    assert error.verified_subject is None


@pytest.mark.parametrize(
    ("changes", "header", "text"),
    [
        ({}, {"typ": "JWT"}, "type"),
        ({}, {"typ": ...}, "type"),
        ({}, {"typ": 1}, "type"),
        ({"nbf": NOW + 31}, {}, "not valid yet"),
        ({"nbf": "soon"}, {}, "not valid yet"),
        ({"iat": NOW + 31}, {}, "not valid yet"),
        ({"iat": ...}, {}, "when it was issued"),
        ({"iat": True}, {}, "when it was issued"),
        ({"aud": f"{BASE}/fhir/imaging"}, {}, "audience"),
        ({"aud": CLIENT}, {}, "audience"),
        ({"aud": f"{BASE}/fhir/"}, {}, "audience"),
        ({"aud": ...}, {}, "audience"),
        ({"aud": [[f"{BASE}/fhir"]]}, {}, "audience"),
        ({"jti": ...}, {}, "jti"),
        ({"jti": ""}, {}, "jti"),
        ({"jti": 7}, {}, "jti"),
        ({"jti": "x" * 257}, {}, "jti"),
        ({"jti": "a b"}, {}, "jti"),
        ({"typ": "ID"}, {}, "not an access token"),
        ({"typ": "Refresh"}, {}, "not an access token"),
        ({"token_use": "id"}, {}, "not an access token"),
        ({"token_use": ["access"]}, {}, "not an access token"),
        ({"nonce": "n"}, {}, "not an access token"),
        ({"nonce": "n", "typ": "ID"}, {}, "not an access token"),
        ({"at_hash": "h"}, {}, "not an access token"),
        ({"at_hash": "h", "typ": "Bearer"}, {}, "not an access token"),
        ({"c_hash": "h"}, {}, "not an access token"),
        ({"cnf": {"jkt": "0ZcO"}}, {}, "bound to a key"),
        ({"cnf": None}, {}, "bound to a key"),
        ({"azp": "other"}, {}, "one client"),
        ({"client_id": ...}, {}, "one client"),
        ({"client_id": {"a": 1}}, {}, "one client"),
        ({"sub": 7}, {}, "subject"),
        ({"sub": ""}, {}, "subject"),
        ({"sub": "u\n1"}, {}, "subject"),
        ({"patient": "Patient/p1"}, {}, "patient claim"),
        ({"patient": ""}, {}, "patient claim"),
        ({"scope": 7}, {}, "scopes"),
        ({"scope": ["a b"]}, {}, "scopes"),
        ({"scope": " ".join(f"s{n}" for n in range(201))}, {}, "scopes"),
        ({"fhirUser": "Device/1"}, {}, "fhirUser"),
        ({"fhirUser": ["Practitioner/1"]}, {}, "fhirUser"),
        ({"extensions": []}, {}, "unknown form"),
        ({"extensions": {"ihe_iua": {"subject_role": ["physician"]}}}, {}, "unknown form"),
        ({"extensions": {"ihe_iua": {"subject_name": 7}}}, {}, "unknown form"),
    ],
)
def test_a_token_that_is_genuine_and_alive_but_not_good_is_refused_by_name(gate, server, changes, header, text):
    """The security officer sees who tries tokens of another audience here."""
    error = refusal(gate, server.token(changes, header))
    assert text in error.text
    assert error.verified_subject is not None
    assert error.verified_subject.startswith(f"{ISSUER} ")


def test_the_name_in_a_refusal_is_issuer_subject_and_client(gate, server):
    """A subject that could not stand in a record is left out of it."""
    assert refusal(gate, server.token({"aud": "x"})).verified_subject == NAMED
    assert refusal(gate, server.token({"sub": "a\tb", "client_id": ...})).verified_subject == f"{ISSUER} - -"


@pytest.mark.parametrize("exp", [..., None, "9999999999", True, 1e300, 10**30])
def test_a_token_without_a_usable_expiry_is_refused_without_a_name(gate, server, exp):
    """Such a token would be good for ever."""
    error = refusal(gate, server.token({"exp": exp}))
    assert not isinstance(error, TokenExpired)
    assert error.verified_subject is None


def test_an_expired_token_is_refused_as_expired_and_without_a_name(gate, server):
    """Whoever replays an old token is not its subject."""
    error = refusal(gate, server.token({"exp": NOW - 30, "iat": NOW - 300}))
    assert isinstance(error, TokenExpired)
    assert error.verified_subject is None


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(gate, server):
    """The classic confusion of RS256 and HS256."""
    head, body, _ = server.token(header={"alg": "HS256", "kid": "rsa-1"}).split(".")
    mac = hmac.digest(RSA_KEY.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    assert "algorithm" in refusal(gate, forged).text


def test_a_token_signed_by_another_issuers_key_is_refused(server, clock):
    """Trusting two issuers does not mean that one may speak for the other."""
    other = PretendIssuer("https://other.example", keys={"ec-1": SPARE_KEYS[0]})
    configured = settings(ehr("hospital"), ehr("clinic", issuer=[{"issuer": other.issuer}], client=[{"id": "c"}]))
    both = lambda url: (other if url.startswith(other.issuer) else server)(url)  # noqa: E731
    gate = identifier(configured, both, clock)
    assert gate.identify(BearerToken(other.token({"client_id": "c"}), None)).ehr == "clinic"
    assert "signature" in refusal(gate, other.token({"iss": ISSUER})).text


def test_an_altered_token_is_refused(gate, server):
    """One claim changed under an old signature."""
    header, _, signature = server.token().split(".")
    payload = base64.urlsafe_b64encode(json.dumps({**good_claims(), "patient": "p2"}).encode()).decode().rstrip("=")
    assert "signature" in refusal(gate, f"{header}.{payload}.{signature}").text
    assert "signature" in refusal(gate, f"{header}.{server.token().split('.')[1]}.").text


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ('{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"ec-1"}', json.dumps(good_claims())),
        ('{"alg":"ES256","typ":"at+jwt","kid":"ec-1"}', json.dumps(good_claims())[:-1] + ',"patient":"p2"}'),
        ('{"alg":"ES256","typ":"at+jwt","kid":"ec-1"}', '{"extensions":{"a":1,"a":2}}'),
        ('{"alg":"ES256","typ":"at+jwt","kid":"ec-1"}', "[]"),
        ('{"alg":"ES256","typ":"at+jwt","kid":"ec-1"}', "{"),
        ('{"alg":"ES256","typ":"at+jwt","kid":"ec-1"}', '{"exp":NaN}'),
        ('{"alg":"ES256","typ":"at+jwt","kid":"ec-1"}', "[" * 4000),
        ('"ES256"', "{}"),
        ("", ""),
    ],
)
def test_a_token_that_two_parsers_could_read_differently_is_refused(gate, server, header, claims):
    """A doubled key would say one thing to us and another to the next reader."""
    assert refusal(gate, signed(header, claims, "ES256", server.keys["ec-1"])).verified_subject is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "..",
        "a.b.c.d",
        "é.b.c",
        "e30.e30.e30=",
        "e30.e30.+/",
        "\ud800.b.c",
        "x" * (MAX_TOKEN_BYTES + 1),
        f"{'x' * 5000}.e30.",
    ],
)
def test_what_is_no_signed_jwt_is_refused(gate, token):
    """Opaque tokens come later, by introspection."""
    assert refusal(gate, token).verified_subject is None


def test_a_genuine_token_of_unreasonable_size_is_refused(gate, server):
    """The bound holds before anything is parsed, whoever signed."""
    assert "too large" in refusal(gate, server.token({"padding": "x" * 7000})).text
    assert "header" in refusal(gate, server.token(header={"x5c": ["x" * 4000]})).text


def test_configured_audiences_replace_the_default(server, clock):
    """An issuer that knows one audience for all can be told so."""
    gate = identifier(settings(audiences=["urn:vitrine"]), server, clock)
    assert gate.identify(BearerToken(server.token({"aud": "urn:vitrine"}), "imaging"))
    assert "audience" in refusal(gate, server.token()).text


def test_keycloaks_type_is_accepted_where_configured_and_its_id_token_still_is_not(server, clock):
    """Both have the header type JWT; only their claims differ."""
    gate = identifier(settings(types=["JWT"]), server, clock)
    assert gate.identify(BearerToken(server.token({"typ": "Bearer"}, {"typ": "JWT"}), "city-lab"))
    assert "not an access token" in refusal(gate, server.token({"typ": "ID"}, {"typ": "JWT"})).text


def test_every_refusal_has_one_of_a_few_fixed_texts(gate, server):
    """A text made from a token would carry it into logs and answers."""
    marker = "M4rk3r"
    for name in ("iss", "aud", "jti", "typ", "azp", "cnf", "scope", "patient", "fhirUser"):
        error = None
        try:
            gate.identify(BearerToken(server.token({name: f"{marker} \x00"}, {}), "city-lab"))
        except TokenInvalid as caught:
            error = caught
        assert error is None or marker not in error.text


def test_without_a_credential_nobody_is_identified(gate):
    """The plain challenge, and the one for a malformed request."""
    with pytest.raises(Unidentified) as nothing:
        gate.identify(NoCredential())
    assert (nothing.value.status, nothing.value.oauth_error) == (401, None)
    with pytest.raises(CredentialMalformed):
        gate.identify(MalformedCredential())


GATE = identifier(settings(), PretendIssuer(), Clock())
GOOD = PretendIssuer().token()


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,60}"))
def test_no_random_text_is_accepted_and_only_our_own_errors_are_raised(text):
    """Whatever a stranger sends, the face has an answer for it."""
    with pytest.raises(ConsultError):
        GATE.identify(BearerToken(text, "city-lab"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
CLAIMS = ["iss", "sub", "aud", "client_id", "azp", "jti", "iat", "exp", "nbf", "scope", "patient", "fhirUser", "cnf"]
DESCRIBING = ["extensions", "gty", "grant_type", "username", "auth_time", "sid", "acr", "typ"]
IUA = ["subject_name", "subject_role", "purpose_of_use", "national_provider_identifier", "subject_organization"]


@given(
    st.dictionaries(st.sampled_from(CLAIMS + DESCRIBING), JSON, max_size=4),
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jku", "jwk"]), JSON, max_size=2),
    st.none() | st.dictionaries(st.sampled_from(IUA), JSON, max_size=3),
)
def test_genuine_tokens_of_any_shape_give_an_identity_or_our_own_error(changes, header, iua):
    """An issuer's mistake must not become a traceback."""
    extensions = {} if iua is None else {"extensions": {"ihe_iua": iua}}
    try:
        identity = GATE.identify(BearerToken(PretendIssuer().token({**extensions, **changes}, header), "city-lab"))
    except ConsultError:
        return
    assert identity.person.issuer == ISSUER
    assert identity.person.subject


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("ABCxyz019-_."))
def test_a_good_token_with_one_character_changed_is_refused(position, character):
    """Not one bit of a token is without meaning, so that its digest names it."""
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    if changed != GOOD:
        with pytest.raises(TokenInvalid):
            GATE.identify(BearerToken(changed, "city-lab"))


def test_many_threads_agree(gate, server):
    """One Identifier serves a whole worker; a burst at the start asks the issuer once."""
    tokens = [server.token({"jti": f"t{n}", "sub": f"u-{n}"}) for n in range(40)]
    with ThreadPoolExecutor(16) as pool:
        identities = list(pool.map(lambda token: gate.identify(BearerToken(token, "city-lab")), tokens))
    assert [identity.person.subject for identity in identities] == [f"u-{n}" for n in range(40)]
    assert server.jwks_fetches == 1


def test_the_checks_are_made_in_the_promised_order(server, clock):
    """`token explain` names the failing check by its place."""
    from plugin.authentication.issuers import Issuers
    from plugin.authentication.listings import Listings

    configured = settings()
    listings = Listings(configured.ehr)
    tokens = bearer_token.BearerTokens(listings, Issuers(listings.issuers(), server, clock), BASE, clock)
    heard: list[token_checks.Check] = []
    tokens.verify(server.token(), "city-lab", heard.append)
    assert heard == list(token_checks.SIGNED)
