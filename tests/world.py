"""A small world for stories: an EHR, its issuer, feeds with memory, and the real gateway between them, over HTTP.

Everything inside the gateway is real: settings from a file, tokens signed and verified, rules, ledger on disk. Only
what lies beyond our own interfaces (`Feed`, `Fetch`) is played here.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from fhir_adapters.interface import Call, Entry, FeedError, FeedFile, FeedLinkExpired, Offer, Page, Tree
from fhir_adapters.resource import parse
from plugin import assembly
from plugin.app import create_app
from plugin.authentication.identify import Identifier
from plugin.authentication.issuers import Issuers
from plugin.consultation.feed_line import EhrLine, FeedLine
from plugin.consultation.launched_ehr import LaunchedEhr
from plugin.consultation.opposition import Oppositions
from plugin.ledger import origin
from plugin.ledger.reader import Reader
from plugin.ledger.verify import verify
from plugin.sealing import new_key
from plugin.settings.file import load

PUBLIC_BASE = "https://vitrine.example"
EHR_BASE = "https://ehr.example/fhir"
LAB_BASE = "https://lab.example/fhir"
ISSUER = "https://login.example"
CLIENT = "results-pane"
INS = "urn:oid:1.2.250.1.213.1.4.10"
ALMA = "280015999090180"

CONFIGURATION = f"""
public_base = "{PUBLIC_BASE}"
demo = true

[[ehr]]
id = "hospital"
fhir_base = "{EHR_BASE}"
  [[ehr.issuer]]
  issuer = "{ISSUER}"
  [[ehr.client]]
  id = "{CLIENT}"
  renders_only = true
  default_purpose = "TREAT"
  [[ehr.client]]
  id = "importer"

[[feed]]
id = "city-lab"
title = {{ fr = "Laboratoire de ville", en = "City laboratory" }}
kind = "fhir-rest"
base = "{LAB_BASE}"
match = {{ by = "identifier", systems = ["{INS}"] }}

