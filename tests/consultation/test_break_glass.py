"""Breaking the glass: recorded before it stands, ended within its time, and never a way around the core."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plugin import assembly
from plugin.alerts import Alerts
from plugin.authentication.credential import BearerToken
from plugin.cli import worker
from plugin.consultation.break_glass import SECONDS, BreakGlass
from plugin.consultation.feed_line import FeedLine
from plugin.consultation.opposition import ConsentSource, Oppositions
from plugin.consultation.release import Release
from plugin.errors import RecordUnavailable, Refused, StateUnavailable, Unidentified
from plugin.ledger.errors import LedgerUnavailable
from plugin.recorder import Recorder
from plugin.state.openings import CLAIM_SECONDS, Opening, Openings
from plugin.state.suspensions import Kind, Suspension
from policies.vocabulary.consultation import ClinicalConsultation, Origin
from policies.vocabulary.emergency import MAX_TEXT, WORDS, EmergencyAccess, EmergencyReason
from policies.vocabulary.interactions import Delivery, Interaction, Level
from policies.vocabulary.purposes import ACT_REASON
from tests.alerts.test_alerts import Listener
from tests.consultation.site import labelled
from tests.consultation.test_attempt import FaultyLedger
from tests.world import CONFIGURATION, World, observation

RULES = """
@id("site-emergency") @fr("F.") @en("E.")
permit (principal, action in Action::"consult", resource)
when { context has purpose && context.purpose == "BTG" && context.break_glass };

@id("restricted-needs-emergency") @fr("F.") @en("E.")
forbid (principal, action == Action::"show", resource)
when { context has confidentiality && context.confidentiality == "R" }
unless { context.break_glass };
"""
SEARCH = "/fhir/city-lab/Observation?patient=p1"
LIFE = EmergencyReason.LIFE_THREATENING


class Clock:
    """A clock that is moved by hand."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Ward:
    """The world in an emergency: a clinician's viewer, the clock, whom alerts reach, and faults."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = Clock()
        self.listener = Listener()
        self.ledger = FaultyLedger(world.assembled.ledger)
        gateway = world.assembled.gateway
        recorder = Recorder(self.ledger, {"base": "b", "version": "0", "policies": "d"})  # type: ignore[arg-type]
        self.alerts = Alerts([self.listener], "https://vitrine.example")
        glass = replace(gateway.glass, recorder=recorder, clock=self.clock)
        self.gateway = replace(gateway, recorder=recorder, alerts=self.alerts, glass=glass)
        self.requests = 0

    def origin(self) -> Origin:
        self.requests += 1
        return Origin(f"req-{self.requests}", "192.0.2.1", "viewer")

    def token(self, **claims: Any) -> BearerToken:
        return BearerToken(self.world.token(**claims), None)

    def open(
        self,
        reason: EmergencyReason | None = LIFE,
        text: str = "",
        *,
        delivery: Delivery = Delivery.RENDERED,
        **claims: Any,
    ) -> Opening:
        asked = EmergencyAccess(delivery, reason=reason, text=text)
        return self.gateway.break_glass(self.token(**claims), asked, self.origin())

    def close(self, **claims: Any) -> Opening:
        asked = EmergencyAccess(Delivery.RENDERED, closing=True)
        return self.gateway.break_glass(self.token(**claims), asked, self.origin())

    def look(self, delivery: Delivery = Delivery.RENDERED, feed: str = "city-lab", **claims: Any) -> Release:
        asked = ClinicalConsultation(feed, Interaction.SEARCH_TYPE, Level.TYPE, delivery, "Observation")
        return self.gateway.consult(self.token(**claims), asked, self.origin())

    def shown(self, **more: Any) -> list[str]:
        return [each.resource["id"] for each in self.look(**more).shown]

    def heard(self) -> list[dict[str, str]]:
        assert self.alerts.flush(60)
        return self.listener.heard

    def actions(self) -> list[str]:
        return [each["action"] for each in self.world.bodies()]

    def openings(self, kind: type[Openings] = Openings) -> Openings:
        """What stands open, as another worker sees it."""
        settings = self.world.settings
        return kind(settings.state_dir, assembly.sealing_keys(settings))

    def other_process(self) -> BreakGlass:
        return replace(self.gateway.glass, openings=self.openings())


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    """Whose site lets doctors break the glass, and shows what is restricted only then."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "site.cedar").write_text(RULES)
    world = World(tmp_path, f'{CONFIGURATION}\n[policies]\ndirectory = "rules"\n')
    world.lab.resources += [observation("plain"), labelled(observation("restricted"))]
    return Ward(world)


