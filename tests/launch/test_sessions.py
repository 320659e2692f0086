"""What a session of the viewer may do, how long, for whom; and that the EHR's token stays where it belongs."""

import time
from dataclasses import replace
from typing import Any

import pytest

from fhir_adapters.interface import FeedRefused, FeedTimeout
from plugin.authentication.credential import LaunchSession, NoCredential
from plugin.errors import (
    CallerThrottled,
    FeedFailed,
    RecordUnavailable,
    Refused,
    ScopeInsufficient,
    StateUnavailable,
    Unidentified,
    ViewOver,
    ViewUnknown,
)
from plugin.event import LOCAL_FEED, Body
from plugin.ledger.writer import Position
from plugin.recorder import Recorder
from plugin.settings.rules import TighterLimits
from plugin.state.suspensions import Kind, Suspension
from plugin.state.views import Views
from policies.vocabulary.consultation import ClinicalConsultation, Origin
from policies.vocabulary.emergency import EmergencyAccess, EmergencyReason
from policies.vocabulary.interactions import Delivery, Interaction, Level
from tests.launch.launching import ORIGIN, TOKEN, VIEWER, LaunchWorld
from tests.world import EHR_BASE, ISSUER, ehr_patient, observation


def view_of(launching: LaunchWorld, code: str = "code-1") -> str:
    """The id of a newly launched view."""
    return str(launching.launched(code=code).headers["Location"].split("/")[2])


def stated(launching: LaunchWorld, purpose: str = "TREAT") -> LaunchSession:
    """What a page of a new view shows, whose purpose is stated."""
    credential = launching.credential(view_of(launching))
    launching.assembled.sessions.state_purpose(credential, purpose, Origin("req-0", "192.0.2.7", "viewer"))
    assert isinstance(credential, LaunchSession)
    return credential


def search(feed: str = "city-lab", resource_type: str = "Observation", **more: Any) -> ClinicalConsultation:
    asked = ClinicalConsultation(
        feed, Interaction.SEARCH_TYPE, Level.TYPE, Delivery.RENDERED, resource_type=resource_type
    )
    return replace(asked, **more)


def banner() -> ClinicalConsultation:
    return ClinicalConsultation(
        LOCAL_FEED, Interaction.READ, Level.INSTANCE, Delivery.RENDERED, resource_type="Patient", resource_id="p1"
    )


def shown(launching: LaunchWorld, credential: LaunchSession, asked: ClinicalConsultation) -> list[str]:
    release = launching.assembled.gateway.consult(credential, asked, ORIGIN)
    return [each.reference for each in release.shown]


