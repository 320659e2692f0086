"""Stories of a site whose authorization server gives opaque tokens, in IUA's dialect, and names the patient in them."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.interface import FeedUnavailable
from plugin.app import create_app
from plugin.authentication.identify import Identifier
from plugin.authentication.introspection import IntrospectionEndpoint
from tests.authentication.pretend_issuer import PretendIntrospection
from tests.world import ALMA, CLIENT, CONFIGURATION, INS, ISSUER, PUBLIC_BASE, World, observation

TOKEN = "mF_9.B5f-4.1JqM"
SEARCH = "/fhir/city-lab/Observation?patient=p1"
OPAQUE = f"""
  issuer = "{ISSUER}"
  tokens = "opaque"
  introspection = {{ url = "{ISSUER}/introspect", client_id = "vitrine", client_secret_file = "introspection.secret" }}
  claims = "iua"
"""


def claims(**extension: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": "dr-roy",
        "aud": f"{PUBLIC_BASE}/fhir",
        "client_id": CLIENT,
        "exp": now + 300,
        "scope": "patient/*.rs",
        "patient": "p1",
        "extensions": {
            "ihe_iua": {
                "national_provider_identifier": "10001234567",
                "person_id": f"{ALMA}^^^&{INS.removeprefix('urn:oid:')}&ISO",
                **extension,
            }
        },
    }


@pytest.fixture
def server() -> PretendIntrospection:
    """The issuer's endpoint, which knows one token."""
    return PretendIntrospection({TOKEN: claims()})


@pytest.fixture
def site(tmp_path: Path, server: PretendIntrospection) -> World:
    """The world, its issuer introspected, and its laboratory matched by claim."""
    secret = tmp_path / "introspection.secret"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    text = CONFIGURATION.replace(f'  issuer = "{ISSUER}"\n', OPAQUE)
    world = World(tmp_path, text.replace(f'{{ by = "identifier", systems = ["{INS}"] }}', '"claim"'))
    told = world.settings.ehr[0].issuer[0].introspection
    assert told is not None
    asked = {ISSUER: IntrospectionEndpoint(told, "s3cret", upstream=server)}
    identifier = Identifier(world.settings, world.assembled.issuers, introspections=asked)
    world.assembled = replace(world.assembled, gateway=replace(world.assembled.gateway, identifier=identifier))
    world.client = create_app(world.assembled).test_client()
    world.lab.resources += [observation("o1")]
    return world


def test_a_look_with_an_opaque_token_is_recorded_under_its_hash(site: World) -> None:
    """Nothing of the token, and nothing of the patient's identifier in it, is in the log."""
    answer = site.ask(SEARCH, token=TOKEN)
    assert (answer.status, answer.references) == (200, ["Observation/o1"])
    record = site.last()
    assert record["feed"]["match"] == "claim"
    assert "urn:vitrine:token-sha256:" in str(record)
    assert TOKEN not in str(record)
    assert "person_id" not in str(record)
    assert f"{ALMA}^^^" not in str(record)


def test_an_unknown_token_is_one_refusal_of_a_stranger(site: World) -> None:
    """401, counted like every other, and no character of it kept."""
    answer = site.ask(SEARCH, token="unknown-token-of-somebody")
    assert answer.status == 401
    assert site.named() == []
    assert "unknown-token" not in str(site.bodies())


def test_while_the_issuer_is_down_nobody_is_shown_anything(site: World, server: PretendIntrospection) -> None:
    """Neither yes nor no: the client is told to come again."""
    server.failure = FeedUnavailable("down")
    answer = site.ask(SEARCH, token=TOKEN)
    assert (answer.status, answer.reason) == (503, "issuer-unreachable")
    assert "Retry-After" in answer.headers
    assert site.lab.queries == site.ehr.queries == []
    server.failure = None
    assert site.ask(SEARCH, token=TOKEN).status == 200


def test_a_token_that_names_another_patient_shows_nothing_and_says_why(
    site: World, server: PretendIntrospection
) -> None:
    """The EHR's record of the launch patient is the other witness."""
    for person_id, reason in (
        (f"1{ALMA}^^^&{INS.removeprefix('urn:oid:')}&ISO", "person-id-of-another"),
        ("", "no-person-id"),
    ):
        server.active["other" + reason] = claims(person_id=person_id)
        answer = site.ask(SEARCH, token="other" + reason)
        assert (answer.status, answer.references) == (200, [])
        assert answer.json["entry"][0]["search"]["mode"] == "outcome"
        assert site.last()["feed"]["match"] == reason
    assert site.lab.queries == []