def refused(ask: Callable[[], Any], reason: str, *rules: str) -> None:
    with pytest.raises(Refused) as refusal:
        ask()
    assert refusal.value.reason == reason
    if rules:
        assert refusal.value.rules == rules


def test_what_gives_way_is_shown_while_it_stands_and_each_look_names_the_opening(ward: Ward) -> None:
    """Before and after, the rule withholds; meanwhile purpose and fact are those of an emergency."""
    assert ward.shown() == ["plain"]
    opening = ward.open(text="unconscious")
    assert ward.world.lab.queries[-1][0] == "search"
    calls = len(ward.world.lab.queries)
    assert ward.shown() == ["plain", "restricted"]
    assert len(ward.world.lab.queries) > calls
    ward.close()
    assert ward.shown() == ["plain"]
    before, opened, under, closed, after = ward.world.bodies()
    assert [each["action"].split(":")[1] for each in (before, opened, under, closed, after)] == [
        "released", "opened", "released", "closed", "released",
    ]  # fmt: skip
    assert opened["record"] == opening.record == "req-2.1"
    assert opened["break_glass"] == {
        "opening": "req-2.1",
        "reason": "life-threatening",
        "text": "unconscious",
        "until": "2027-01-15T08:30:00.000Z",
    }
    assert opened["rules"] == ["site-emergency"]
    assert (opened["patient"], opened["person"]["subject"], opened["ehr"]["id"]) == ("p1", "dr-roy", "hospital")
    assert opened["client"]["address"] == "192.0.2.1"
    assert opened["token"]["reference"]
    assert "released" not in opened
    assert under["break_glass"] == {"opening": "req-2.1"}
    assert closed["break_glass"] == {"opening": "req-2.1", "reason": "life-threatening", "closed_by": "person"}
    btg = {"codes": ["BTG"], "source": "declared"}
    assert opened["purpose"] == under["purpose"] == closed["purpose"] == btg
    assert before["purpose"]["codes"] == after["purpose"]["codes"] == ["TREAT"]
    assert "break_glass" not in before
    assert "break_glass" not in after


def test_opening_asks_no_feed_and_no_ehr(ward: Ward) -> None:
    """It releases nothing; only looks do, each with its record."""
    ward.open()
    assert (ward.world.ehr.queries, ward.world.lab.queries, ward.world.imaging.queries) == ([], [], [])


def test_somebody_is_told_by_reference_alone(ward: Ward) -> None:
    """Once, when it stands; who and whom is for who may read the log."""
    ward.open()
    (alert,) = ward.heard()
    assert (alert["alert"], alert["reference"]) == ("break-glass-opened", "req-1.1")
    assert set(alert) == {"alert", "reference", "gateway", "time"}


def test_it_stands_for_one_person_and_one_patient_in_every_process(ward: Ward) -> None:
    """And in the viewer only: data for a program stays as it was."""
    ward.open()
    ward.world.ehr.resources.append({**ward.world.ehr.resources[0], "id": "p2"})
    assert ward.shown(sub="dr-kim") == ["plain"]
    assert ward.shown(delivery=Delivery.STRUCTURED) == ["plain"]
    assert ward.shown(patient="p2") == ["plain"]
    assert all("break_glass" not in each for each in ward.world.bodies()[1:])
    ward.gateway = replace(ward.gateway, glass=ward.other_process())
    assert ward.shown() == ["plain", "restricted"]
    assert ward.shown(jti="another-token-of-hers") == ["plain", "restricted"]


