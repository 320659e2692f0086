"""Whose results are looked at: exact identifiers, a full birth date and one patient, or nobody. Never a name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fhir_adapters.interface import Call, Deadline, Entry, FeedTimeout, Page, Tree
from plugin.consultation.feed_line import EhrLine, FeedLine
from plugin.consultation.findings import Match, NoMatch
from plugin.consultation.patient_match import MAX_CANDIDATE_PAGES, PatientMatches
from plugin.errors import EhrUnreachable, FeedTooSlow
from plugin.settings.feed import ClaimMatch, IdentifierMatch, SameIdMatch
from policies.vocabulary import scopes
from policies.vocabulary.identity import Client, Identity, Person, Subject
from tests.world import ALMA, MemoryFeed, ehr_patient, lab_patient

NIR, NIA, TEST = (f"urn:oid:1.2.250.1.213.1.4.{n}" for n in (8, 9, 10))
IPP = "urn:hospital:ipp"
CALL = Call(Deadline.after(3600.0), "r.1")
DOCTOR = Identity(
    ehr="hospital",
    subject=Subject.PROFESSIONAL,
    person=Person("https://login.example", "dr-roy"),
    client=Client("results-pane"),
    grants=scopes.parse(""),
    launch_patient="p1",
    purposes=("TREAT",),
    purpose_source=None,
    token_reference="urn:ietf:params:oauth:jti:1",
    expires_at=1000.0,
)


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Ward:
    """An EHR, a laboratory, and the matching between them."""

    def __init__(self, ehr: list[Tree], lab: list[Tree], *, demo: bool = False, systems: tuple[str, ...] = (NIR, IPP)):
        self.clock = Clock()
        self.matches = PatientMatches(demo=demo, clock=self.clock)
        self.ehr = MemoryFeed("hospital", "https://ehr.example/fhir", ehr)
        self.lab = MemoryFeed("lab", "https://lab.example/fhir", lab)
        self.rule: Any = IdentifierMatch(by="identifier", systems=systems)
        self.lines = EhrLine(self.ehr), FeedLine(self.lab)

    def match(self, identity: Identity = DOCTOR, patient: str = "p1") -> Match | NoMatch:
        return self.matches.match(identity, patient, self.rule, *self.lines, lambda: CALL)

    def outcome(self) -> str:
        found = self.match()
        return found.patient if isinstance(found, Match) else found.reason


def here(*identifiers: tuple[str, str], status: str | None = "VALI", **more: Any) -> Tree:
    """The EHR's patient, its identity of that status."""
    patient = ehr_patient(identifier=[{"system": system, "value": value} for system, value in identifiers], **more)
    if status is None:
        del patient["extension"]
    else:
        patient["extension"][0]["extension"][0]["valueCoding"]["code"] = status
    return patient


def there(*identifiers: tuple[str, str], **more: Any) -> Tree:
    """A patient of the laboratory."""
    return lab_patient(identifier=[{"system": system, "value": value} for system, value in identifiers], **more)


ALMA_NIR = (NIR, ALMA)


def test_one_exact_identifier_and_birth_date_match() -> None:
    """The query names system and value; what matched is kept for the compartment."""
    ward = Ward([here(ALMA_NIR)], [there(ALMA_NIR)])
    assert ward.match() == Match("lab-1", (ALMA_NIR,), "identifier")
    assert ward.lab.queries == [("search", "Patient", f"identifier={NIR}|{ALMA}")]


@pytest.mark.parametrize("status", [None, "PROV", "DOUB", "VIDE", "vali"])
def test_an_ins_counts_only_when_qualified(status: str | None) -> None:
    """feeds.md section 4: absent means unqualified. Nobody at the feed is asked for."""
    ward = Ward([here(ALMA_NIR, status=status)], [there(ALMA_NIR)])
    assert ward.outcome() == "no-qualified-identifier"
    assert ward.lab.queries == []


def test_two_statuses_that_disagree_are_not_qualified() -> None:
    """Which one holds cannot be told."""
    patient = here(ALMA_NIR)
    patient["extension"].append(here(ALMA_NIR, status="PROV")["extension"][0])
    assert Ward([patient], [there(ALMA_NIR)]).outcome() == "no-qualified-identifier"


