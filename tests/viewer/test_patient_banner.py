"""Who the patient is: asked of the EHR where the launch granted it, kept while the view lasts, and gone with it."""

from pathlib import Path

import pytest

from fhir_adapters.interface import FeedTimeout
from plugin.errors import RecordUnavailable, StateUnavailable
from plugin.event import LOCAL_FEED
from plugin.state.patient_names import MAX_KEPT, PatientName, PatientNames
from plugin.state.suspensions import Kind, Suspension
from plugin.state.views import IDLE_SECONDS, Views
from tests.launch.launching import VIEWER, configuration
from tests.viewer.clinic import Clinic
from tests.world import ISSUER

UNNAMED = "The patient of the open record (the name is not known here)"


def reads(clinic: Clinic) -> list[str]:
    """What became of each look at the EHR's own record."""
    return [body["action"] for body in clinic.world.named() if body.get("feed", {}).get("id") == LOCAL_FEED]


def remembered(clinic: Clinic) -> bool:
    return bool(clinic.world.assembled.sessions.names.views())


def test_a_name_is_read_once_for_a_view_and_forgotten_at_its_logout(clinic: Clinic) -> None:
    """A patient's name and birth date in the memory of a view that is over are of no use to anybody."""
    for _ in range(3):
        assert "Alma MARTIN" in clinic.get().text
    assert reads(clinic) == ["consultation:released"]
    clinic.post("logout", {"form": clinic.get().form})
    assert not remembered(clinic)


def test_a_name_is_forgotten_when_its_view_was_ended_by_another_process(clinic: Clinic) -> None:
    clinic.get()
    assembled = clinic.world.assembled
    assembled.launches.views.forget(clinic.view)
    assembled.sessions.forget_ended()
    assert not remembered(clinic)


@pytest.mark.parametrize("seconds", [IDLE_SECONDS, 3600.0])
def test_a_name_is_forgotten_when_its_view_ends_by_itself(clinic: Clinic, seconds: float) -> None:
    clinic.get()
    clinic.world.assembled.sessions.forget_ended()
    assert remembered(clinic)
    names = clinic.world.assembled.sessions.names
    clinic.later(seconds)
    clinic.world.assembled.sessions.forget_ended()
    assert not names.views()


def test_what_cannot_be_told_to_stand_is_forgotten(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the state cannot be read, nobody knows whose view is over."""

    def unreadable(*_: object) -> None:
        raise StateUnavailable

    clinic.get()
    monkeypatch.setattr(Views, "standing", unreadable)
    clinic.world.assembled.sessions.forget_ended()
    assert not remembered(clinic)


def test_a_launch_that_does_not_grant_the_patient_asks_no_name_and_the_page_says_so(tmp_path: Path) -> None:
    """Our own refusals would fill the log: one for each page."""
    client = f'client_id = "{VIEWER}"'
    text = configuration().replace(client, f'{client}\n  scopes = ["patient/Observation.rs"]')
    clinic = Clinic(tmp_path, text)
    for path in ("", "emergency", "feed/city-lab"):
        seen = clinic.get(path)
        assert seen.status == 200
        assert UNNAMED in seen.text
        assert "Alma MARTIN" not in seen.html
    assert "(son nom n’est pas connu ici)" in clinic.get(language="fr").text
    assert reads(clinic) == []


def test_a_name_that_a_rule_refuses_is_asked_for_once_in_a_while(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Suspension(Kind.PERSON, f"{ISSUER} dr-roy", "left", "2026-01-01T00:00:00Z")
    clinic.world.assembled.gateway.suspensions.suspend(person)
    for _ in range(3):
        assert UNNAMED in clinic.get().text
    assert reads(clinic) == ["consultation:denied"]
    monkeypatch.setattr("plugin.faces.viewer.patient.REFUSED_SECONDS", 0.0)
    clinic.world.assembled.sessions.names.forget(clinic.view)
    clinic.get()
    clinic.get()
    assert reads(clinic) == ["consultation:denied"] * 3


def test_an_ehr_that_hangs_holds_one_page_up_and_is_asked_again_later(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.world.ehr.failure = FeedTimeout("slow")
    for _ in range(3):
        assert UNNAMED in clinic.get().text
    assert reads(clinic) == ["consultation:failed"]
    monkeypatch.setattr("plugin.faces.viewer.patient.FAILED_SECONDS", 0.0)
    clinic.world.assembled.sessions.names.forget(clinic.view)
    clinic.get()
    clinic.world.ehr.failure = None
    assert "Alma MARTIN" in clinic.get().text


def test_the_memory_of_names_is_bounded() -> None:
    names = PatientNames()
    for number in range(MAX_KEPT + 1):
        names.keep(f"view-{number}", PatientName("A"), 10.0)
    assert names.views() == {f"view-{MAX_KEPT}"}
    assert names.find(f"view-{MAX_KEPT}", 9.0) == PatientName("A")
    assert names.find(f"view-{MAX_KEPT}", 10.0) is None
    assert "A" not in repr(names)


def test_closing_forgets_the_name_though_the_record_fails(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The view is over all the same."""

    def full(*_: object, **__: object) -> None:
        raise RecordUnavailable

    form = clinic.get().form
    monkeypatch.setattr("plugin.recorder.Recorder.append", full)
    assert clinic.post("logout", {"form": form}).status == 503
    assert not remembered(clinic)


@pytest.mark.parametrize(
    ("uses", "shown"),
    [
        (["old", "usual"], "usual"),
        (["maiden", "old", ""], "none"),
        (["usual", "official"], "official"),
        (["old"], "old"),
        (["nickname", "usual"], "usual"),
    ],
)
def test_a_name_that_is_no_longer_borne_is_not_the_patients_name(tmp_path: Path, uses: list[str], shown: str) -> None:
    """`use` is a modifier (R4): by an old name, the banner would seem to be of somebody else."""
    names = [({"use": use} if use else {}) | {"text": f"Alma {use or 'none'}"} for use in uses]
    assert f"Alma {shown}" in Clinic(tmp_path, name=names).get().text