def test_the_banner_is_told_what_stands_and_nothing_is_recorded(ward: Ward) -> None:
    """A page that shows no results needs it too."""
    assert ward.gateway.broken_glass(ward.token()) is None
    opening = ward.open()
    assert ward.gateway.broken_glass(ward.token()) == opening
    assert ward.gateway.broken_glass(ward.token(sub="dr-kim")) is None
    assert ward.actions() == ["break-glass:opened"]


def test_it_ends_by_itself_and_that_is_recorded_once(ward: Ward) -> None:
    """Thirty minutes; by whichever process looks first, in the name of who had opened it."""
    ward.open()
    other = ward.other_process()
    ward.clock.now += SECONDS - 1
    assert ward.gateway.glass.record_ended() == 0
    assert ward.shown() == ["plain", "restricted"]
    ward.clock.now += 1
    assert ward.shown() == ["plain"], "the moment needs no tick"
    assert (other.record_ended(), ward.gateway.glass.record_ended()) == (1, 0)
    ward.clock.now += 10 * CLAIM_SECONDS
    assert (other.record_ended(), ward.gateway.glass.record_ended()) == (0, 0)
    (closed,) = [each for each in ward.world.bodies() if each["action"] == "break-glass:closed"]
    assert closed["record"] == "req-1.1-closed"
    assert closed["break_glass"] == {
        "opening": "req-1.1",
        "until": "2027-01-15T08:30:00.000Z",
        "closed_by": "time",
        "reason": "life-threatening",
    }
    assert (closed["person"]["subject"], closed["patient"], closed["purpose"]["codes"]) == ("dr-roy", "p1", ["BTG"])
    assert closed["ehr"]["id"] == "hospital"
    ward.open()
    assert ward.shown() == ["plain", "restricted"], "and it can be opened again"


