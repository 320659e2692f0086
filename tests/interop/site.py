"""The gateway as deployed, between servers that are not ours."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.deployed.deployment import SAMPLES, Answer, Deployment
from tests.deployed.neighbours import Neighbours

UNREADY = frozenset({502, 503, 504})
TRIES = 20
PAUSE = 2.0
"""Seconds between tries; a feed that failed is left alone for a while."""
INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"


def feed(name: str, base: str, *, same_id: bool = False) -> str:
    """A `[[feed]]` over FHIR's REST interface; `same_id`: it shares the EHR's patient ids."""
    by_identifier = f'{{ by = "identifier", systems = ["{INS_TEST}"] }}'
    match = '{ by = "same-id", shares_patient_ids_with = "hospital" }' if same_id else by_identifier
    return f'\n[[feed]]\nid = "{name}"\nkind = "fhir-rest"\nbase = "{base}"\nmatch = {match}\n'


def folder_feed() -> str:
    """The sample laboratory, read from its files."""
    return f"""
[[feed]]
id = "city-lab"
kind = "bundle-folder"
path = "{SAMPLES / "city-lab"}"
match = {{ by = "identifier", systems = ["{INS_TEST}"] }}
"""


class Site(Deployment):
    """A deployment whose EHR and feeds are given."""

    def __init__(
        self, folder: Path, neighbours: Neighbours, *, ehr: str, feeds: str, issuers: str = "", more: str = ""
    ) -> None:
        """`ehr` is the EHR's FHIR base; `issuers` are `[[ehr.issuer]]` and `[[ehr.client]]` tables of one's own.

        `more` are further keys of the file's first part.
        """
        super().__init__(folder, neighbours)
        usual = f"""
  [[ehr.issuer]]
  issuer = "{neighbours.url}"
  [[ehr.client]]
  id = "results-pane"
  renders_only = true
  default_purpose = "TREAT"
"""
        self.path.write_text(
            f"""
public_base = "{self.base}"
listen = "127.0.0.1:{self.port}"
ops_listen = "127.0.0.1:{self.ops}"
workers = 1
demo = true
{more}
[[ehr]]
id = "hospital"
fhir_base = "{ehr}"
{issuers or usual}
{feeds}"""
        )

    @property
    def base(self) -> str:
        """The gateway's `public_base`."""
        return f"http://127.0.0.1:{self.port}"

    def fhir(self, name: str) -> str:
        """The FHIR base of a feed, as clients see it."""
        return f"{self.base}/fhir/{name}"

    def ask(self, path: str, **how: Any) -> Answer:
        """A request, repeated while a server stays out of its time: a Java server's first answers take seconds."""
        for _ in range(TRIES):
            answer = self.ask_once(path, **how)
            if answer.status not in UNREADY:
                break
            time.sleep(PAUSE)
        return answer

    def ask_once(self, path: str, **how: Any) -> Answer:
        return super().ask(path, **how)

    def person(self, **claims: Any) -> str:
        """A token of somebody who has not asked anything yet, so that no quota of others counts."""
        return self.token(sub=f"dr-{uuid4().hex[:12]}", **claims)

    def pages(self, path: str, token: str) -> Iterator[Any]:
        """The Bundles of a search, from page to page."""
        while path:
            answer = self.ask(path, token=token)
            assert answer.status == 200, answer.body
            yield answer.json
            path = following(self, answer.json)

    def record_of(self, answer: Answer) -> dict[str, Any]:
        """The record of a request, in a ledger that is whole."""
        [found] = self.records_of(answer.headers["x-request-id"])
        return found

    def records_of(self, request: str) -> list[dict[str, Any]]:
        """All records of a request, by its id."""
        return [body for body in self.bodies() if body.get("request") == request]


def following(site: Site, bundle: Any) -> str:
    """The path of the page that follows, or ""."""
    addresses = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
    return str(addresses[0]).removeprefix(site.base) if addresses else ""


def ids(bundle: Any) -> list[str]:
    """`Type/id` of each entry."""
    return [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle.get("entry", [])]


def refused(answer: Answer, status: int) -> str:
    """The issue code of a refusal with this status, which comes in FHIR's form."""
    assert answer.status == status, answer.body[:2_000]
    return str(answer.issue["code"])
