"""An authorization server without a socket: it publishes documents, signs tokens, and remembers who asked for what."""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64encode

from fhir_adapters.interface import Deadline, FeedError, FeedRefused, FeedUnavailable
from fhir_adapters.reach import Address
from fhir_adapters.upstream import NO_HEADERS, Answer
from plugin.authentication.identify import Identifier
from plugin.authentication.introspection import Introspects
from plugin.authentication.issuers import Issuers
from plugin.settings.document import Settings

ISSUER = "https://login.hospital.example/realms/r"
BASE = "https://vitrine.hospital.example"
CLIENT = "results-pane"
NOW = 1_772_439_400.0

_EC = [ECKey.generate_key("P-256") for _ in range(3)]
_RSA = RSAKey.generate_key(2048)


@dataclass
class Clock:
    """Both clocks of the gateway; moves only when told."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class PretendIssuer:
    """`issuers.Fetch` with memory. `keys`: kid -> private key, in the published set."""

    issuer: str = ISSUER
    keys: dict[str, Any] = field(default_factory=lambda: {"ec-1": _EC[0], "rsa-1": _RSA})
    extra_jwks: list[Any] = field(default_factory=list)
    reachable: bool = True
    documents: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        document = {
            "issuer": self.issuer,
            "jwks_uri": self.jwks_uri,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "grant_types_supported": ["authorization_code"],
        }
        self.documents[f"{self.issuer}/.well-known/openid-configuration"] = json.dumps(document).encode()

    @property
    def jwks_uri(self) -> str:
        return f"{self.issuer}/jwks"

    @property
    def jwks_fetches(self) -> int:
        return self.asked[self.jwks_uri]

    def __call__(self, url: str) -> bytes:
        with self.lock:
            self.asked[url] += 1
        if not self.reachable:
            raise FeedUnavailable("an issuer could not be reached")
        if url == self.jwks_uri:
            published = [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]
            return json.dumps({"keys": [*published, *self.extra_jwks]}).encode()
        if url not in self.documents:
            raise FeedRefused("an issuer answered 404")
        return self.documents[url]

    def token(
        self,
        changes: dict[str, Any] | None = None,
        header: dict[str, Any] | None = None,
        *,
        kid: str = "ec-1",
        alg: str = "ES256",
        key: Any = None,
    ) -> str:
        """A good token with `changes` to its claims and header; a value of `...` takes the member out."""
        return signed(
            members({"alg": alg, "typ": "at+jwt", "kid": kid}, header),
            members(good_claims(self.issuer), changes),
            alg,
            key or self.keys[kid],
        )


SPARE_KEYS = _EC[1:]
RSA_KEY = _RSA


def good_claims(issuer: str = ISSUER) -> dict[str, Any]:
    return {
        "iss": issuer,
        "sub": "u-123",
        "aud": f"{BASE}/fhir",
        "client_id": CLIENT,
        "jti": "6a1f",
        "iat": NOW - 10,
        "exp": NOW + 290,
        "scope": "openid fhirUser patient/Observation.rs",
        "patient": "p1",
        "fhirUser": "Practitioner/pr1",
    }


def members(start: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in {**start, **(changes or {})}.items() if value is not ...}


def signed(header: Any, claims: Any, alg: str, key: Any) -> str:
    """A compact JWS of objects, or of JSON text as it stands."""
    parts = [value if isinstance(value, str) else json.dumps(value) for value in (header, claims)]
    signing_input = b".".join(urlsafe_b64encode(part.encode()) for part in parts)
    signature = JWSRegistry(algorithms=[alg]).get_alg(alg).sign(signing_input, key)
    return (signing_input + b"." + urlsafe_b64encode(signature)).decode()


def settings(*ehrs: dict[str, Any], **issuer: Any) -> Settings:
    """One EHR with one issuer and one listed client, `issuer` overriding its keys; or the EHRs given."""
    hospital = ehr("hospital", issuer=[{"issuer": ISSUER, **issuer}])
    return Settings.model_validate(
        {
            "public_base": BASE,
            "ehr": list(ehrs) or [hospital],
            "feed": [
                {
                    "id": feed,
                    "kind": "fhir-rest",
                    "base": f"https://{feed}.example/fhir",
                    "match": {"by": "identifier", "systems": ["urn:x"]},
                }
                for feed in ("city-lab", "imaging")
            ],
        }
    )


def ehr(ehr_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": ehr_id,
        "fhir_base": f"https://{ehr_id}.example/fhir",
        "issuer": [{"issuer": ISSUER, "advertised": True}],
        "client": [{"id": CLIENT, "renders_only": True, "default_purpose": "TREAT"}],
        **changes,
    }


def identifier(
    configured: Settings, server: PretendIssuer, clock: Clock, asked: Mapping[str, Introspects] | None = None
) -> Identifier:
    listed = [issuer for one in configured.ehr for issuer in one.issuer]
    return Identifier(configured, Issuers(listed, server, clock), clock, asked or {})


@dataclass
class PretendIntrospection:
    """An `Upstream` that answers RFC 7662 questions: token -> claims, all else inactive. Remembers what it saw."""

    active: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], Mapping[str, str]]] = field(default_factory=list)
    """(address, form, headers)."""
    failure: FeedError | None = None
    answer: Answer | None = None

    def get(self, address: Address, headers: Mapping[str, str] = NO_HEADERS, *, deadline: Deadline) -> Answer:
        raise AssertionError("introspection is a POST")

    def post_form(
        self, address: Address, form: str, headers: Mapping[str, str] = NO_HEADERS, *, deadline: Deadline
    ) -> Answer:
        said = dict(parse_qsl(form))
        self.asked.append((str(address), said, headers))
        if self.failure is not None:
            raise self.failure
        if self.answer is not None:
            return self.answer
        claims = self.active.get(said["token"])
        return json_answer({"active": False} if claims is None else {"active": True, **claims})


def json_answer(value: Any, status: int = 200) -> Answer:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Answer(status, {"content-type": "application/json;charset=UTF-8"}, body)