def test_an_end_that_was_recorded_by_a_process_that_died_is_not_recorded_again(ward: Ward) -> None:
    """Between the record and forgetting it a process can be killed."""
    ward.open()
    ward.clock.now += SECONDS
    faulty = Faulty(ward, "forget")
    with pytest.raises(StateUnavailable):
        faulty.glass.record_ended()
    ward.clock.now += CLAIM_SECONDS
    assert ward.gateway.glass.record_ended() == 1
    assert ward.actions() == ["break-glass:opened", "break-glass:closed"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_end_that_cannot_be_recorded_now_is_recorded_later(ward: Ward, moment: str) -> None:
    """Access has ended all the same; where the ledger had written it after all, nothing is withdrawn."""
    ward.open()
    ward.clock.now += SECONDS
    ward.ledger.faults = [(moment, LedgerUnavailable("full"))]
    with pytest.raises(RecordUnavailable):
        ward.gateway.glass.record_ended()
    assert ward.gateway.broken_glass(ward.token()) is None
    ward.clock.now += CLAIM_SECONDS
    ward.gateway.glass.record_ended()
    assert ward.actions() == ["break-glass:opened", "break-glass:closed"]


def test_a_worker_keeps_looking_after_a_failure(ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
    """The tick of the server swallows what will be tried again, and nothing else."""
    ward.open()
    ward.clock.now += SECONDS
    ward.ledger.faults = [("before", LedgerUnavailable("full"))]
    assembled = replace(ward.world.assembled, gateway=ward.gateway)
    worker._record_ended(assembled)
    ward.clock.now += CLAIM_SECONDS
    worker._record_ended(assembled)
    assert ward.actions() == ["break-glass:opened", "break-glass:closed"]
    assert worker.OWED_SECONDS < 60


def test_a_clock_set_back_ends_it(ward: Ward) -> None:
    """It would last longer otherwise."""
    ward.open()
    ward.clock.now -= 3600
    assert ward.shown() == ["plain"]
    assert ward.gateway.glass.record_ended() == 1
    assert ward.actions()[-1] == "break-glass:closed"
    ward.clock.now += 3600
    assert ward.shown() == ["plain"], "what ended does not come back"


def test_one_that_nobody_came_to_record_makes_room(ward: Ward) -> None:
    """In an emergency nobody waits for a tick."""
    ward.open()
    ward.clock.now += SECONDS
    ward.open()
    assert ward.actions() == ["break-glass:opened", "break-glass:closed", "break-glass:opened"]
    assert ward.world.bodies()[1]["break_glass"]["opening"] == "req-1.1"
    assert ward.shown() == ["plain", "restricted"]


def test_opening_twice_and_closing_what_is_not_open_are_refused_and_recorded(ward: Ward) -> None:
    """By a reason that the page can tell."""
    refused(ward.close, "break-glass-not-open", "break-glass")
    ward.open()
    refused(ward.open, "break-glass-open", "break-glass")
    refused(lambda: ward.close(sub="dr-kim"), "break-glass-not-open", "break-glass")
    ward.close()
    refused(ward.close, "break-glass-not-open")
    denied = [each for each in ward.world.bodies() if each["action"] == "break-glass:denied"]
    assert len(denied) == 4
    assert {each["outcome"] for each in denied} == {"4"}
    assert denied[1]["break_glass"] == {"reason": "life-threatening"}
    assert len(ward.heard()) == 1


@pytest.mark.parametrize(
    ("reason", "text", "about"),
    [
        (None, "", "reason"),
        (EmergencyReason.OTHER, "", "text"),
        (EmergencyReason.OTHER, " \n\t ", "text"),
        (LIFE, "x" * (MAX_TEXT + 1), "text"),
        (LIFE, "a\x1b[2Jb", "text"),
    ],
)
def test_a_reason_is_one_of_the_codes_and_a_text_is_short(
    ward: Ward, reason: EmergencyReason | None, text: str, about: str
) -> None:
    """The refusal names the field, and the record holds no text that was refused."""
    with pytest.raises(Refused, match=about) as refusal:
        ward.open(reason, text)
    assert (refusal.value.status, refusal.value.rules) == (400, ("shape",))
    (record,) = ward.world.bodies()
    assert record["action"] == "break-glass:denied"
    assert "text" not in record.get("break_glass", {})
    assert ward.gateway.broken_glass(ward.token()) is None


def test_every_reason_opens_and_has_words_in_both_languages(ward: Ward) -> None:
    """A text of several lines is one line in the record."""
    assert WORDS.keys() == set(EmergencyReason)
    assert all(french and english and french != english for french, english in WORDS.values())
    for reason in EmergencyReason:
        ward.open(reason, "  no\nreply ")
        assert ward.world.last()["break_glass"]["text"] == "no reply"
        ward.close()


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"fhirUser": "Patient/p1"}, "natural-person"),
        ({"sub": "results-pane"}, "natural-person"),
        ({"extensions": {"ihe_iua": {"purpose_of_use": ["HRESCH"]}}}, "care-only"),
    ],
)
def test_the_core_never_gives_way(ward: Ward, claims: dict[str, Any], rule: str) -> None:
    """Who may not look, may not break the glass either; the record says which rule."""
    refused(lambda: ward.open(**claims), "access-denied")
    record = ward.world.last()
    assert record["action"] == "break-glass:denied"
    assert rule in record["rules"]
    assert ward.heard() == []


