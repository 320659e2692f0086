"""The patient's report tells one patient, in words, who looked; and of staff no more than its setting allows."""

import html
import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.audit import codes
from plugin.audit.report import page, sentences, words
from plugin.audit.report.entries import Findings, Naming, findings
from plugin.audit.report.words import LANGUAGES, Language, Word
from plugin.audit.selection import Selection, beginning, ending
from plugin.errors import LogUnreadable
from plugin.event import Outcome
from plugin.ledger.record import StoredRecord
from policies.vocabulary.identity import Subject
from policies.vocabulary.interactions import CONSULTING, Delivery
from policies.vocabulary.purposes import EMERGENCY, OVERSIGHT, TREATMENT
from tests.audit import bodies
from tests.audit_export.logs import CHECKPOINT, Log, log_of, record, without_body

PARIS = ZoneInfo("Europe/Paris")
OUR_PATIENT = Selection(patient=("hospital", "p1"))
TABLES = Path(__file__).parents[2] / "policies" / "tables"


def found_in(all_bodies: Iterable[dict[str, Any]], selection: Selection = OUR_PATIENT) -> Findings:
    return findings(log_of(all_bodies), selection, PARIS)


def frame(language: Language = "en", naming: Naming = Naming.PERSON, **more: Any) -> page.Frame:
    about: dict[str, Any] = {
        "ehr": "hospital",
        "patient": "p1",
        "language": language,
        "naming": naming,
        "zone": "Europe/Paris",
        "made": datetime(2026, 4, 2, 10, 4, tzinfo=PARIS),
        "since": None,
        "until": None,
        "titles": {"city-lab": Word("Laboratoire de ville", "City laboratory")},
        "first": 0,
        "last": 9,
        "checkpoint": CHECKPOINT,
    }
    return page.Frame(**{**about, **more})


def look(request: str = "req-1", number: int = 1, **more: Any) -> dict[str, Any]:
    return bodies.consultation(request=request, record=f"{request}.{number}", **more)


def test_a_look_is_told_in_words() -> None:
    """Golden: who, when, which kinds of data, why, from where."""
    told = page.view(found_in([look()]), frame())
    assert told["looks"] == [
        {
            "time": "2026-03-02T09:15:03+01:00",
            "day": "2 March 2026",
            "clock": "09:15",
            "who": {"name": "Dr Alma Roy", "role": "10", "organisation": "Hôpital central"},
            "what": [{"source": "City laboratory", "kinds": [{"kind": "test results", "count": 2}], "note": None}],
            "why": ["treatment"],
            "where": {
                "application": "results-pane",
                "ehr": "hospital",
                "delivery": "given to a displaying application",
                "address": "192.0.2.10",
            },
            "emergency": False,
        }
    ]
    assert told["summary"]["text"] == ["1 look at your results by 1 person."]


def test_the_same_look_in_french() -> None:
    told = page.view(found_in([look(purpose={"codes": ["ETREAT"]})]), frame("fr"))
    (entry,) = told["looks"]
    assert (entry["day"], entry["clock"]) == ("2 mars 2026", "9\xa0h\xa015")
    assert (entry["why"], entry["emergency"]) == (["soins en urgence"], True)
    assert entry["what"][0]["source"] == "Laboratoire de ville"
    assert told["summary"]["text"] == ["1 consultation par 1 personne, dont 1 en urgence."]
    assert told["timeZone"]["text"] == "Europe/Paris (UTC+2 à la date du rapport)"


def test_records_of_one_request_are_one_entry() -> None:
    """A page over three feeds is one look to the patient."""
    other = look(number=2, feed={"id": "imaging"}, released=[{"reference": "ImagingStudy/1", "category": "imaging"}])
    (entry,) = page.view(found_in([look(), look("req-2", patient="p2"), other]), frame())["looks"]
    assert [each["source"] for each in entry["what"]] == ["City laboratory", "imaging"]


def test_what_the_ehr_itself_holds_is_no_outside_result() -> None:
    """A page of the viewer reads the patient's name there; the id of that feed is no word for a patient."""
    own = {"feed": {"id": "ehr.local"}, "released": [{"reference": "Patient/p1", "category": "other"}]}
    name, both = look("a", interaction="read", **own), look("b", number=2, **own)
    told = page.view(found_in([name, look("b"), both]), frame())
    assert told["looks"][1]["what"][0]["source"] == "your own file at the organisation itself"
    summary = told["summary"]
    assert (summary["looks"], summary["kinds"]) == (1, [{"kind": "test results", "looks": 1}])


