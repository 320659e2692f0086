"""The gateway's own certificate: shown to its feed over real TLS, and unusable ones told before anything is asked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key

from fhir_adapters.client_identity import ClientIdentity
from fhir_adapters.fhir_rest import FhirRestConfig, FhirRestFeed
from fhir_adapters.interface import Call, Deadline, FeedError, FeedUnavailable
from fhir_adapters.reach import Reach
from fhir_adapters.upstream import HttpUpstream
from plugin import sources
from plugin.settings.errors import SettingsError
from plugin.settings.servers import MtlsAuth
from tests.feeds.authority import Authority


def reading(server: Any, identity: ClientIdentity | None) -> FhirRestFeed:
    return FhirRestFeed.from_config(FhirRestConfig("city-lab", server.base, identity=identity))


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody in the city knows."""
    return Authority("Elsewhere", tmp_path_factory.mktemp("elsewhere"))


def test_the_feed_is_read_with_the_certificate(guarded_server: Any, city: Authority, call: Call) -> None:
    """And kept connections work too."""
    feed = reading(guarded_server, city.identity("vitrine"))
    for _ in range(2):
        assert feed.read("Observation", "o1", call) is not None


def test_the_feed_refuses_a_stranger_and_that_is_a_failure_of_the_feed(
    guarded_server: Any, city: Authority, elsewhere: Authority, call: Call
) -> None:
    """No certificate, another authority's, an expired one: the question never reaches the server's application."""
    expired = ClientIdentity(*city.signed("vitrine", until=timedelta(hours=-1)), authorities=city.pem)
    for identity in (None, elsewhere.identity("vitrine", trusts=city), expired):
        with pytest.raises(FeedError):
            reading(guarded_server, identity).read("Observation", "o1", call)
    assert guarded_server.questions == []


def test_a_server_of_an_unknown_authority_is_not_asked(
    guarded_server: Any, city: Authority, elsewhere: Authority, call: Call
) -> None:
    """Whoever answers on the feed's address is not the feed."""
    with pytest.raises(FeedError):
        reading(guarded_server, city.identity("vitrine", trusts=elsewhere)).read("Observation", "o1", call)
    assert guarded_server.questions == []


@pytest.mark.parametrize(
    ("certificate", "flaw"),
    [
        ({"until": timedelta(hours=-1)}, "has expired"),
        ({"address": "192.0.2.1"}, "is of another name"),
        (None, "is not trusted"),
    ],
)
def test_what_is_wrong_with_a_servers_certificate_is_told_without_its_words(
    raw_server: Callable[..., Any], city: Authority, elsewhere: Authority, certificate: Any, flaw: str
) -> None:
    """A deployer looks elsewhere than for a server that could not be reached."""
    tls = city.serving(**certificate) if certificate else elsewhere.serving()
    server = raw_server(lambda connection, request: None, tls=tls)
    base = server.base.replace("http:", "https:")
    upstream = HttpUpstream("a sink", Reach.of(base), identity=city.identity("vitrine"))
    with pytest.raises(FeedUnavailable) as failed:
        upstream.get(Reach.of(base).judge(base), deadline=Deadline.after(10))
    assert str(failed.value) == f"a sink could not be trusted: its certificate {flaw}"


def test_a_certificate_needs_https(city: Authority) -> None:
    """Over plain http nobody would ever ask for it."""
    with pytest.raises(ValueError, match="https"):
        FhirRestFeed("city-lab", "http://127.0.0.1:1/fhir", identity=city.identity("vitrine"))


def test_what_cannot_be_shown_is_refused_before_it_is_needed(city: Authority) -> None:
    """Sentences for the operator, without a character of the key."""
    certificate, key = city.signed("vitrine")
    _, another = city.signed("other")
    locked = load_key(key.encode(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")
    )
    for parts, says in {
        (certificate, another): "not that of the certificate",
        (certificate, "junk"): "not a private key",
        (certificate, locked.decode()): "encrypted",
        ("junk", key): "certificate is not in PEM",
        (certificate, key, "junk"): "authorities are not in PEM",
    }.items():
        with pytest.raises(ValueError, match=says) as caught:
            ClientIdentity(*parts)
        assert "PRIVATE" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "made",
    [lambda: ec.generate_private_key(ec.SECP256K1()), lambda: rsa.generate_private_key(65537, 1024)],
    ids=["a curve of no TLS", "a short RSA key"],
)
def test_a_key_that_tls_could_not_use_is_refused_at_the_start(made: Any) -> None:
    """The TLS library would say so at the first question, to a clinician."""
    key = made()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vitrine")])
    now = datetime.now(UTC)
    own = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="the key is none of"):
        ClientIdentity(own.public_bytes(Encoding.PEM).decode(), secret)


def test_authorities_that_tls_cannot_use_make_the_feed_unavailable(
    guarded_server: Any, city: Authority, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else the library says no to is the family's error, and no other."""
    identity = city.identity("vitrine")
    monkeypatch.setattr(ClientIdentity, "pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(FeedError):
        reading(guarded_server, identity).read("Observation", "o1", call)


def test_the_key_stands_in_no_repr(city: Authority) -> None:
    """A repr ends in logs."""
    assert "PRIVATE" not in repr(FhirRestConfig("city-lab", "https://x.example", identity=city.identity("vitrine")))


def test_the_assembly_reads_the_key_as_a_secret_and_names_what_is_wrong(tmp_path: Path, city: Authority) -> None:
    """A key that others can read stops the start."""
    certificate, key = city.signed("vitrine")
    files = {"own.pem": certificate, "own.key": key, "ca.pem": city.pem}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    auth = MtlsAuth(
        kind="mtls",
        certificate_file=tmp_path / "own.pem",
        key_file=tmp_path / "own.key",
        ca_file=tmp_path / "ca.pem",
    )
    (tmp_path / "own.key").chmod(0o644)
    with pytest.raises(SettingsError, match=r"feed\.auth\.key_file"):
        sources.own_certificate("feed.auth", auth)
    (tmp_path / "own.key").chmod(0o600)
    assert sources.own_certificate("feed.auth", auth) == ClientIdentity(certificate, key.strip(), city.pem)
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(SettingsError, match=r"feed\.auth\.ca_file"):
        sources.own_certificate("feed.auth", auth)


def test_of_three_files_the_one_that_cannot_be_used_is_named(tmp_path: Path, city: Authority) -> None:
    """Otherwise their owner would compare all of them."""
    certificate, key = city.signed("vitrine")
    sound = {"certificate_file": certificate, "key_file": key, "ca_file": city.pem}
    paths = {name: tmp_path / name for name in sound}
    auth = MtlsAuth(kind="mtls", **paths)
    for wrong, path in paths.items():
        for name, text in {**sound, wrong: "junk"}.items():
            paths[name].write_text(text)
            paths[name].chmod(0o600)
        with pytest.raises(SettingsError) as refused:
            sources.own_certificate("feed.3.auth", auth)
        assert str(refused.value).startswith(f"feed.3.auth.{wrong}: {path}: ")
