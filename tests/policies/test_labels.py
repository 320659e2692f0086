"""From codes to labels and categories: every row of the tables is reached, and the stricter label wins."""

import tomllib
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import labels
from policies.code_systems import SYSTEMS
from policies.code_table import LAST, Line
from policies.code_tables import CodeTables, shipped
from policies.coding import Contents, contents, system_of
from policies.inheritance import inherited
from policies.labels import Labels, labels_of
from policies.vocabulary.resource_types import COMPANIONS, PATIENT_PATHS
from policies.vocabulary.security_labels import ACT_CODE, ACT_CODE_NAMES, CONFIDENTIALITY, CONFIDENTIALITY_NAMES

TABLES = Path(labels.__file__).parent / "tables"
SHIPPED = CodeTables(shipped())
LOINC = "http://loinc.org"
OIDS = {LOINC: SYSTEMS["loinc"].uris[1], CONFIDENTIALITY: CONFIDENTIALITY_NAMES[1]}
CATEGORIES = {
    "patient-summary", "prescription", "dispensation", "imaging", "test-results", "discharge-report",
    "reimbursement", "other",
}  # fmt: skip


def rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((TABLES / name).read_text(encoding="utf-8"))["row"]
    return found


def judged(resource: dict[str, Any]) -> Labels:
    return labels_of(SHIPPED, resource["resourceType"], contents(resource))


def coded(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "code": {"coding": [{"system": s, "code": c} for s, c in codings]}, **more}


def marked(system: str, code: str) -> dict[str, Any]:
    return {"meta": {"security": [{"system": system, "code": code}]}}


@pytest.mark.parametrize(("confidentiality", "act_code"), [*zip(CONFIDENTIALITY_NAMES, ACT_CODE_NAMES, strict=True)])
def test_a_label_counts_by_every_name_of_its_system(confidentiality: str, act_code: str) -> None:
    """By its OID, as what was a CDA document has it, and by the address of STU3: it says the same."""
    assert judged(coded(**marked(confidentiality, "V"))).confidentiality == "V"
    assert judged(coded(**marked(act_code, "HIV"))).sensitivity == {"HIV"}


@pytest.mark.parametrize(
    "spell",
    [
        lambda uri: uri.replace("http:", "https:"),
        lambda uri: uri + "/",
        lambda uri: uri.replace("http://loinc", "HTTP://Loinc").replace(
            "http://terminology.hl7", "Http://Terminology.HL7"
        ),
        lambda uri: OIDS[uri],
        lambda uri: OIDS[uri].replace("urn:oid:", "URN:OID:"),
        lambda uri: OIDS[uri].removeprefix("urn:oid:"),
    ],
)
def test_a_system_is_known_however_it_is_spelt(spell: Callable[[str], str]) -> None:
    """A restricted result was shown for a slash at the end of an address."""
    assert judged(coded((spell(LOINC), "75622-1"))).sensitivity == {"HIV"}
    assert judged(coded(**marked(spell(CONFIDENTIALITY), "R"))).confidentiality == "R"
    assert judged(coded(("http://loinc.org/other", "75622-1"))).sensitivity == frozenset()


def test_every_system_that_we_know_is_spelt_as_systems_are_compared() -> None:
    ours = [uri for each in SYSTEMS.values() for uri in each.uris]
    coded_rows = [code.rpartition("|")[0] for row in rows("categories.toml") for code in row.get("code", ())]
    for uri in (*ours, *CONFIDENTIALITY_NAMES, *ACT_CODE_NAMES, *(each.rpartition("|")[0] for each in coded_rows)):
        assert system_of(uri) == uri


def test_what_a_source_writes_in_place_of_a_system_is_not_remembered() -> None:
    """The process lives for months, and a text may be as long as an answer."""
    tracemalloc.start()
    for number in range(200):
        judged(coded((f"HTTP://{'x' * 100_000}{number}", "c")))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2_000_000


@given(st.text() | st.from_regex(r"(?i)https?://[a-z.]{1,9}(/[a-zA-Z/]{0,9})?", fullmatch=True))
def test_to_spell_a_system_once_more_changes_nothing(text: str) -> None:
    assert system_of(system_of(text)) == system_of(text)


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\u00a0"])
def test_blanks_around_a_code_or_its_system_hide_no_label(blank: str) -> None:
    """Interfaces to laboratories pad codes to the width of a column: LOINC's, and labels, were passed over for it."""
    for system, code in ((LOINC, f"75622-1{blank}"), (f"{LOINC}{blank}", f"{blank}75622-1")):
        assert judged(coded((system, code))).sensitivity == {"HIV"}
    assert judged(coded(**marked(f"{CONFIDENTIALITY}{blank}", f"R{blank}"))).confidentiality == "R"