def test_the_newest_look_comes_first() -> None:
    told = page.view(found_in([look("a"), look("b"), look("c")]), frame())
    times = [each["time"] for each in told["looks"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("action", ["consultation:denied", "consultation:failed", "consultation:unavailable"])
def test_what_showed_nothing_stands_apart(action: str) -> None:
    found = found_in([look("a", action=action), look("b")])
    assert (len(found.looks), len(found.attempts)) == (1, 1)
    (attempt,) = page.view(found, frame())["attempts"]
    assert attempt["what"][0]["outcome"] == words.OUTCOMES[bodies.CONSULTATION_OUTCOMES[action].value].en  # type: ignore[index]


def test_a_feed_that_failed_is_an_attempt_beside_the_look_of_its_request() -> None:
    failed = look(number=2, action="consultation:failed", reason="feed-timeout", feed={"id": "imaging"})
    told = page.view(found_in([look(), failed]), frame())
    assert [each["source"] for each in told["looks"][0]["what"]] == ["City laboratory"]
    assert told["attempts"][0]["what"][0] == {
        "source": "imaging",
        "asked": "search for results",
        "outcome": "failed",
        "reason": "the source of results gave no usable answer",
    }


def test_a_release_that_was_withdrawn_is_no_look() -> None:
    """The record says that it was authorised, a later one that it was never handed over, even after the period."""
    withdrawal = {"action": "release:withdrawn", "record": "req-1.1", "request": "req-1", "outcome": "12"}
    log = log_of([look(), look(number=2), withdrawal])
    log.held[2] = record(2, withdrawal, datetime(2026, 5, 1, tzinfo=UTC))
    selection = replace(OUR_PATIENT, until=ending("2026-03-31", PARIS))
    found = findings(log, selection, PARIS)
    assert [len(entry.sources) for entry in found.looks] == [1]
    (attempt,) = page.view(found, frame())["attempts"]
    assert attempt["what"][0]["outcome"] == "answer withdrawn, not handed over"
    assert findings(Log([log.held[0], log.held[2]], 0, 2), selection, PARIS).looks == []


def test_no_word_of_a_person_takes_a_record_out_of_the_report() -> None:
    """Names come from tokens and reasons from forms: that one reads like the action of a withdrawal says nothing."""
    named = look("a", person={"issuer": "https://login.example", "subject": "u", "name": "release:withdrawn"})
    opened = bodies.break_glass()
    opened["break_glass"] = {**opened["break_glass"], "text": "release:withdrawn"}
    summary = page.view(found_in([named, opened]), frame())["summary"]
    assert (summary["looks"], summary["openings"]) == (1, 1)


def test_an_answer_without_results_says_so_and_nothing_of_what_was_withheld() -> None:
    """A withheld result is named to auditors only."""
    found = found_in([look(released=[], withheld=[{"reference": "Observation/MARK", "rule": "MARK"}], foreign=77)])
    text = page.as_html(found, frame()) + page.as_json(found, frame()).decode()
    assert "no data shown" in text
    assert "MARK" not in text
    assert "withheld" not in text
    assert "77" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_other_patients_is_in_it(language: Language) -> None:
    """Records of the same request, person and minute; the same id at another EHR; an id that contains ours."""
    person = {"issuer": "https://MARK", "subject": "p1", "name": "MARK", "organisation": "MARK"}
    marked: dict[str, Any] = {"person": person, "client": {"id": "MARK", "address": "MARK"}, "feed": {"id": "MARK"}}
    others = [
        look(patient="p2", **marked),
        look(patient="p11", **marked),
        look(patient=None, **marked),
        look(ehr={"id": "clinic", "fhir_base": "https://clinic.example"}, **marked),
        bodies.log_reading(person=person),
        bodies.operation(note="MARK p1"),
    ]
    found = found_in([look(), *others])
    text = page.as_html(found, frame(language)) + page.as_json(found, frame(language)).decode()
    assert "MARK" not in text
    assert page.view(found, frame(language))["summary"]["people"] == 1


SAYS = {
    Naming.PERSON: {"NAME", "ROLE", "PLACE", "ADDRESS"},
    Naming.ROLE: {"ROLE", "PLACE"},
    Naming.ORGANISATION: {"PLACE"},
}


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize("action", ["consultation:released", "consultation:denied"])
def test_staff_are_named_as_the_setting_allows_and_no_further(naming: Naming, action: str) -> None:
    """In no part of either form: what a level leaves out is not there to be found."""
    person = {
        "issuer": "https://ISSUER",
        "subject": "SUBJECT",
        "name": "NAME",
        "fhir_user": "FHIRUSER",
        "national_identifier": "NUMBER",
        "roles": [{"system": "s", "code": "CODE", "display": "ROLE"}],
        "organisation": "PLACE",
    }
    found = found_in([look(action=action, person=person, client={"id": "pane", "address": "ADDRESS"})])
    text = page.as_html(found, frame(naming=naming)) + page.as_json(found, frame(naming=naming)).decode()
    told = {name for name in (*person.values(), "ADDRESS", "ROLE", "CODE") if isinstance(name, str) and name in text}
    assert told == SAYS[naming]


def test_who_has_no_role_is_called_by_what_they_are() -> None:
    told = page.view(found_in([look(person={"subject": "u", "kind": "professional"})]), frame("fr", Naming.ROLE))
    assert told["looks"][0]["who"] == {"role": "professionnel de santé", "organisation": "établissement non précisé"}


def test_a_profession_of_the_french_nomenclature_is_a_word() -> None:
    role = {"system": "urn:oid:1.2.250.1.71.1.2.7", "code": "10", "display": None}
    told = page.view(found_in([look(person={"subject": "u", "roles": [role]})]), frame("fr"))
    assert told["looks"][0]["who"]["role"] == "médecin"


def test_an_emergency_access_that_was_opened_is_a_marked_entry() -> None:
    opened = look(released=[], purpose={"codes": ["BTG"]}) | {"action": "break-glass:opened"}
    (entry,) = page.view(found_in([opened]), frame())["looks"]
    assert entry["emergency"]
    assert entry["what"][0]["note"] == "exceptional emergency access opened"


def test_an_emergency_access_that_was_opened_is_no_look_by_itself() -> None:
    """Who opened it, looked once and closed it looked once."""
    why = {"codes": ["BTG"]}
    opened = look("a", released=[], purpose=why) | {"action": "break-glass:opened"}
    closed = look("c", released=[], purpose=why) | {"action": "break-glass:closed"}
    told = page.view(found_in([opened, look("b", purpose=why), closed]), frame())
    assert len(told["looks"]) == 3
    summary = told["summary"]
    assert (summary["looks"], summary["people"], summary["emergencies"], summary["openings"]) == (1, 1, 1, 1)
    assert summary["text"] == [
        "1 look at your results by 1 person, of which 1 in an emergency.",
        "1 exceptional emergency access was opened.",
    ]
    unused = page.view(found_in([opened]), frame("fr"))["summary"]
    assert unused["looks"] == 0
    assert unused["text"][1] == "1 accès exceptionnel en urgence a été ouvert."


def test_an_emergency_access_that_was_refused_is_an_attempt_that_says_so() -> None:
    told = page.view(found_in([bodies.break_glass("break-glass:denied"), bodies.ended_by_itself()]), frame())
    assert told["attempts"][0]["what"][0]["asked"] == "exceptional emergency access asked for"
    assert told["looks"][0]["what"][0]["note"] == "exceptional emergency access ended"


def test_that_the_patient_had_been_told_is_said_with_the_look_and_once() -> None:
    """It is the word of who looked, and the patient may know better."""
    told = page.view(found_in([bodies.event(), look(informed="req-77.1-informed")]), frame())
    assert told["attempts"] == []
    (entry,) = told["looks"]
    assert entry["what"][0]["note"] == "the person who looked stated that you had been told and did not object"


def test_only_the_period_is_told() -> None:
    log = log_of([look("a"), look("b"), look("c")])
    days = [datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC)]
    log.held = [record(number, look(str(number)), day) for number, day in enumerate(days)]
    selection = replace(OUR_PATIENT, since=beginning("2026-03-29", PARIS))
    assert [entry.time.isoformat() for entry in findings(log, selection, PARIS).looks] == ["2026-03-29T00:00:00+01:00"]


def test_what_is_lacking_is_said() -> None:
    """A purged body or a hole may have been a look at this patient."""
    log = log_of([look("a"), look("b"), look("c"), look("d")])
    log.held[1] = without_body(log.held[1])
    del log.held[2]
    found = findings(log, OUR_PATIENT, PARIS)
    notes = page.view(found, frame())["log"]["notes"]
    assert "1 record of the log, of whatever patient, was deleted after its retention period." in notes
    assert "1 record is missing from the log: this report may be incomplete." in notes


def test_a_record_that_cannot_be_read_makes_no_report() -> None:
    log = log_of([look("a")])
    log.held[0] = StoredRecord(0, log.held[0].header, b'{"patient":"p1"')
    with pytest.raises(LogUnreadable, match="Record 0 "):
        findings(log, OUR_PATIENT, PARIS)


def test_a_report_without_patient_is_not_made() -> None:
    with pytest.raises(ValueError, match="one patient"):
        found_in([], Selection())


def test_nobody_looked() -> None:
    told = page.view(found_in([]), frame("fr"))
    assert told["summary"]["text"] == ["Personne n’a consulté vos résultats externes pendant cette période."]


@pytest.mark.parametrize("is_purged", [True, False])
def test_of_a_log_that_lacks_records_nobody_can_say_that_nobody_looked(is_purged: bool) -> None:
    """The first sentence is what a patient reads; a look that was deleted after its period was a look."""
    log = log_of([look("a"), look("b", patient="p2")])
    log.held[0:1] = [without_body(log.held[0])] if is_purged else []
    found = findings(log, OUR_PATIENT, PARIS)
    sentence = "What is left of the log shows no look at your outside results in this period."
    assert page.view(found, frame())["summary"]["text"] == [sentence]
    text = page.as_html(found, frame())
    assert text.count(sentence) == 2
    assert "Nobody looked" not in text


def test_a_log_that_follows_a_lost_one_says_so() -> None:
    """As long as the period reaches back to before it."""
    log = log_of([bodies.OF_THE_LEDGER["ledger:recovered"], look("b", patient="p2")])
    told = page.view(findings(log, OUR_PATIENT, PARIS), frame())
    assert told["summary"]["text"] == ["What is left of the log shows no look at your outside results in this period."]
    lost = "An earlier log was lost: this report says nothing of what happened before."
    assert lost in told["log"]["notes"]
    later = page.view(findings(log, replace(OUR_PATIENT, since=beginning("2026-03-03", PARIS)), PARIS), frame())
    assert later["summary"]["text"] == ["Nobody looked at your outside results in this period."]
    assert lost not in later["log"]["notes"]


# words


def test_every_code_that_a_record_may_hold_has_a_word() -> None:
    """A list that grows elsewhere must grow here."""
    rows = tomllib.loads((TABLES / "categories.toml").read_text())["row"]
    assert {row["category"] for row in rows} | {"unclassified"} <= words.CATEGORIES.keys()
    assert words.PURPOSES.keys() >= TREATMENT | EMERGENCY | OVERSIGHT
    assert {each.value for each in Outcome} == words.OUTCOMES.keys()
    assert codes.ISSUE_CODES.keys() <= words.REASONS.keys()
    assert {each.value for each in Subject} == words.SUBJECTS.keys()
    assert {each.value for each in Delivery} == words.DELIVERIES.keys()
    assert {each.value for each in CONSULTING} == words.INTERACTIONS.keys()


def test_a_code_without_word_is_shown_as_it_is() -> None:
    (entry,) = page.view(found_in([look(purpose={"codes": ["NEWCODE"]})]), frame())["looks"]
    assert entry["why"] == ["NEWCODE"]


@pytest.mark.parametrize(
    ("moment", "fr", "en"),
    [
        ("2026-03-01T09:05+01:00", "1er mars 2026 9\xa0h\xa005", "1 March 2026 09:05"),
        ("2026-08-02T00:00+02:00", "2 août 2026 0\xa0h\xa000", "2 August 2026 00:00"),
        ("2026-10-25T02:30+02:00", "25 octobre 2026 2\xa0h\xa030 (UTC+2)", "25 October 2026 02:30 (UTC+2)"),
        ("2026-10-25T02:30+01:00", "25 octobre 2026 2\xa0h\xa030 (UTC+1)", "25 October 2026 02:30 (UTC+1)"),
    ],
)
def test_dates_are_written_as_the_language_does(moment: str, fr: str, en: str) -> None:
    """The hour that the clock shows twice says which of the two it is."""
    here = datetime.fromisoformat(moment).astimezone(PARIS)
    for language, expected in zip(LANGUAGES, (fr, en), strict=True):
        assert f"{words.day(here, language)} {words.clock(here, language)}" == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("UTC", "UTC"), ("Asia/Kolkata", "UTC+5:30"), ("America/Cayenne", "UTC−3"), ("Pacific/Noumea", "UTC+11")],
)
def test_offsets_are_told(zone: str, expected: str) -> None:
    assert words.offset(datetime(2026, 1, 1, tzinfo=ZoneInfo(zone))) == expected