def test_an_unqualified_ins_does_not_spoil_another_identifier() -> None:
    """The hospital's own number needs no qualification, and the INS is then left out of the question."""
    ward = Ward([here(ALMA_NIR, (IPP, "77"), status="PROV")], [there((IPP, "77"))])
    assert ward.outcome() == "lab-1"
    assert ward.lab.queries == [("search", "Patient", f"identifier={IPP}|77")]


@pytest.mark.parametrize(("demo", "outcome"), [(False, "no-qualified-identifier"), (True, "lab-1")])
def test_test_roots_match_only_in_a_demonstration(demo: bool, outcome: str) -> None:
    """A test identity in production is somebody's invention."""
    assert Ward([here((TEST, ALMA))], [there((TEST, ALMA))], demo=demo, systems=(TEST,)).outcome() == outcome


def test_a_system_that_is_not_trusted_is_not_used() -> None:
    """The controller lists those that mean the same on both sides."""
    assert Ward([here((NIA, ALMA))], [there((NIA, ALMA))]).outcome() == "no-qualified-identifier"


def old(patient: Tree) -> Tree:
    return {**patient, "identifier": [{**each, "use": "old"} for each in patient["identifier"]]}


def during(patient: Tree, period: Any) -> Tree:
    return {**patient, "identifier": [{**each, "period": period} for each in patient["identifier"]]}


TODAY = datetime.now(UTC).date()


@pytest.mark.parametrize(
    ("period", "in_force"),
    [
        ({"start": "2020"}, True),
        ({"start": "2020", "end": "2099"}, True),
        ({"end": f"{TODAY + timedelta(days=2)}"}, True),
        ({"end": f"{TODAY - timedelta(days=2)}"}, False),
        ({"start": "2020", "end": "2020"}, False),
        ({"start": f"{TODAY + timedelta(days=2)}"}, False),
        ({"start": "soon"}, False),
        ({"end": "2020-02-31"}, False),
        ({}, False),
        (f"{TODAY.year}", False),
        ([], False),
        (None, False),
    ],
)
def test_an_identifier_identifies_within_its_period_only(period: Any, in_force: bool) -> None:
    """A number that somebody had may be somebody else's since, on either side; what cannot be read is no period."""
    at_the_feed = Ward([here(ALMA_NIR)], [during(there(ALMA_NIR), period)])
    at_the_ehr = Ward([during(here(ALMA_NIR), period)], [there(ALMA_NIR)])
    assert at_the_feed.outcome() == ("lab-1" if in_force else "no-match")
    assert at_the_ehr.outcome() == ("lab-1" if in_force else "no-qualified-identifier")