def test_a_program_does_not_break_the_glass(ward: Ward) -> None:
    """Nor does a purpose in a token, in the viewer or out of it."""
    refused(lambda: ward.open(delivery=Delivery.STRUCTURED), "access-denied", "break-glass-in-the-viewer")
    btg = {"extensions": {"ihe_iua": {"purpose_of_use": ["BTG"]}}}
    refused(lambda: ward.look(**btg), "access-denied", "break-glass-in-the-viewer")
    ward.open()
    refused(lambda: ward.look(delivery=Delivery.STRUCTURED, **btg), "access-denied", "break-glass-in-the-viewer")
    assert ward.shown(**btg) == ["plain", "restricted"]


def test_a_token_without_scopes_opens_nothing(ward: Ward) -> None:
    """Scopes are the ceiling of every look, so nothing could be seen."""
    refused(lambda: ward.open(scope="openid launch"), "insufficient-scope", "scope")


def test_a_suspended_person_neither_opens_nor_goes_on_looking(ward: Ward) -> None:
    """At once, in the middle of an emergency too; closing is open to everybody."""
    ward.open()
    ward.gateway.suspensions.suspend(
        Suspension(Kind.PERSON, "https://login.example dr-roy", "r", "2026-01-01T00:00:00Z")
    )
    refused(ward.look, "access-denied", "suspended")
    ward.close()
    refused(ward.open, "access-denied", "suspended")


def test_where_no_rule_of_the_site_asks_for_it_the_glass_is_not_broken(tmp_path: Path) -> None:
    """Nothing would give way, so nobody is led to believe that it did."""
    ward = Ward(World(tmp_path))
    refused(ward.open, "access-denied", "no-rule-permits")
    assert ward.heard() == []


def test_openings_count_against_the_quotas(tmp_path: Path) -> None:
    """Trying again and again is noticed."""
    ward = Ward(World(tmp_path, f"{CONFIGURATION}\n[limits]\nconsultations_per_person_hour = 1\n"))
    refused(ward.open, "access-denied")
    refused(ward.open, "quota", "quota")
    assert [each["alert"] for each in ward.heard()] == ["quota-reached"]


def test_a_stranger_is_counted_and_opens_nothing(ward: Ward) -> None:
    """As at every door."""
    asked = EmergencyAccess(Delivery.RENDERED, reason=LIFE)
    with pytest.raises(Unidentified):
        ward.gateway.break_glass(BearerToken("forged", None), asked, ward.origin())
    assert [each for each in ward.actions() if each.startswith("break-glass")] == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_cannot_be_recorded_does_not_stand(ward: Ward, moment: str) -> None:
    """Refused by the ledger, or of unknown outcome: then what is there is withdrawn. Trying again works at once."""
    ward.ledger.faults = [(moment, LedgerUnavailable("full"))]
    with pytest.raises(RecordUnavailable):
        ward.open()
    assert ward.gateway.broken_glass(ward.token()) is None
    assert ward.shown() == ["plain"]
    assert ward.heard() == []
    settled = ["break-glass:opened", "release:withdrawn"] if moment == "after" else ["ledger:gap"]
    assert ward.actions() == [*settled, "consultation:released"]
    ward.open()
    assert ward.shown() == ["plain", "restricted"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_closing_that_cannot_be_recorded_ends_access_all_the_same(ward: Ward, moment: str) -> None:
    """And its end is recorded later, as one that came by itself."""
    ward.open()
    ward.ledger.faults = [(moment, LedgerUnavailable("full"))]
    with pytest.raises(RecordUnavailable):
        ward.close()
    assert ward.gateway.broken_glass(ward.token()) is None
    assert ward.shown() == ["plain"]
    ward.clock.now += CLAIM_SECONDS
    ward.gateway.glass.record_ended()
    assert ward.world.last()["record"] == "req-1.1-closed"


class FaultyOpenings(Openings):
    """Of which one method fails."""

    failing = ""

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "failing"):
            raise StateUnavailable
        return object.__getattribute__(self, name)