@pytest.mark.parametrize(
    ("since", "until", "fr"),
    [
        (None, None, "depuis le début du journal"),
        ("2026-03-01", None, "depuis le 1er mars 2026"),
        (None, "2026-03-31", "jusqu’au 31 mars 2026"),
        ("2026-03-01", "2026-03-31", "du 1er mars 2026 au 31 mars 2026"),
        ("2026-03-01T18:00+01:00", None, "depuis le 1er mars 2026 à 18\xa0h\xa000"),
        (None, "2026-03-31T00:30", "jusqu’au 31 mars 2026 à 0\xa0h\xa030"),
        ("2026-10-25T02:30", "2026-10-25", "du 25 octobre 2026 à 2\xa0h\xa030 (UTC+2) au 25 octobre 2026"),
    ],
)
def test_the_period_is_told(since: str | None, until: str | None, fr: str) -> None:
    """A day that is covered in part is not told as a whole one: somebody may have looked in the rest of it."""
    first = datetime.fromisoformat(beginning(since, PARIS)).astimezone(PARIS) if since else None
    last = datetime.fromisoformat(ending(until, PARIS)).astimezone(PARIS) if until else None
    assert page.view(found_in([]), frame("fr", since=first, until=last))["period"]["text"] == fr


def test_a_day_without_midnight_is_a_whole_day() -> None:
    """In Beirut the clock goes from 24:00 to 1:00 in spring."""
    beirut = ZoneInfo("Asia/Beirut")
    first, last = beginning("2026-03-29", beirut), ending("2026-03-28", beirut)
    since, until = (datetime.fromisoformat(each).astimezone(beirut) for each in (first, last))
    assert sentences.period(since, None, "en") == "since 29 March 2026"
    assert sentences.period(None, until, "en") == "until 28 March 2026"