def test_a_table_may_speak_of_labels() -> None:
    """Of a code that was retired, or of one that the source alone uses; a line without effect would be believed."""
    head = "# source: s\n# version: 1\n# date: 2026-11-27\n# author: a\n"
    for system, code in ((CONFIDENTIALITY, "HIV"), (ACT_CODE, "PSY")):
        assert judged(coded(**marked(system, code))).confidentiality is None
        text = f"{head}# system: ours = {system}\nsystem,codes,sensitivity,confidentiality,comment\n"
        text += f"ours,{code},HIV,V,x\n"
        found = labels_of(CodeTables({"ours.csv": text}), "Observation", contents(coded(**marked(system, code))))
        assert (found.confidentiality, "HIV" in found.sensitivity) == ("V", True)


LINES = [line for table in SHIPPED.tables for line in table.lines]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.file}-{line.number}")
def test_every_line_of_the_shipped_tables_is_reached(line: Line) -> None:
    """A line that nothing reaches would be believed to protect. The first code, and the last with whatever follows."""
    for code in (line.first, line.last.replace(LAST, "1")):
        found = judged(coded((line.uri, code)))
        assert line.label.sensitivity in found.sensitivity
        assert found.confidentiality == line.label.confidentiality
        assert found.facts()["labelled"]
        assert judged(coded(("http://other.example", code))).sensitivity == frozenset()


def loinc_codes() -> Iterator[str]:
    """Of the categories; the tables check their own."""
    for row in rows("categories.toml"):
        yield from (code.rpartition("|")[2] for code in row.get("code", ()) if code.startswith(LOINC))


@pytest.mark.parametrize("code", sorted(set(loinc_codes())))
def test_a_loinc_code_has_its_check_digit(code: str) -> None:
    """Mod 10, as the LOINC manual has it: most slips of a finger break it."""
    body, _, digit = code.partition("-")
    doubled = [int(each) * (2 if place % 2 == 0 else 1) for place, each in enumerate(reversed(body))]
    assert (-sum(each // 10 + each % 10 for each in doubled)) % 10 == int(digit)


def test_the_stricter_label_wins() -> None:
    """A source's N does not undo a table's R, nor a component's."""
    hiv = (LOINC, "75622-1")
    assert judged(coded(hiv, **marked(CONFIDENTIALITY, "N"))).confidentiality == "R"
    assert judged(coded(hiv, **marked(CONFIDENTIALITY, "V"))).confidentiality == "V"
    assert judged(coded(**marked(CONFIDENTIALITY, "L"))).confidentiality == "L"
    assert judged(coded()).confidentiality is None


@pytest.mark.parametrize("code", ["HIV", "PSY", "TBOO"])
def test_sensitivities_of_the_source_count(code: str) -> None:
    """By system and code: HIV also exists in v3-Confidentiality, where it means nothing to us."""
    assert judged(coded(**marked(ACT_CODE, code))).sensitivity == {code}
    assert judged(coded(**marked(CONFIDENTIALITY, code))) == judged(coded())


@pytest.mark.parametrize(
    "place",
    [
        lambda coding: {"component": [{"code": {"coding": [coding]}}]},
        lambda coding: {"contained": [{"resourceType": "Condition", "code": {"coding": [coding]}}]},
        lambda coding: {"valueCodeableConcept": {"coding": [coding]}},
        lambda coding: {"extension": [{"url": "http://x", "extension": [{"url": "y", "valueCoding": coding}]}]},
        lambda coding: {"_status": {"extension": [{"url": "http://x", "valueCoding": coding}]}},
        lambda coding: {"contained": [{"resourceType": "Observation", "component": [{"code": {"coding": [coding]}}]}]},
    ],
)
def test_labels_are_found_wherever_a_coding_stands(place: Any) -> None:
    """A panel is as sensitive as its most sensitive component."""
    assert judged(coded(**place({"system": LOINC, "code": "75622-1"}))).sensitivity == {"HIV"}


def test_inline_labels_count() -> None:
    """DS4P: an element's own label, in an extension."""
    url = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
    inline = {"url": url, "valueCoding": {"system": CONFIDENTIALITY, "code": "R"}}
    assert judged(coded(valueQuantity={"value": 1, "extension": [inline]})).confidentiality == "R"


def row_samples() -> Iterator[tuple[str, str | None, str]]:
    for row in rows("categories.toml"):
        for code in row.get("code", [None]):
            yield row["type"], code, row["category"]


@pytest.mark.parametrize(("resource_type", "code", "category"), list(row_samples()))
def test_every_row_of_the_category_table_is_reached(resource_type: str, code: str | None, category: str) -> None:
    """What kind of data was released stands in every record: a row behind another would never speak."""
    assert category in CATEGORIES
    assert resource_type in PATIENT_PATHS.keys() | COMPANIONS
    system, _, bare = (code or "|").rpartition("|")
    resource = {"resourceType": resource_type, "category": [{"coding": [{"system": system, "code": bare}]}]}
    assert judged(resource).category == category


def test_every_type_that_can_be_shown_has_a_row() -> None:
    """Else its category could not be told at all."""
    assert {row["type"] for row in rows("categories.toml")} == PATIENT_PATHS.keys() | COMPANIONS


@pytest.mark.parametrize("resource_type", ["Observation", "DiagnosticReport", "DocumentReference", "NoSuchType"])
def test_what_no_row_names_is_unclassified(resource_type: str) -> None:
    """Nothing is guessed."""
    assert judged({"resourceType": resource_type}).category == "unclassified"


def test_only_documents_are_documents() -> None:
    """A report's own codes tell what it is about; a document's content is a file."""
    assert judged({"resourceType": "DocumentReference"}).document
    assert not judged({"resourceType": "DiagnosticReport"}).document


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["code", "system", "coding", "reference", "identifier", "value", "result", "entry", "item"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["identifier", "result", "subject", "code", "contained", "meta"]), JSON))
def test_no_shape_of_a_resource_upsets_the_walk(tree: dict[str, Any]) -> None:
    """Feeds send what they like; a crash would hide the whole answer."""
    found = contents(tree)
    assert isinstance(found, Contents)
    labels_of(SHIPPED, "Observation", found)