@pytest.mark.parametrize(
    ("ehr", "lab", "outcome"),
    [
        (here(ALMA_NIR), there((NIR, "999")), "no-match"),
        (here(ALMA_NIR), there((NIA, ALMA)), "no-match"),
        (here(ALMA_NIR), old(there(ALMA_NIR)), "no-match"),
        (old(here(ALMA_NIR)), there(ALMA_NIR), "no-qualified-identifier"),
        (here(ALMA_NIR), there(ALMA_NIR, born="1980-01-13"), "no-match"),
        (here(ALMA_NIR), there(ALMA_NIR, born="1980-01"), "no-match"),
        (here(ALMA_NIR), there(ALMA_NIR, born="1980"), "no-match"),
        (here(ALMA_NIR), there(ALMA_NIR, birthDate=None), "no-match"),
        (here(ALMA_NIR, born="1980-01"), there(ALMA_NIR, born="1980-01"), "no-qualified-identifier"),
        (here(ALMA_NIR, born="1980-02-31"), there(ALMA_NIR, born="1980-02-31"), "no-qualified-identifier"),
        (here(ALMA_NIR, born="1980-W02-6"), there(ALMA_NIR, born="1980-W02-6"), "no-qualified-identifier"),
        (here(ALMA_NIR, active=False), there(ALMA_NIR), "patient-not-active"),
        (here(ALMA_NIR, link=[{"type": "replaced-by"}]), there(ALMA_NIR), "patient-not-active"),
        (here(ALMA_NIR, active="false"), there(ALMA_NIR), "patient-not-active"),
        (here(ALMA_NIR, link={"type": "replaced-by"}), there(ALMA_NIR), "patient-not-active"),
        (here(ALMA_NIR), there(ALMA_NIR, active="false"), "no-match"),
        (here(ALMA_NIR, link=[{"type": ["replaced-by"]}]), there(ALMA_NIR), "patient-not-active"),
        (here(ALMA_NIR), there(ALMA_NIR, link=[{"type": "Replaced-By"}]), "no-match"),
        (here(ALMA_NIR), there(ALMA_NIR, link=[{"type": "seealso"}, {"type": "refer"}]), "lab-1"),
        (here(ALMA_NIR, link=[{"type": "replaces"}], active=True), there(ALMA_NIR), "lab-1"),
        (here(ALMA_NIR), there(ALMA_NIR, active=False), "no-match"),
        (here(ALMA_NIR), there(ALMA_NIR, link=[{"type": "replaced-by"}]), "no-match"),
        (here(ALMA_NIR, (IPP, "77")), there((IPP, "77")), "lab-1"),
        (here(ALMA_NIR, (IPP, "77")), there((IPP, "77"), (NIR, "999")), "no-match"),
        (here((NIR, "")), there((NIR, "")), "no-qualified-identifier"),
        (here(ALMA_NIR), there(ALMA_NIR, name=[{"family": "Somebody else"}]), "lab-1"),
        (here(ALMA_NIR, name=[{"family": "Zahra"}]), there((NIR, "9"), name=[{"family": "Zahra"}]), "no-match"),
    ],
)
def test_who_matches_and_who_does_not(ehr: Tree, lab: Tree, outcome: str) -> None:
    """One fact changed each time; a name never makes or breaks a match."""
    ward = Ward([ehr], [lab])
    ward.lab.ignores_parameters = True
    assert ward.outcome() == outcome


def test_a_patient_unknown_to_the_ehr_is_nobody() -> None:
    """Whatever the feed knows."""
    assert Ward([], [there(ALMA_NIR)]).outcome() == "patient-not-active"


def test_two_candidates_are_none() -> None:
    """Unless one of them is out of use; the same patient twice is one."""
    double = there(ALMA_NIR, patient_id="lab-2")
    assert Ward([here(ALMA_NIR)], [there(ALMA_NIR), double]).outcome() == "ambiguous"
    assert Ward([here(ALMA_NIR)], [there(ALMA_NIR), {**double, "active": False}]).outcome() == "lab-1"
    assert Ward([here(ALMA_NIR)], [there(ALMA_NIR), there(ALMA_NIR)]).outcome() == "lab-1"
    split = [there(ALMA_NIR), there((IPP, "77"), patient_id="lab-2")]
    assert Ward([here(ALMA_NIR, (IPP, "77"))], split).outcome() == "ambiguous"


@pytest.mark.parametrize("other", [{"birthDate": "1980-01-14"}, {"active": False}, {"identifier": []}])
def test_a_candidate_that_is_given_twice_and_differently_is_none(other: dict[str, Any]) -> None:
    """Which of the two is true, nobody can tell."""
    ward = Ward([here(ALMA_NIR)], [there(ALMA_NIR), {**there(ALMA_NIR), **other}])
    ward.lab.ignores_parameters = True
    assert ward.outcome() == "ambiguous"


def test_a_feed_that_returns_everybody_matches_the_one() -> None:
    """`identifier` ignored: found among the others, as far as they can all be seen."""
    crowd = [there((NIR, str(n)), patient_id=f"x{n}") for n in range(20)]
    ward = Ward([here(ALMA_NIR)], [*crowd, there(ALMA_NIR)])
    ward.lab.ignores_parameters = True
    ward.lab.page_size = 10
    assert ward.outcome() == "lab-1"
    ward.lab.page_size = 21 // MAX_CANDIDATE_PAGES - 1
    assert ward.outcome() == "lab-1", "remembered"
    fresh = Ward([here(ALMA_NIR)], [there(ALMA_NIR), *crowd])
    fresh.lab.ignores_parameters, fresh.lab.page_size = True, 5
    assert fresh.outcome() == "ambiguous", "a second one may be among those not seen"