def test_a_view_is_not_held_off_by_the_failures_of_others_behind_one_address(
    launching: LaunchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page and its looks go on; a cookie that somebody made up waits with them."""
    credential = stated(launching)
    monkeypatch.setattr(launching.assembled.strangers, "admits", lambda address: False)
    launching.lab.resources.append(observation("77"))
    assert launching.assembled.sessions.view(credential, ORIGIN).id == credential.view
    assert shown(launching, credential, search()) == ["Observation/77"]
    made_up = LaunchSession(credential.view, "A" * len(credential.secret))
    with pytest.raises(CallerThrottled):
        launching.assembled.sessions.view(made_up, ORIGIN)
    with pytest.raises(CallerThrottled):
        launching.assembled.gateway.consult(made_up, search(), ORIGIN)


def test_a_session_looks_at_a_feed_as_a_token_does(launching: LaunchWorld) -> None:
    """The record is the same kind of record: who, whom, what for, and that it was declared and rendered."""
    launching.lab.resources.append(observation("77"))
    assert shown(launching, stated(launching), search()) == ["Observation/77"]
    record = launching.last()
    assert record["action"] == "consultation:released"
    assert record["purpose"] == {"codes": ["TREAT"], "source": "declared"}
    assert (record["asked"]["delivery"], record["care_relation"]) == ("rendered", "launch")
    assert (record["client"]["id"], record["person"]["subject"]) == (VIEWER, "dr-roy")
    assert [each["action"] for each in launching.named()] == [
        "session:opened",
        "purpose:stated",
        "consultation:released",
    ]


def test_nothing_is_shown_before_a_purpose_is_stated(launching: LaunchWorld) -> None:
    credential = launching.credential(view_of(launching))
    with pytest.raises(Refused):
        launching.assembled.gateway.consult(credential, search(), ORIGIN)
    assert launching.last()["rules"] == ["purpose-stated"]
    assert launching.lab.queries == []


@pytest.mark.parametrize("purpose", ["HRESCH", "BTG", "HMARKT", "HSYSADMIN", "", "treat", "TREAT\n", "x" * 10_000])
def test_what_nobody_may_state_is_refused_and_recorded(launching: LaunchWorld, purpose: str) -> None:
    credential = launching.credential(view_of(launching))
    with pytest.raises(Refused):
        launching.assembled.sessions.state_purpose(credential, purpose, ORIGIN)
    record = launching.last()
    assert (record["action"], record["reason"], record["person"]["subject"]) == (
        "purpose:refused",
        "access-denied",
        "dr-roy",
    )
    assert launching.assembled.sessions.view(credential, ORIGIN).purpose is None


def test_a_purpose_is_stated_once(launching: LaunchWorld) -> None:
    """The same again is no other purpose: a form is sent twice."""
    credential = stated(launching)
    assert launching.assembled.sessions.state_purpose(credential, "TREAT", ORIGIN).purpose == "TREAT"
    with pytest.raises(Refused):
        launching.assembled.sessions.state_purpose(credential, "ETREAT", ORIGIN)
    assert launching.last()["reason"] == "purpose-stated"
    assert launching.assembled.sessions.view(credential, ORIGIN).purpose == "TREAT"


def test_two_windows_of_one_view_cannot_state_two_purposes_at_once(
    launching: LaunchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second comes while the first is being recorded: it is refused, and the log does not say that it stood."""
    sessions = launching.assembled.sessions
    credential = launching.credential(view_of(launching))
    append, nested = Recorder.append, []

    def meanwhile(recorder: Recorder, body: Body, **more: Any) -> Position:
        if body["action"] == "purpose:stated" and not nested:
            nested.append(body)
            with pytest.raises(Refused):
                sessions.state_purpose(credential, "ETREAT", Origin("req-2", "192.0.2.7", "viewer"))
            sessions.state_purpose(credential, "TREAT", Origin("req-3", "192.0.2.7", "viewer"))
        return append(recorder, body, **more)

    monkeypatch.setattr(Recorder, "append", meanwhile)
    sessions.state_purpose(credential, "TREAT", ORIGIN)
    assert sessions.view(credential, ORIGIN).purpose == "TREAT"
    told = [(body["action"], body["reason"], body["purpose"]["codes"]) for body in launching.named()[1:]]
    assert told == [
        ("purpose:refused", "purpose-stated", []),
        ("purpose:stated", None, ["TREAT"]),
        ("purpose:stated", None, ["TREAT"]),
    ]


def test_a_purpose_that_could_not_be_recorded_is_not_kept_and_still_excludes_another(
    launching: LaunchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is shown under it before it is stated again; another one takes another launch."""
    sessions, credential = launching.assembled.sessions, launching.credential(view_of(launching))

    def full(*_: object, **__: object) -> None:
        raise RecordUnavailable

    with monkeypatch.context() as broken, pytest.raises(RecordUnavailable):
        broken.setattr(Recorder, "append", full)
        sessions.state_purpose(credential, "TREAT", ORIGIN)
    assert sessions.view(credential, ORIGIN).purpose is None
    with pytest.raises(Refused):
        sessions.state_purpose(credential, "COC", ORIGIN)
    assert sessions.state_purpose(credential, "TREAT", ORIGIN).purpose == "TREAT"


def test_a_stated_emergency_needs_a_rule_of_its_own(launching: LaunchWorld) -> None:
    """Whoever may state it is judged like everybody else."""
    credential = stated(launching, "ETREAT")
    with pytest.raises(Refused):
        launching.assembled.gateway.consult(credential, search(), ORIGIN)
    assert launching.last()["purpose"] == {"codes": ["ETREAT"], "source": "declared"}


def test_another_persons_cookie_opens_no_view(launching: LaunchWorld) -> None:
    """Cookie and path must agree; what does not is counted, like every caller who is not identified."""
    mine = view_of(launching)
    launching.login.context["patient"] = "p2"
    browser = launching.browser()
    theirs = launching.launched(browser, "code-2").headers["Location"].split("/")[2]
    secret = launching.credential(theirs, browser).secret
    for credential in (LaunchSession(mine, secret), LaunchSession(mine, "x" * 200), LaunchSession("nothing", secret)):
        with pytest.raises(ViewUnknown):
            launching.assembled.gateway.consult(credential, search(), ORIGIN)
        with pytest.raises(ViewUnknown):
            launching.assembled.sessions.close(credential, ORIGIN)
    assert isinstance(launching.credential(mine, browser), NoCredential)
    with pytest.raises(Unidentified):
        launching.view(mine, browser)
    counted = [each["callers"]["reason"] for each in launching.bodies() if each["action"] == "callers:refused"]
    assert set(counted) == {"view-unknown", "no-credential"}


@pytest.mark.parametrize(("granted", "seconds"), [(120, 120), (7200, 3600), ("300", 300), (None, 900)])
def test_a_session_ends_with_the_token_and_within_the_hour(
    launching: LaunchWorld, granted: Any, seconds: float
) -> None:
    launching.login.context["expires_in"] = granted
    credential = stated(launching)
    view = launching.assembled.sessions.view(credential, ORIGIN)
    assert view.expires_at == pytest.approx(time.time() + seconds, abs=60)
    for moment in range(0, int(seconds), 600):  # somebody works with it
        launching.at(view.expires_at - seconds + moment)
        launching.assembled.sessions.view(credential, ORIGIN)
    launching.at(view.expires_at)
    with pytest.raises(ViewOver):
        launching.assembled.sessions.view(credential, ORIGIN)
    with pytest.raises(ViewOver):
        launching.assembled.gateway.consult(credential, search(), ORIGIN)


def test_a_session_that_nobody_uses_is_over(launching: LaunchWorld) -> None:
    """A clinician is called away; the screen must not stay a door."""
    credential = stated(launching)
    now = time.time()
    for minutes in (10, 20, 30):
        launching.at(now + minutes * 60)
        launching.assembled.sessions.view(credential, ORIGIN)
    launching.at(now + 46 * 60)
    with pytest.raises(ViewOver):
        launching.assembled.sessions.view(credential, ORIGIN)


def test_a_page_whose_view_cannot_be_looked_up_is_counted(
    launching: LaunchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is identified then; without a count the log would not tell that pages failed."""

    def unreadable(*_: object) -> None:
        raise StateUnavailable

    view = view_of(launching)
    monkeypatch.setattr(Views, "find", unreadable)
    assert launching.back(f"/view/{view}/part/city-lab").status_code == 503
    counted = launching.last()
    assert (counted["action"], counted["outcome"], counted["reason"]) == ("callers:refused", "12", "state-unavailable")
    assert counted["callers"]["family"] == "viewer"


def test_a_clock_that_is_set_back_prolongs_nothing(launching: LaunchWorld) -> None:
    credential = stated(launching)
    launching.at(time.time() - 7200)
    with pytest.raises(ViewOver):
        launching.assembled.sessions.view(credential, ORIGIN)


def test_the_patients_identifiers_are_read_with_the_sessions_token_which_the_feed_never_sees(
    launching: LaunchWorld,
) -> None:
    """Design section 7; and section 6: a token of a launch goes to that EHR only."""
    launching.lab.resources.append(observation("77"))
    shown(launching, stated(launching), search())
    assert [call.bearer for call in launching.ehr.calls] == [TOKEN]
    assert {call.bearer for call in launching.lab.calls} == {None}


def test_a_bearer_token_does_not_borrow_the_token_of_a_session(launching: LaunchWorld) -> None:
    """At the facade the EHR is asked with the gateway's own credential."""
    stated(launching)
    launching.ask("/fhir/city-lab/Observation?patient=p1")
    assert {call.bearer for call in launching.ehr.calls} == {None}


def test_the_ehrs_own_results_are_a_feed_of_the_session(launching: LaunchWorld) -> None:
    """Asked live with its token, through the same door, recorded; other patients' are dropped like at any feed."""
    launching.ehr.resources += [observation("own", "p1"), observation("others", "p9")]
    launching.ehr.ignores_parameters = True
    assert shown(launching, stated(launching), search(LOCAL_FEED)) == ["Observation/own"]
    assert {call.bearer for call in launching.ehr.calls} == {TOKEN}
    record = launching.last()
    assert record["feed"] == {"id": LOCAL_FEED, "answer": "answered", "match": "launch"}
    assert record["foreign"] == 2


def test_the_banner_is_a_recorded_read_of_the_patient(launching: LaunchWorld) -> None:
    launching.ehr.resources[:] = [ehr_patient(name=[{"text": "Alma Roy"}])]
    release = launching.assembled.gateway.consult(stated(launching), banner(), ORIGIN)
    assert release.shown[0].resource["birthDate"] == "1980-01-12"
    assert launching.last()["released"] == [{"reference": "Patient/p1", "category": "other"}]


def test_another_patient_of_the_ehr_is_not_shown(launching: LaunchWorld) -> None:
    launching.ehr.resources.append(ehr_patient("p2"))
    credential = stated(launching)
    with pytest.raises(Refused):
        launching.assembled.gateway.consult(credential, replace(banner(), resource_id="p2"), ORIGIN)
    with pytest.raises(Refused):
        launching.assembled.gateway.consult(credential, search(LOCAL_FEED, patient="p2"), ORIGIN)
    assert launching.ehr.queries == []


def test_the_scopes_of_the_launch_are_the_ceiling(launching: LaunchWorld) -> None:
    """SMART: what was granted may be less than what was asked for."""
    launching.login.context["scope"] = "openid fhirUser launch patient/DiagnosticReport.rs"
    credential = stated(launching)
    with pytest.raises(ScopeInsufficient):
        launching.assembled.gateway.consult(credential, search(), ORIGIN)
    with pytest.raises(ScopeInsufficient):
        launching.assembled.gateway.consult(credential, banner(), ORIGIN)


def test_the_ehr_is_no_feed_of_the_facade(launching: LaunchWorld) -> None:
    """No token reaches it there, and a session gives no structured data."""
    asked = launching.ask(f"/fhir/{LOCAL_FEED}/Observation?patient=p1")
    assert asked.status == 404
    with pytest.raises(Refused):
        launching.assembled.gateway.consult(stated(launching), search(LOCAL_FEED, delivery=Delivery.STRUCTURED), ORIGIN)
    with pytest.raises(Refused):
        launching.assembled.gateway.consult(stated(launching), search(delivery=Delivery.STRUCTURED), ORIGIN)
    assert launching.ehr.queries == []


def test_an_ehr_that_no_longer_takes_the_token_is_a_feed_that_failed(launching: LaunchWorld) -> None:
    """It expired, or was withdrawn, in the middle of a page."""
    credential = stated(launching)
    launching.ehr.failure = FeedRefused("the EHR refused the question")
    with pytest.raises(FeedFailed):
        launching.assembled.gateway.consult(credential, search(LOCAL_FEED), ORIGIN)
    assert launching.last()["feed"]["answer"] == "refused"


def test_a_logout_ends_the_view_gives_the_token_back_and_is_recorded(launching: LaunchWorld) -> None:
    credential = stated(launching)
    launching.assembled.sessions.close(credential, ORIGIN)
    assert launching.login.revoked == [TOKEN]
    record = launching.last()
    assert (record["action"], record["outcome"], record["patient"]) == ("session:closed", "0", "p1")
    opened = next(each for each in launching.named() if each["action"] == "session:opened")
    assert record["session"]["opened"] == opened["record"]
    for again in (launching.assembled.sessions.close, launching.assembled.sessions.view):
        with pytest.raises(ViewUnknown):
            again(credential, ORIGIN)


def test_a_logout_needs_no_answer_of_the_ehr(launching: LaunchWorld) -> None:
    credential = stated(launching)
    launching.login.failure = FeedTimeout("the authorization server did not answer in time")
    launching.assembled.sessions.close(credential, ORIGIN)
    assert launching.last()["action"] == "session:closed"
    with pytest.raises(ViewUnknown):
        launching.view(credential.view)


def test_a_launch_that_cannot_be_recorded_opens_nothing(
    launching: LaunchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RecordUnavailable

    address = launching.login.log_in(launching.begun().headers["Location"])
    monkeypatch.setattr(type(launching.assembled.recorder), "append", full)
    answer = launching.back(address)
    assert answer.status_code == 503
    assert "vitrine-view" not in str(answer.headers)
    file = launching.settings.state_dir / "views.sqlite"
    import apsw

    assert list(apsw.Connection(str(file)).execute("SELECT count(*) FROM views")) == [(0,)]


def test_a_session_of_an_ehr_that_is_no_longer_configured_is_over(launching: LaunchWorld) -> None:
    credential = stated(launching)
    sessions = replace(launching.assembled.sessions, ehrs={})
    with pytest.raises(ViewUnknown):
        sessions.view(credential, ORIGIN)


def test_nothing_of_a_token_or_a_person_stands_in_the_state_in_clear(
    launching: LaunchWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor in the log of the program, nor in the records."""
    launching.lab.resources.append(observation("77"))
    credential = stated(launching)
    shown(launching, credential, search())
    launching.login.claims = {"nonce": "wrong"}
    launching.launched(code="code-2")
    secrets = [TOKEN, credential.secret, credential.view, "dr-roy", "Dr Alma Roy", "code-1", "code-2"]
    for file in launching.settings.state_dir.iterdir():
        content = file.read_bytes()
        assert not [each for each in secrets if each.encode() in content], file.name
    logged = "".join(capfd.readouterr())
    assert not [each for each in secrets if each in logged]
    assert not [each for each in secrets if each in str(launching.bodies()) and each not in {"dr-roy", "Dr Alma Roy"}]


def test_the_base_of_the_ehr_is_where_its_own_results_are_in_an_audit_event(launching: LaunchWorld) -> None:
    """No face of ours has an address for them."""
    from plugin.audit.entities import released

    launching.ehr.resources.append(observation("own", "p1"))
    shown(launching, stated(launching), search(LOCAL_FEED))
    (entity,) = released(launching.last(), as_data=False)
    assert entity["what"]["reference"] == f"{EHR_BASE}/Observation/own"


@pytest.mark.parametrize(("kind", "name"), [(Kind.PERSON, f"{ISSUER} dr-roy"), (Kind.CLIENT, VIEWER)])
def test_a_suspension_stops_a_session_at_once(launching: LaunchWorld, kind: Kind, name: str) -> None:
    """The person at all EHRs, or the viewer at this one."""
    credential = stated(launching)
    launching.assembled.gateway.suspensions.suspend(Suspension(kind, name, "reason", "2026-01-01T00:00:00Z"))
    for asked in (search(), banner()):
        with pytest.raises(Refused):
            launching.assembled.gateway.consult(credential, asked, ORIGIN)
        assert launching.last()["rules"] == ["suspended"]


def test_the_glass_is_broken_in_a_session(launching: LaunchWorld) -> None:
    """By the person of the launch, for its patient; the shipped rules need a site's rule for it."""
    asked = EmergencyAccess(Delivery.RENDERED, reason=EmergencyReason.LIFE_THREATENING)
    with pytest.raises(Refused):
        launching.assembled.gateway.break_glass(stated(launching), asked, ORIGIN)
    assert launching.last()["action"] == "break-glass:denied"


def test_quotas_count_a_person_and_not_a_session(launching: LaunchWorld) -> None:
    """To launch anew must not begin a new count: a view is not an extractor."""
    key = stated(launching)
    launching.assembled.gateway.consult(key, search(), ORIGIN)
    again = launching.credential(view_of(launching, "code-2"))
    launching.assembled.sessions.state_purpose(again, "TREAT", ORIGIN)
    quotas = replace(
        launching.assembled.gateway,
        tighter=(TighterLimits(client=VIEWER, consultations_per_person_hour=1),),
    )
    with pytest.raises(Refused) as refusal:
        quotas.consult(again, search(), ORIGIN)
    assert refusal.value.reason == "quota"
