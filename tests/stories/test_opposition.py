"""A patient's opposition, from a Consent at a source of the EHR to a refusal over HTTP."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.interface import FeedTimeout, Tree
from plugin.app import create_app
from plugin.authentication.credential import BearerToken
from plugin.consultation.consents import Consents, ConsentSource
from plugin.consultation.feed_line import EhrLine
from plugin.errors import Refused
from policies.vocabulary.consultation import Origin
from policies.vocabulary.emergency import EmergencyAccess, EmergencyReason
from policies.vocabulary.interactions import Delivery
from tests.world import CONFIGURATION, MemoryFeed, World, observation

SEARCH = "/fhir/city-lab/Observation?patient=p1"
BREAKS_GLASS = """
@id("site-emergency") @fr("F.") @en("E.")
permit (principal, action in Action::"consult", resource)
when { context has purpose && context.purpose == "BTG" && context.break_glass };
"""


def consent(patient: str | Tree = "p1", **more: Any) -> Tree:
    return {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "patient": {"reference": f"Patient/{patient}"} if isinstance(patient, str) else patient,
        "provision": {"type": "deny"},
        **more,
    }


def scope(code: str) -> Tree:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": code}]}


def purpose(code: str) -> Tree:
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}


class Registry:
    """The world with a server of consents."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.server = MemoryFeed("consents", "https://consents.example/fhir")
        world.lab.resources.append(observation("o1"))
        consents = Consents({"hospital": ConsentSource(EhrLine(self.server), by_patient=True)})
        self.gateway = replace(world.assembled.gateway, consents=consents)
        world.client = create_app(replace(world.assembled, gateway=self.gateway)).test_client()

    def refusing_rules(self) -> list[str]:
        """Of a search for results: empty where they were shown."""
        asked = self.world.ask(SEARCH)
        if asked.status == 200:
            assert asked.references == ["Observation/o1"]
            return []
        assert (asked.status, asked.reason) == (403, "access-denied")
        assert b"onsent" not in asked.data
        return list(self.world.last()["rules"])


@pytest.fixture
def registry(world: World) -> Registry:
    return Registry(world)


SHOWN = {
    "no consent": [],
    "a bare permit": [consent(provision={"type": "permit"})],
    "another patient's deny, from a server that ignores what it is asked": [consent("p2")],
    "a deny that was withdrawn": [consent(status="inactive")],
    "a deny whose period is past": [
        consent(provision={"type": "deny", "period": {"start": "2020-01-01", "end": "2020-12-31"}})
    ],
    "a deny for research": [consent(provision={"type": "deny", "purpose": [purpose("HRESCH")]})],
    "a consent about taking part in research": [consent(scope=scope("research"))],
}
HIDDEN = {
    "a deny at the root": [consent()],
    "a deny of the scope of privacy": [consent(scope=scope("patient-privacy"))],
    "a deny of a scope that nobody knows": [consent(scope={"text": "?"})],
    "a nested deny": [consent(provision={"type": "permit", "provision": [{"type": "deny"}]})],
    "a deny for care and research": [
        consent(provision={"type": "deny", "purpose": [purpose("HRESCH"), purpose("TREAT")]})
    ],
    "an absolute reference to the patient": [consent(patient={"reference": "https://ehr.example/fhir/Patient/p1"})],
    "a permit beside it": [consent(provision={"type": "permit"}), consent(id="c2")],
    "an unknown type of provision": [consent(provision={"type": "perhaps"})],
    "a modifier that nobody knows": [consent(modifierExtension=[{"url": "https://example.com/x"}])],
    "a consent that does not say whose it is": [consent(patient={"display": "Alma"})],
    "a status that nobody knows": [consent(status="paused")],
    "10,000 provisions": [consent(provision={"type": "permit", "provision": [{"type": "permit"}] * 10_000})],
}


@pytest.mark.parametrize("case", SHOWN)
def test_what_does_not_oppose_hides_nothing(registry: Registry, case: str) -> None:
    registry.server.ignores_parameters = True
    registry.server.resources = SHOWN[case]
    assert registry.refusing_rules() == []


@pytest.mark.parametrize("case", HIDDEN)
def test_what_opposes_or_is_not_understood_hides_everything_and_no_feed_is_asked(registry: Registry, case: str) -> None:
    registry.server.resources = HIDDEN[case]
    registry.server.ignores_parameters = True
    assert registry.refusing_rules() == ["patient-opposition"]
    assert registry.world.lab.queries == []


def test_where_consents_cannot_be_read_nothing_is_shown(registry: Registry) -> None:
    registry.server.failure = FeedTimeout("feed 'consents' was too slow")
    assert registry.refusing_rules() == ["patient-opposition"]


def test_a_deny_on_a_later_page_counts(registry: Registry) -> None:
    registry.server.page_size = 1
    registry.server.resources = [consent(provision={"type": "permit"}), consent(id="c2")]
    assert registry.refusing_rules() == ["patient-opposition"]


def test_more_pages_than_are_read_hide_everything(registry: Registry) -> None:
    registry.server.page_size = 1
    registry.server.resources = [consent(id=f"c{n}", provision={"type": "permit"}) for n in range(30)]
    assert registry.refusing_rules() == ["patient-opposition"]


def test_a_withdrawal_counts_at_the_next_look(registry: Registry) -> None:
    """Nothing of a consent is kept."""
    registry.server.resources = [consent()]
    assert registry.refusing_rules() == ["patient-opposition"]
    registry.server.resources = []
    assert registry.refusing_rules() == []


def test_breaking_the_glass_does_not_override_an_opposition(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "site.cedar").write_text(BREAKS_GLASS)
    registry = Registry(World(tmp_path, f'{CONFIGURATION}\n[policies]\ndirectory = "rules"\n'))
    registry.server.resources = [consent()]
    asked = EmergencyAccess(Delivery.RENDERED, reason=EmergencyReason.LIFE_THREATENING)
    credential = BearerToken(registry.world.token(), None)
    with pytest.raises(Refused) as refusal:
        registry.gateway.break_glass(credential, asked, Origin("req-1", "192.0.2.1", "viewer"))
    assert refusal.value.rules == ("patient-opposition",)
    registry.server.resources = []
    assert registry.gateway.break_glass(credential, asked, Origin("req-2", "192.0.2.1", "viewer")).patient == "p1"


def test_consents_come_from_a_folder_too(tmp_path: Path) -> None:
    """Read anew at each look, however the patient is written; a folder that is gone hides everything."""
    base = 'fhir_base = "https://ehr.example/fhir"'
    where = 'consents = { kind = "bundle-folder", path = "consents" }'
    folder = tmp_path / "consents"
    folder.mkdir()
    world = World(tmp_path, CONFIGURATION.replace(base, f"{base}\n{where}"))
    world.lab.resources.append(observation("o1"))
    assert world.ask(SEARCH).references == ["Observation/o1"]
    opposing = consent(patient={"reference": "https://ehr.example/fhir/Patient/p1"})
    (folder / "c1.json").write_text(json.dumps(opposing))
    assert world.ask(SEARCH).status == 403
    assert world.last()["rules"] == ["patient-opposition"]
    (folder / "c1.json").unlink()
    folder.rmdir()
    assert world.ask(SEARCH).status == 403