@pytest.mark.parametrize(
    ("full_url", "outcome"),
    [
        ("https://lab.example/fhir/Patient/lab-1", "lab-1"),
        ("urn:uuid:4fe8e4a0-0000-4000-8000-000000000001", "lab-1"),
        (None, "lab-1"),
        ("https://elsewhere.example/fhir/Patient/lab-1", "no-match"),
        ("https://lab.example/fhir/Patient/lab-2", "no-match"),
    ],
)
def test_a_candidate_that_lives_elsewhere_matches_nobody(full_url: str | None, outcome: str) -> None:
    """Its id is asked for at this feed, where it means somebody else."""
    ward = Ward([here(ALMA_NIR)], [])
    ward.lab.search = lambda *_: Page((Entry(there(ALMA_NIR), full_url),), None)  # type: ignore[method-assign]
    assert ward.outcome() == outcome


def test_values_are_escaped_where_they_would_split_the_query() -> None:
    """R4 3.1.1.4.0.1."""
    ward = Ward([here((IPP, "a,b|c$d\\e"))], [])
    ward.match()
    assert ward.lab.queries == [("search", "Patient", f"identifier={IPP}|a\\,b\\|c\\$d\\\\e")]


def test_same_id_needs_the_named_ehr_and_a_patient_there() -> None:
    """An id means something only where it was agreed to."""
    ward = Ward([], [lab_patient("p1")])
    ward.rule = SameIdMatch(by="same-id", shares_patient_ids_with="hospital")
    assert ward.match() == Match("p1", (), "same-id")
    assert ward.match(patient="p2") == NoMatch("no-match")
    assert ward.match(replace(DOCTOR, ehr="clinic")) == NoMatch("not-shared")
    assert ward.ehr.queries == []


CX = f"{ALMA}^^^&1.2.250.1.213.1.4.8&ISO"


def by_claim(ward: Ward, person_id: str | None, **identity: Any) -> Match | NoMatch:
    ward.rule = ClaimMatch(by="claim")
    return ward.match(replace(DOCTOR, person_id=person_id, **identity))


@pytest.mark.parametrize("person_id", [CX, f"{ALMA}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO"])
def test_a_claimed_identifier_of_the_launch_patient_matches_and_no_other_identifier_is_asked_for(
    person_id: str,
) -> None:
    """The Swiss profile's form of IUA's person_id."""
    ward = Ward([here(ALMA_NIR, (IPP, "77"))], [there(ALMA_NIR, (IPP, "78"))])
    assert by_claim(ward, person_id) == Match("lab-1", (ALMA_NIR,), "claim")
    assert ward.lab.queries == [("search", "Patient", f"identifier={NIR}|{ALMA}")]


def test_a_claimed_urn_is_an_identifier_of_the_system_of_uris() -> None:
    """IUA's own sample has one."""
    urn = ("urn:ietf:rfc:3986", "urn:oid:1.2.3.4.77")
    ward = Ward([here(urn)], [there(urn)])
    assert by_claim(ward, urn[1]) == Match("lab-1", (urn,), "claim")


@pytest.mark.parametrize(
    "person_id",
    [
        None,
        ALMA,
        f"{ALMA}^^^&1.2.250.1.213.1.4.8&DNS",
        f"{ALMA}^7^M11^&1.2.250.1.213.1.4.8&ISO",
        "^^^&1.2&ISO",
        f"{CX}~{CX}",
    ],
)
def test_without_a_claimed_identifier_that_is_understood_nobody_is_asked(person_id: str | None) -> None:
    """Deny by absence; half an identifier is none."""
    ward = Ward([here(ALMA_NIR)], [there(ALMA_NIR)])
    assert by_claim(ward, person_id) == NoMatch("no-person-id")
    assert ward.ehr.queries == ward.lab.queries == []


