"""A static FHIR server, EHR and issuer in one: answers are precomputed bytes, so that they cost next to nothing.

`python -m benchmarks.upstream PORT JWKS_FILE`.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from benchmarks.people import BIRTH_DATE, FEED_PATIENT, HOST, INS_SYSTEM, MARK, PERSONS, ins
from benchmarks.static_server import Connection, written
from fhir_adapters.resource import encode, parse

SAMPLE = Path(__file__).resolve().parent.parent / "sample_fhir" / "city-lab" / "lab-20417.json"
ENTRIES = 38
BUNDLE_BYTES = 60_000
"""What a page of a laboratory's results weighs at real servers, which add a narrative to each result."""
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
STATUS_SYSTEM = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445"


def observations() -> list[dict[str, Any]]:
    """ENTRIES laboratory results in the form of our sample data, of a patient whose number is MARK."""
    bundle = parse(SAMPLE.read_bytes())
    found = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Observation"]
    for index, resource in enumerate(found[:ENTRIES]):
        resource["id"] = f"obs-{MARK}-{index:02}"
        resource["subject"] = {"reference": f"Patient/{FEED_PATIENT.format(MARK)}"}
    return found[:ENTRIES]


def searchset(base: str) -> bytes:
    """A Bundle of BUNDLE_BYTES with all of `observations`."""
    resources = observations()

    def bundle() -> bytes:
        entries = [
            {"fullUrl": f"{base}/Observation/{each['id']}", "resource": each, "search": {"mode": "match"}}
            for each in resources
        ]
        link = [{"relation": "self", "url": f"{base}/Observation?patient=Patient/{FEED_PATIENT.format(MARK)}"}]
        return encode({"resourceType": "Bundle", "type": "searchset", "total": ENTRIES, "link": link, "entry": entries})

    for each in resources:
        each["text"] = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"></div>'}
    words = "." * ((BUNDLE_BYTES - len(bundle())) // ENTRIES)
    for each in resources:
        each["text"]["div"] = f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'
    return bundle()


def specimens(base: str, number: str, ids: Sequence[str]) -> bytes:
    """The feed's answer to a look-up of the specimens that results name."""
    entries = [
        {
            "fullUrl": f"{base}/Specimen/{each}",
            "resource": {
                "resourceType": "Specimen",
                "id": each,
                "subject": {"reference": f"Patient/{FEED_PATIENT.format(number)}"},
            },
        }
        for each in ids
    ]
    return encode({"resourceType": "Bundle", "type": "searchset", "entry": entries})


def ehr_patient(number: str) -> bytes:
    """The EHR's Patient, its national identifier qualified."""
    status = {"url": "identityStatus", "valueCoding": {"system": STATUS_SYSTEM, "code": "VALI"}}
    return encode(
        {
            "resourceType": "Patient",
            "id": f"p{number}",
            "extension": [{"url": RELIABILITY, "extension": [status]}],
            "identifier": [{"system": INS_SYSTEM, "value": ins(number)}],
            "birthDate": BIRTH_DATE,
        }
    )


def feed_patients(number: str) -> bytes:
    """The feed's answer to a search for that patient's identifier."""
    patient = {
        "resourceType": "Patient",
        "id": FEED_PATIENT.format(number),
        "identifier": [{"system": INS_SYSTEM, "value": ins(number)}],
        "birthDate": BIRTH_DATE,
    }
    return encode({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": patient}]})


SLOW, HUNG = "/slow/", "/hung/"
"""Before the addresses of the feed: an answer comes after SLOW_SECONDS, or never."""
SLOW_SECONDS = 1.0


class Answers:
    """From a request target to the whole bytes of its answer."""

    def __init__(self, port: int, jwks: bytes) -> None:
        self.base = f"http://{HOST}:{port}/feed"
        issuer = f"http://{HOST}:{port}/issuer"
        self._fixed = {
            "/issuer/.well-known/openid-configuration": encode(
                {"issuer": issuer, "jwks_uri": f"{issuer}/jwks", "token_endpoint": f"{issuer}/token"}
            ),
            "/issuer/jwks": jwks,
            "/feed/metadata": encode({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}),
        }
        self._search = searchset(self.base)
        self._read = encode(observations()[0])

    def to(self, target: str, _: bytes) -> tuple[bytes, float | None]:
        """See `static_server.Answers`."""
        if target.startswith(SLOW):
            return self.answer(f"/feed/{target.removeprefix(SLOW)}"), SLOW_SECONDS
        return self.answer(target), None if target.startswith(HUNG) else 0.0

    @lru_cache(maxsize=4 * PERSONS)  # noqa: B019 - one of these lives as long as the process
    def answer(self, target: str) -> bytes:
        """Status line, headers and body."""
        body = self._body(target)
        kind = "application/json" if target.startswith("/issuer/") else "application/fhir+json"
        return written(404 if body is None else 200, kind, body or b"")

    def _body(self, target: str) -> bytes | None:
        path, _, query = target.partition("?")
        if path in self._fixed:
            return self._fixed[path]
        if path == "/feed/Observation":
            number = query.partition("lab-")[2][: len(MARK)]
            return self._search.replace(MARK.encode(), number.encode())
        if path.startswith("/feed/Observation/obs-"):
            number = path.removeprefix("/feed/Observation/obs-")[: len(MARK)]
            return self._read.replace(MARK.encode(), number.encode())
        if path == "/feed/Specimen":
            asked = dict(parse_qsl(query))
            return specimens(self.base, asked["patient"][-len(MARK) :], asked["_id"].split(","))
        if path == "/feed/Patient":
            number = query.partition("&")[0][-len(MARK) :]
            return feed_patients(number)
        if path.startswith("/ehr/Patient/p"):
            return ehr_patient(path.removeprefix("/ehr/Patient/p"))
        return None


async def _serve(port: int, jwks: bytes) -> None:
    answers = Answers(port, jwks)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(answers), HOST, port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2]).read_bytes()))