class Faulty:
    """The ward's gateway on a state of which one method fails."""

    def __init__(self, ward: Ward, failing: str) -> None:
        openings = ward.openings(FaultyOpenings)
        openings.failing = failing  # type: ignore[attr-defined]
        self.glass = replace(ward.gateway.glass, openings=openings)
        self.gateway = replace(ward.gateway, glass=self.glass)


@pytest.mark.parametrize(
    ("failing", "actions"),
    [
        ("find", ["break-glass:failed"]),
        ("reserve", ["break-glass:failed"]),
        ("begin", ["break-glass:opened", "break-glass:failed"]),
    ],
)
def test_a_state_that_fails_is_recorded_and_opens_nothing(ward: Ward, failing: str, actions: list[str]) -> None:
    """Where the opening is recorded already, so is that it does not stand."""
    sound, ward.gateway = ward.gateway, Faulty(ward, failing).gateway
    with pytest.raises(StateUnavailable):
        ward.open()
    ward.gateway = sound
    assert ward.actions() == actions
    record = ward.world.last()
    assert (record["outcome"], record["reason"], record["purpose"]["codes"]) == ("12", "state-unavailable", ["BTG"])
    assert (record["person"]["subject"], record["patient"]) == ("dr-roy", "p1")
    assert ward.gateway.broken_glass(ward.token()) is None
    assert ward.shown() == ["plain"]
    assert ward.heard() == []
    ward.clock.now += CLAIM_SECONDS
    ward.gateway.glass.record_ended()
    assert [each for each in ward.actions() if each.startswith("break-glass")] == actions, "the failure is the end"
    ward.open()
    assert ward.shown() == ["plain", "restricted"]


def test_a_look_is_refused_where_it_cannot_be_told_whether_the_glass_is_broken(ward: Ward) -> None:
    """In the viewer; a program's look does not ask."""
    ward.gateway = Faulty(ward, "find").gateway
    with pytest.raises(StateUnavailable):
        ward.look()
    assert ward.world.last()["action"] == "consultation:unavailable"
    assert ward.shown(delivery=Delivery.STRUCTURED) == ["plain"]


def test_a_patients_prior_opposition_does_not_give_way(ward: Ward) -> None:
    """Neither to an opening, nor to a look under one that was opened before the patient could be asked."""
    ward.open()
    deny = {"type": "deny", "purpose": [{"system": ACT_REASON, "code": "TREAT"}]}
    about = {"patient": {"reference": "Patient/p1"}, "provision": deny}
    ward.world.consents.resources = [{"resourceType": "Consent", "id": "c", "status": "active", **about}]
    ward.gateway = replace(
        ward.gateway,
        oppositions=Oppositions({"hospital": ConsentSource(FeedLine(ward.world.consents), by_patient=True)}),
    )
    refused(ward.look, "access-denied", "patient-opposition")
    ward.close()
    refused(ward.open, "access-denied", "patient-opposition")


def test_a_process_that_dies_between_record_and_beginning_leaves_an_end(ward: Ward) -> None:
    """The log never keeps an opening without one."""
    glass = ward.gateway.glass

    class Killed(Exception):
        pass

    class Dying(Openings):
        def begin(self, opening: Opening) -> bool:
            raise Killed

    dying = ward.openings(Dying)
    sound, ward.gateway = ward.gateway, replace(ward.gateway, glass=replace(glass, openings=dying))
    with pytest.raises(Killed):
        ward.open()
    ward.gateway = sound
    assert ward.gateway.broken_glass(ward.token()) is None
    assert ward.gateway.glass.record_ended() == 0, "it might still be at work"
    ward.clock.now += CLAIM_SECONDS
    assert ward.gateway.glass.record_ended() == 1
    assert ward.actions() == ["break-glass:opened", "break-glass:closed"]
    assert ward.world.last()["break_glass"]["closed_by"] == "failure"


def test_the_facade_is_as_it_was(ward: Ward) -> None:
    """Over HTTP an opening changes nothing."""
    ward.open()
    assert ward.world.ask(SEARCH).references == ["Observation/plain"]