@pytest.mark.parametrize(
    ("claimed", "identity", "reason"),
    [
        ("999^^^&1.2.250.1.213.1.4.8&ISO", {}, "person-id-of-another"),
        (f"{ALMA}^^^&1.2.3&ISO", {}, "person-id-of-another"),
        (CX, {"launch_patient": "p2"}, "person-id-of-another"),
        (CX, {"launch_patient": None}, "person-id-of-another"),
    ],
)
def test_a_claimed_identifier_must_belong_to_the_launch_patient(
    claimed: str, identity: dict[str, Any], reason: str
) -> None:
    """Else a token for one patient would show another's results in the file that is open."""
    ward = Ward([here(ALMA_NIR)], [there(ALMA_NIR), there((NIR, "999"), id="lab-2")])
    assert by_claim(ward, claimed, **identity) == NoMatch(reason)
    assert ward.lab.queries == []


def test_a_claimed_identifier_is_held_to_the_same_care_as_the_ehrs_own() -> None:
    """Qualification, test roots, birth date, one candidate."""
    assert by_claim(Ward([here(ALMA_NIR, status="PROV")], [there(ALMA_NIR)]), CX) == NoMatch("no-qualified-identifier")
    test_root = f"{ALMA}^^^&1.2.250.1.213.1.4.10&ISO"
    assert by_claim(Ward([here((TEST, ALMA))], [there((TEST, ALMA))]), test_root) == NoMatch("no-qualified-identifier")
    assert by_claim(Ward([here(ALMA_NIR)], [there(ALMA_NIR, born="1970-01-01")]), CX) == NoMatch("no-match")
    two = [there(ALMA_NIR), there(ALMA_NIR, id="lab-2")]
    assert by_claim(Ward([here(ALMA_NIR)], two), CX) == NoMatch("ambiguous")


def test_a_person_id_is_ignored_where_the_feed_is_not_matched_by_claim() -> None:
    """Design section 7: it says nothing then, neither good nor bad."""
    ward = Ward([here(ALMA_NIR)], [there(ALMA_NIR)])
    assert ward.match(replace(DOCTOR, person_id="999^^^&1.2.250.1.213.1.4.8&ISO")) == Match(
        "lab-1", (ALMA_NIR,), "identifier"
    )


def test_a_match_is_remembered_while_its_token_lives() -> None:
    """Not longer, not for another token, person, patient or feed."""
    ward = Ward([here(ALMA_NIR)], [there(ALMA_NIR)])
    for _ in range(3):
        ward.match()
    assert len(ward.lab.queries) == 1
    ward.match(replace(DOCTOR, token_reference="urn:ietf:params:oauth:jti:2"))
    assert len(ward.lab.queries) == 2
    ward.match(replace(DOCTOR, person=Person("https://login.example", "dr-kim")))
    assert len(ward.lab.queries) == 3
    ward.clock.now = DOCTOR.expires_at
    ward.match()
    assert len(ward.lab.queries) == 4
    ward.match(replace(DOCTOR, token_reference=None))
    ward.match(replace(DOCTOR, token_reference=None))
    assert len(ward.lab.queries) == 6


def test_what_ended_is_forgotten() -> None:
    """Identifiers of patients do not stay in memory behind a token that has ended."""
    ward = Ward([here(ALMA_NIR)], [there(ALMA_NIR)])
    ward.match()
    ward.clock.now = DOCTOR.expires_at
    later = replace(DOCTOR, token_reference="urn:ietf:params:oauth:jti:2", expires_at=2000.0)
    ward.match(later)
    assert len(ward.matches._known._entries) == 1
    ward.match(later)
    assert len(ward.lab.queries) == 2, "the one that stays is the later one"


def test_no_match_and_no_failure_is_remembered() -> None:
    """The feed may know the patient a minute later."""
    ward = Ward([here(ALMA_NIR)], [])
    assert ward.outcome() == "no-match"
    ward.lab.failure = FeedTimeout("slow")
    with pytest.raises(FeedTooSlow):
        ward.match()
    ward.lab.failure = None
    ward.lab.resources.append(there(ALMA_NIR))
    assert ward.outcome() == "lab-1"


def test_an_ehr_that_fails_is_not_the_feeds_fault() -> None:
    """Also once its breaker is open."""
    ward = Ward([here(ALMA_NIR)], [])
    ward.ehr.failure = FeedTimeout("slow")
    for _ in range(10):
        with pytest.raises(EhrUnreachable):
            ward.match()
    assert ward.lab.queries == []
    assert len(ward.ehr.queries) < 10