def test_what_a_resource_names_is_found() -> None:
    """Literal, logical and reporting references, each where it stands."""
    found = contents(
        {
            "identifier": [{"system": "s", "value": "own"}, {"value": "bare"}, "no"],
            "subject": {"reference": "Patient/1", "identifier": {"system": "s", "value": "them"}},
            "result": [
                {"reference": "Observation/1"},
                {"display": "somewhere"},
                {"reference": "#in"},
                {"identifier": {}},
            ],
            "contained": [{"entry": [{"item": {"reference": "Observation/2"}}], "hasMember": {"reference": "x"}}],
            "target": "text",
        }
    )
    assert found.references == {"Patient/1", "Observation/1", "#in", "Observation/2", "x"}
    assert found.logical == {("s", "them")}
    assert found.identifiers == {("s", "own"), ("", "bare")}
    assert found.reports == {"Observation/1", None, "Observation/2", "x"}


def test_a_feeds_default_is_a_floor_for_its_documents_alone() -> None:
    """The stricter of the default and the document's own label; no default speaks for a result."""
    bare = {"resourceType": "DocumentReference"}

    def with_default(resource: dict[str, Any], code: str) -> Labels:
        return labels_of(SHIPPED, resource["resourceType"], contents(resource), code)

    assert not judged(bare).labelled
    assert (with_default(bare, "N").confidentiality, with_default(bare, "N").labelled) == ("N", True)
    assert with_default(bare | marked(CONFIDENTIALITY, "R"), "N").confidentiality == "R"
    assert with_default(bare | marked(CONFIDENTIALITY, "L"), "N").confidentiality == "N"
    assert with_default(coded(), "R").confidentiality is None


def heirs(**resources: dict[str, Any]) -> dict[str, Labels]:
    """Labels of an answer, by id, what is reported included."""
    found = [contents(each) for each in resources.values()]
    own = [judged(each) for each in resources.values()]
    places = [f"Observation/{name}" for name in resources]
    resolve = {text: text for each in found for text in each.references}
    return dict(zip(resources, inherited(own, places, found, resolve), strict=True))


def to(name: str) -> dict[str, str]:
    return {"reference": f"Observation/{name}"}


HIV = coded((LOINC, "75622-1"))


def test_a_report_is_as_sensitive_as_what_it_reports() -> None:
    """However far down, and around a cycle; not along other references, and never downwards."""
    found = heirs(
        report=coded(result=[to("panel")]),
        panel=coded(hasMember=[to("hiv"), to("report")]),
        hiv=HIV | {"derivedFrom": [to("sample")]},
        order=coded(basedOn=[to("hiv")]),
        sample=coded(),
    )
    sensitive = {name for name, each in found.items() if (each.sensitivity, each.confidentiality) == ({"HIV"}, "R")}
    assert sensitive == {"report", "panel", "hiv"}
    assert found["report"].labelled
    assert not found["sample"].labelled


@pytest.mark.parametrize(
    ("theirs", "ours", "found"), [("N", "L", "L"), ("R", "N", "R"), ("R", "V", "V"), ("V", None, "V")]
)
def test_only_what_is_stricter_is_inherited(theirs: str, ours: str | None, found: str) -> None:
    """That one result is harmless says nothing of a report."""
    own = coded(result=[to("x")]) | (marked(CONFIDENTIALITY, ours) if ours else {})
    assert heirs(report=own, x=coded() | marked(CONFIDENTIALITY, theirs))["report"].confidentiality == found


def test_an_unlabelled_document_stays_one() -> None:
    """What it replaces may be labelled; its own text is still unknown."""
    document = {"resourceType": "DocumentReference", "relatesTo": [{"code": "replaces", "target": to("hiv")}]}
    found = heirs(document=document, hiv=HIV)["document"]
    assert found.sensitivity == {"HIV"}
    assert not found.labelled