# the page


class Outline(HTMLParser):
    """What matters of a page: tags in order, attributes, and whether every tag was closed."""

    VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


ALL_KINDS = [
    *bodies.ONE_OF_EACH.values(),
    look("x", purpose={"codes": ["BTG"]}),
    look("y", released=[]),
    look("z", person={}),
]


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_stands_alone(language: Language, naming: Naming) -> None:
    """No script, nothing to fetch: it can be kept, sent and opened anywhere."""
    text = page.as_html(found_in(ALL_KINDS), frame(language, naming))
    outline = Outline(text)
    assert outline.open == []
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "a"} & set(outline.tags)
    assert not {name for name, _ in outline.attributes if name in {"src", "href", "style"} or name.startswith("on")}
    assert ("lang", language) in outline.attributes
    assert "url(" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_headings_make_an_outline(language: Language) -> None:
    """WCAG 1.3.1, 2.4.6: one first heading, none skipped, each section named by its own."""
    outline = Outline(page.as_html(found_in(ALL_KINDS), frame(language)))
    levels = [int(tag[1]) for tag in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    named = {value for name, value in outline.attributes if name == "aria-labelledby"}
    assert named == {value for name, value in outline.attributes if name == "id"}


@given(name=st.text(min_size=1), address=st.text(min_size=1))
def test_no_name_becomes_markup(name: str, address: str) -> None:
    """Names come from tokens."""
    calm = Outline(page.as_html(found_in([look()]), frame()))
    person = {"subject": name, "name": name, "roles": [{"display": name}], "organisation": name}
    client = {"id": name, "address": address}
    found = found_in([look(person=person, client=client, purpose={"codes": [name]}, feed={"id": name})])
    assert Outline(page.as_html(found, frame())).tags == calm.tags
    assert orjson.loads(page.as_json(found, frame()))


def test_markup_in_a_name_is_shown_as_text() -> None:
    person = {"subject": "u", "name": "<script>alert(1)</script>\u202eDr"}
    text = page.as_html(found_in([look(person=person)]), frame())
    assert html.escape("<script>alert(1)</script>\ufffdDr") in text


def luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    long = color if len(color) == 7 else "#" + "".join(2 * digit for digit in color[1:])
    parts = [int(long[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_stands_out_in_light_dark_and_print() -> None:
    """WCAG 1.4.3: 4.5 to 1."""
    schemes = re.findall(r":root \{([^}]*--page[^}]*)\}", page.as_html(found_in([]), frame()))
    assert len(schemes) == 3
    for scheme in schemes:
        color = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", scheme))
        for text in ("text", "quiet", "accent", "alarm"):
            for ground in ("page", "card"):
                assert contrast(color[text], color[ground]) >= 4.5, (text, ground, scheme)
        assert contrast(color["alarm"], color["alarm-page"]) >= 4.5