[[feed]]
id = "imaging"
kind = "fhir-rest"
base = "https://imaging.example/fhir"
types = ["DiagnosticReport", "DocumentReference", "ImagingStudy"]
match = {{ by = "same-id", shares_patient_ids_with = "hospital" }}
"""


@dataclass
class MemoryFeed:
    """A feed whose resources are here to be set, and which remembers what it was asked."""

    id: str
    base: str
    resources: list[Tree] = field(default_factory=list)
    ignores_parameters: bool = False
    """Such servers exist: they return everybody's everything of the type, or of every type."""
    aliases: dict[str, str] = field(default_factory=dict)
    """`Type/id` -> its fullUrl, where that is not its address."""
    files: dict[str, FeedFile] = field(default_factory=dict)
    """By address."""
    page_size: int = 1000
    failure: FeedError | None = None
    delay: float = 0.0
    queries: list[tuple[str, ...]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    _pages: dict[str, list[Entry]] = field(default_factory=dict)

    def read(self, resource_type: str, resource_id: str, call: Call) -> Tree | None:
        self._asked(call, "read", resource_type, resource_id)
        return next((r for r in self._copies() if (r["resourceType"], r["id"]) == (resource_type, resource_id)), None)

    def search(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        self._asked(call, "search", resource_type, *(f"{name}={value}" for name, value in parameters))
        found = [
            Entry(each, self.aliases.get(place := f"{each['resourceType']}/{each['id']}", f"{self.base}/{place}"))
            for each in self._copies()
            if self.ignores_parameters or (each["resourceType"] == resource_type and _matches(each, parameters))
        ]
        return self._page(found)

    def page(self, name: str, call: Call) -> Page:
        self._asked(call, "page", name)
        if name not in self._pages:
            raise FeedLinkExpired(f"feed '{self.id}' no longer knows the page")
        return self._page(self._pages[name])

    def file(self, url: str, call: Call) -> FeedFile | None:
        self._asked(call, "file", url)
        return self.files.get(url)

    def check(self, call: Call) -> Offer:
        return Offer("4.0.1", "memory", {})

    def _page(self, entries: list[Entry]) -> Page:
        rest = entries[self.page_size :]
        name = f"page-{len(self._pages)}" if rest else None
        if name is not None:
            self._pages[name] = rest
        return Page(tuple(entries[: self.page_size]), name)

    def _copies(self) -> Iterator[Tree]:
        """Parsed anew each time, as an answer from a socket is."""
        for each in self.resources:
            yield each if any(_has_decimal(each)) else parse(json.dumps(each).encode())

    def _asked(self, call: Call, *question: str) -> None:
        self.queries.append(question)
        self.calls.append(call)
        if self.delay:
            time.sleep(self.delay)
        if self.failure is not None:
            raise self.failure


def _has_decimal(tree: Any) -> Iterator[bool]:
    from decimal import Decimal

    if isinstance(tree, Decimal):
        yield True
    for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _has_decimal(item)


def _matches(resource: Tree, parameters: tuple[tuple[str, str], ...]) -> bool:
    for name, value in parameters:
        if name == "patient":
            subject = resource.get("subject") or resource.get("patient") or {}
            if not str(subject.get("reference", "")).endswith(value):
                return False
        elif name == "_id" and resource["id"] not in value.split(","):
            return False
        elif name == "identifier":
            own = {f"{each.get('system')}|{each.get('value')}" for each in resource.get("identifier", [])}
            if own.isdisjoint(value.split(",")):
                return False
    return True


def ehr_patient(patient_id: str = "p1", ins: str = ALMA, born: str = "1980-01-12", **more: Any) -> Tree:
    """A Patient of the EHR whose INS is qualified."""
    return {
        "resourceType": "Patient",
        "id": patient_id,
        "extension": [
            {
                "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability",
                "extension": [
                    {
                        "url": "identityStatus",
                        "valueCoding": {
                            "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445",
                            "code": "VALI",
                        },
                    }
                ],
            }
        ],
        "identifier": [{"system": INS, "value": ins}],
        "birthDate": born,
        **more,
    }


def lab_patient(patient_id: str = "lab-1", ins: str = ALMA, born: str = "1980-01-12", **more: Any) -> Tree:
    """A Patient of the laboratory."""
    return {
        "resourceType": "Patient",
        "id": patient_id,
        "identifier": [{"system": INS, "value": ins}],
        "birthDate": born,
        **more,
    }


def observation(resource_id: str, patient: str = "lab-1", **more: Any) -> Tree:
    """A laboratory Observation of the feed's patient."""
    return {
        "resourceType": "Observation",
        "id": resource_id,
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        **more,
    }


class World:
    """The gateway as a deployer would configure it, and the people around it."""

    def __init__(self, folder: Path, configuration: str = CONFIGURATION) -> None:
        self.folder = folder
        path = folder / "vitrine.toml"
        path.write_text(configuration, encoding="utf-8")
        self.settings = load(path)
        secret = self.settings.key_file
        secret.parent.mkdir(mode=0o700)
        secret.write_text(new_key())
        secret.chmod(0o600)
        self.vkey = origin.create(
            self.settings.ledger.path, self.settings.ledger.key_file, origin.new_origin("vitrine.example")
        )
        self.key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
        self.lab = MemoryFeed("city-lab", LAB_BASE, [lab_patient()])
        self.imaging = MemoryFeed("imaging", "https://imaging.example/fhir", [lab_patient("p1")])
        self.ehr = MemoryFeed("hospital", EHR_BASE, [ehr_patient()])
        self.consents = MemoryFeed("hospital", EHR_BASE)
        """Asked where the configuration has `consents` for the EHR."""
        self.assembled = self._assembled()
        self.app = create_app(self.assembled)
        self.client: FlaskClient = self.app.test_client()

    def _assembled(self) -> assembly.Assembled:
        real = assembly.assemble(self.settings)
        listed = [issuer for ehr in self.settings.ehr for issuer in ehr.issuer]
        issuers = Issuers(listed, self.published)
        feeds = {
            name: replace(offer, line=FeedLine(getattr(self, {"city-lab": "lab"}.get(name, name))))
            for name, offer in real.gateway.feeds.items()
        }
        gateway = replace(
            real.gateway,
            identifier=Identifier(self.settings, issuers, sessions=real.sessions),
            feeds=feeds,
            ehrs={name: EhrLine(self.ehr) for name in real.gateway.ehrs},
            launched={name: LaunchedEhr(EhrLine(self.ehr), FeedLine(self.ehr)) for name in real.gateway.launched},
            oppositions=Oppositions(
                {
                    name: replace(source, line=FeedLine(self.consents))
                    for name, source in real.gateway.oppositions.sources.items()
                }
            ),
        )
        return replace(real, gateway=gateway, issuers=issuers)

    def published(self, url: str) -> bytes:
        """What the issuer publishes at `url`."""
        if url.endswith("/.well-known/openid-configuration"):
            return orjson.dumps(
                {
                    "issuer": ISSUER,
                    "jwks_uri": f"{ISSUER}/jwks",
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "response_types_supported": ["code"],
                }
            )
        return orjson.dumps(KeySet([self.key]).as_dict(private=False))

    def token(self, *, header: dict[str, Any] | None = None, without: tuple[str, ...] = (), **claims: Any) -> str:
        """An access token of a clinician with patient p1 in context; `claims` replace, `without` leaves out."""
        now = int(time.time())
        content = {
            "iss": ISSUER,
            "sub": "dr-roy",
            "aud": f"{PUBLIC_BASE}/fhir",
            "client_id": CLIENT,
            "iat": now,
            "exp": now + 300,
            "jti": f"jti-{now}-{time.perf_counter_ns()}",
            "scope": "openid fhirUser launch patient/*.rs",
            "fhirUser": "Practitioner/dr-roy",
            "patient": "p1",
            **claims,
        }
        content = {name: value for name, value in content.items() if name not in without}
        return jwt.encode({"alg": "ES256", "kid": "k1", "typ": "at+jwt", **(header or {})}, content, self.key)

    def ask(
        self, path: str, *, token: str | None = None, method: str = "GET", headers: Any = None, **more: Any
    ) -> "Asked":
        """A request with a clinician's token (or `token`; "" for none), and its answer."""
        given = dict(headers or {})
        if token != "":
            given.setdefault("Authorization", f"Bearer {token or self.token()}")
        response = self.client.open(path, method=method, headers=given, **more)
        return Asked(response.status_code, response.headers, response.data)

    def bodies(self) -> list[dict[str, Any]]:
        """The body of every record, in ledger order; the ledger is verified as a whole each time."""
        assert verify(self.settings.ledger.path, self.vkey).problem is None
        return [orjson.loads(each.body) for each in Reader(self.settings.ledger.path).records() if each.body]

    def named(self) -> list[dict[str, Any]]:
        """The records of identified callers; refusals of the others are counts."""
        return [body for body in self.bodies() if body["action"] != "callers:refused"]

    def last(self) -> dict[str, Any]:
        """The newest record."""
        return self.bodies()[-1]


@dataclass(frozen=True)
class Asked:
    """An answer over HTTP."""

    status: int
    headers: Any
    data: bytes

    @property
    def json(self) -> Any:
        """The body, parsed as a reader would; numbers with a fraction as Decimal."""
        return parse(self.data)

    @property
    def references(self) -> list[str]:
        """`Type/id` of the entries of a searchset, outcomes left out."""
        entries = [each for each in self.json.get("entry", []) if each["search"]["mode"] != "outcome"]
        return [f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in entries]

    @property
    def reason(self) -> str:
        """The reason key of an OperationOutcome."""
        return str(self.json["issue"][0]["details"]["coding"][0]["code"])

    @property
    def issue(self) -> str:
        """The FHIR issue code of an OperationOutcome."""
        return str(self.json["issue"][0]["code"])

    def link(self, relation: str) -> str | None:
        """The address of a Bundle's link, without the public base."""
        urls = [each["url"] for each in self.json["link"] if each["relation"] == relation]
        return urls[0].removeprefix(PUBLIC_BASE) if urls else None
