"""Keys come and go at the issuer, and the issuer itself does."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from plugin.authentication import compact, key_ring, signature
from plugin.authentication.credential import BearerToken
from plugin.authentication.issuers import MAX_DOCUMENT_BYTES, Issuers
from plugin.authentication.refreshed import RENEWAL_SECONDS, RENEWALS_AT_ONCE, DocumentRefused
from plugin.errors import IssuerUnreachable, TokenExpired, TokenInvalid
from plugin.settings.ehr import Issuer
from tests.authentication.pretend_issuer import ISSUER, NOW, SPARE_KEYS, PretendIssuer, identifier, settings


def ask(gate, token):
    return gate.identify(BearerToken(token, "city-lab"))


def test_a_new_key_is_found_at_once(gate, server):
    """A rotation at the issuer must not cost a clinician a look, not even seconds after the last fetch."""
    ask(gate, server.token())
    server.keys = {"ec-2": SPARE_KEYS[0]}
    ask(gate, server.token(kid="ec-2"))
    server.keys = {"ec-3": SPARE_KEYS[1]}
    ask(gate, server.token(kid="ec-3"))
    assert server.jwks_fetches == 3


def test_a_new_key_under_the_old_name_is_found_at_once(gate, server):
    """Some servers call their key by the same name for ever. What nobody signed asks no more often than a new name."""
    ask(gate, server.token())
    server.keys = {"ec-1": SPARE_KEYS[0]}
    ask(gate, server.token())
    assert server.jwks_fetches == 2
    for number in range(10 * RENEWALS_AT_ONCE):
        with pytest.raises(TokenInvalid, match="signature"):
            ask(gate, server.token({"jti": str(number)}, key=SPARE_KEYS[1]))
    assert server.jwks_fetches <= 2 + RENEWALS_AT_ONCE


def test_a_new_key_is_fetched_once_however_many_ask_for_it(gate, server):
    """All clients of an issuer change keys at the same moment."""
    ask(gate, server.token())
    server.keys = {"ec-2": SPARE_KEYS[0]}
    tokens = [server.token({"jti": str(n)}, kid="ec-2") for n in range(32)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda token: ask(gate, token), tokens))
    assert server.jwks_fetches == 2


def test_a_new_key_under_the_old_name_that_another_request_found_is_used(server, clock):
    """All that come at that moment would ask anew, one after another, and the sixth be sent to log in again."""
    issuer = settings().ehr[0].issuer[0]
    issuers = Issuers([issuer], server, clock)
    seen = signature.candidates({"kid": "ec-1", "alg": "ES256"}, issuer, issuers)
    server.keys = {"ec-1": SPARE_KEYS[0]}
    late = [compact.read(server.token({"jti": str(number)})) for number in range(2 * RENEWALS_AT_ONCE)]
    for each in late:
        assert signature.signer(each, seen, issuer, issuers) not in seen
    assert server.jwks_fetches == 2


def test_a_withdrawn_key_stops_within_ten_minutes_for_cached_tokens_too(gate, server, clock):
    """A key is withdrawn because somebody else has it."""
    token = server.token({"exp": NOW + 3600})
    ask(gate, token)
    server.keys = {"ec-2": SPARE_KEYS[0]}
    clock.now += 299
    ask(gate, token)  # cached again, for a minute
    clock.now += 2
    with pytest.raises(TokenInvalid):
        ask(gate, token)


def test_a_key_that_keeps_its_id_and_changes_its_value_stops_too(gate, server, clock):
    """Some servers call their key by the same name for ever."""
    token = server.token({"exp": NOW + 3600})
    ask(gate, token)
    server.keys = {"ec-1": SPARE_KEYS[0]}
    clock.now += 301
    with pytest.raises(TokenInvalid):
        ask(gate, token)


def test_forged_key_ids_do_not_hammer_the_issuer(gate, server, clock):
    """Anybody can write a `kid`; the issuer is not to be attacked through us."""
    ask(gate, server.token())
    for n in range(200):
        with pytest.raises(TokenInvalid):
            ask(gate, server.token(header={"kid": f"forged-{n}"}))
    assert server.jwks_fetches == 1 + RENEWALS_AT_ONCE
    clock.now += 10
    server.keys["ec-2"] = SPARE_KEYS[0]
    ask(gate, server.token(kid="ec-2"))


def test_made_up_issuers_are_not_asked(gate, server):
    """Only configured addresses are ever contacted."""
    with pytest.raises(TokenInvalid):
        ask(gate, server.token({"iss": "https://evil.example"}))
    assert not server.asked


def test_an_unreachable_issuer_is_covered_for_ten_minutes(gate, server, clock):
    """Longer, and a withdrawn key would go on."""
    token = server.token({"exp": NOW + 3600})
    ask(gate, token)
    server.reachable = False
    clock.now += 599
    ask(gate, token)
    clock.now += 2
    with pytest.raises(IssuerUnreachable):
        ask(gate, token)
    server.reachable = True
    clock.now += 2
    ask(gate, token)


def test_an_issuer_that_was_never_reached_is_asked_anew_but_not_by_each_request(gate, server, clock):
    """Each of a hundred waiting clinicians would otherwise wait for the same silence."""
    server.reachable = False
    for _ in range(20):
        with pytest.raises(IssuerUnreachable):
            ask(gate, server.token())
    assert sum(server.asked.values()) == 1
    server.reachable = True
    clock.now += 3
    ask(gate, server.token())


def test_an_unknown_key_of_an_unreachable_issuer_is_an_outage_and_a_wrong_signature_is_none(gate, server, clock):
    """Nobody can tell whether the key is a new one: 401 would send people to log in again, in vain."""
    ask(gate, server.token())
    server.reachable = False
    for _ in range(20):
        with pytest.raises(IssuerUnreachable):
            ask(gate, server.token(header={"kid": "new"}))
    with pytest.raises(TokenInvalid):
        ask(gate, server.token()[:-8] + "AAAAAAAA")
    ask(gate, server.token())
    server.reachable = True
    clock.now += RENEWAL_SECONDS
    with pytest.raises(TokenInvalid):
        ask(gate, server.token(header={"kid": "new"}))


def test_a_cached_token_ends_with_its_expiry(gate, server, clock):
    """The cache saves the check of a signature, not of the clock."""
    token = server.token({"exp": NOW + 20})
    ask(gate, token)
    clock.now += 51
    with pytest.raises(TokenExpired):
        ask(gate, token)


def test_a_cached_token_is_cached_for_the_feed_it_was_asked_for(gate, server):
    """The audience is part of what was verified."""
    token = server.token({"aud": "https://vitrine.hospital.example/fhir/city-lab"})
    ask(gate, token)
    with pytest.raises(TokenInvalid):
        gate.identify(BearerToken(token, "imaging"))


def test_the_cache_of_tokens_is_bounded(gate, server, monkeypatch):
    """Each look may bring a new token, all day long."""
    monkeypatch.setattr(gate._known, "most", 3)
    for n in range(10):
        ask(gate, server.token({"jti": str(n)}))
    assert len(gate._known._entries) == 3


def test_a_token_without_kid_is_accepted_where_there_is_one_key(gate, server):
    """RFC 7515 makes `kid` optional; with several keys it must say which."""
    server.keys = {"ec-1": server.keys["ec-1"]}
    server.extra_jwks = [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "AKP", "alg": "ML-DSA-44", "pub": "x"}]
    ask(gate, server.token(header={"kid": ...}))


@pytest.mark.parametrize(
    "jwk",
    [
        {**RSAKey.generate_key(2048).as_dict(private=False), "use": "enc", "alg": "RSA-OAEP"},
        {**ECKey.generate_key("P-256").as_dict(private=False), "key_ops": ["deriveKey"]},
        ECKey.generate_key("P-256").as_dict(private=True),
        OctKey.generate_key(256).as_dict(private=True),
        {**ECKey.generate_key("P-256").as_dict(private=False), "crv": "P-999"},
        {**ECKey.generate_key("P-256").as_dict(private=False), "x": "AAAA"},
        {**ECKey.generate_key("P-256").as_dict(private=False), "kid": 7},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": "", "e": ""},
        {"kty": ["RSA"]},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {},
        "key",
        None,
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_key_that_is_not_for_signatures_or_not_usable_is_skipped(jwk):
    """Keycloak publishes an encryption key beside the others; one bad key must not cost the good ones."""
    good = {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "good", "x5t": 7}
    ring = key_ring.read(json.dumps({"keys": [jwk, good]}).encode())
    assert [key.kid for key in ring.keys] == ["good"]


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[],"keys":[]}', b'{"keys":[' + b"{}," * 64 + b"{}]}"]
)
def test_what_is_no_key_set_is_refused(document):
    """Then the set that is held stays until it is too old."""
    with pytest.raises(DocumentRefused):
        key_ring.read(document)


def test_a_configured_jwks_uri_needs_no_discovery(server, clock):
    """Some issuers have no discovery document."""
    gate = identifier(settings(jwks_uri=server.jwks_uri), server, clock)
    ask(gate, server.token())
    assert list(server.asked) == [server.jwks_uri]


def test_the_metadata_is_found_in_either_place(server, clock):
    """OIDC puts the well-known part after the path, RFC 8414 between host and path."""
    issuers = Issuers([Issuer(issuer=ISSUER)], server, clock)
    server.documents = {
        "https://login.hospital.example/.well-known/oauth-authorization-server/realms/r": server.documents[
            f"{ISSUER}/.well-known/openid-configuration"
        ]
    }
    metadata = issuers.metadata(Issuer(issuer=ISSUER))
    assert metadata["token_endpoint"] == f"{ISSUER}/token"
    assert metadata["grant_types_supported"] == ["authorization_code"]
    assert issuers.metadata(Issuer(issuer=ISSUER)) is metadata
    assert sum(server.asked.values()) == 2


@pytest.mark.parametrize(
    ("document", "missing"),
    [
        ({"jwks_uri": "http://login.hospital.example/jwks"}, "jwks_uri"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"jwks_uri": "https://u@login.hospital.example/jwks"}, "jwks_uri"),
        ({"jwks_uri": "https://[/"}, "jwks_uri"),
        ({"token_endpoint": 7}, "token_endpoint"),
        ({"token_endpoint": "javascript:alert(1)"}, "token_endpoint"),
        ({"grant_types_supported": "authorization_code"}, "grant_types_supported"),
        ({"claims_supported": ["sub"]}, "claims_supported"),
    ],
)
def test_unusable_members_of_the_metadata_are_left_out(server, clock, document, missing):
    """They end in our own discovery documents, which clients follow."""
    place = f"{ISSUER}/.well-known/openid-configuration"
    server.documents[place] = json.dumps({"issuer": ISSUER, **document}).encode()
    assert missing not in Issuers([Issuer(issuer=ISSUER)], server, clock).metadata(Issuer(issuer=ISSUER))


def test_metadata_may_use_plain_http_on_loopback(server, clock):
    """The demonstration runs without certificates."""
    server.documents[f"{ISSUER}/.well-known/openid-configuration"] = json.dumps(
        {"issuer": ISSUER, "jwks_uri": "http://127.0.0.1:8082/jwks"}
    ).encode()
    assert "jwks_uri" in Issuers([Issuer(issuer=ISSUER)], server, clock).metadata(Issuer(issuer=ISSUER))


@pytest.mark.parametrize(
    "document",
    [
        json.dumps({"issuer": f"{ISSUER}/", "jwks_uri": f"{ISSUER}/jwks"}).encode(),
        json.dumps({"jwks_uri": f"{ISSUER}/jwks"}).encode(),
        b"[]",
        b"<html>",
        json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks", "a": "x" * MAX_DOCUMENT_BYTES}).encode(),
        f'{{"issuer":"{ISSUER}","jwks_uri":"https://evil.example","jwks_uri":"{ISSUER}/jwks"}}'.encode(),
        json.dumps({"issuer": ISSUER}).encode(),
    ],
)
def test_a_discovery_document_that_is_not_the_issuers_gives_no_keys(gate, server, document):
    """To the letter: RFC 8414 3.3."""
    server.documents = {f"{ISSUER}/.well-known/openid-configuration": document}
    with pytest.raises(IssuerUnreachable):
        ask(gate, server.token())


def test_metadata_outlives_a_short_outage_and_not_a_long_one(server, clock):
    """Discovery documents of ours depend on it, tokens do not."""
    issuers = Issuers([Issuer(issuer=ISSUER)], server, clock)
    metadata = issuers.metadata(Issuer(issuer=ISSUER))
    server.reachable = False
    clock.now += 3000
    assert issuers.metadata(Issuer(issuer=ISSUER)) is metadata
    clock.now += 700
    with pytest.raises(IssuerUnreachable):
        issuers.metadata(Issuer(issuer=ISSUER))


def test_two_issuers_do_not_share_keys(clock):
    """Not even where one key set could serve both."""
    first, second = PretendIssuer(), PretendIssuer("https://second.example", keys={"ec-1": SPARE_KEYS[0]})
    both = lambda url: (second if url.startswith(second.issuer) else first)(url)  # noqa: E731
    listed = [Issuer(issuer=ISSUER), Issuer(issuer=second.issuer)]
    issuers = Issuers(listed, both, clock)
    thumbprints = [issuers.keys(issuer).named("ec-1")[0].thumbprint for issuer in listed]
    assert len(set(thumbprints)) == 2
