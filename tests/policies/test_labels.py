"""From codes to labels and categories: every row of the tables is reached, and the stricter label wins."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import labels
from policies.coding import Contents, contents
from policies.labels import ACT_CODE, CONFIDENTIALITY, SENSITIVITIES, STRICTNESS, Labels, labels_of
from policies.vocabulary.resource_types import COMPANIONS, PATIENT_PATHS

TABLES = Path(labels.__file__).parent / "tables"
LOINC, ICD10, ATC = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10", "http://www.whocc.no/atc"
CATEGORIES = {
    "patient-summary", "prescription", "dispensation", "imaging", "test-results", "discharge-report",
    "reimbursement", "other",
}  # fmt: skip


def rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((TABLES / name).read_text(encoding="utf-8"))["row"]
    return found


def judged(resource: dict[str, Any]) -> Labels:
    return labels_of(resource["resourceType"], contents(resource))


def coded(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "code": {"coding": [{"system": s, "code": c} for s, c in codings]}, **more}


def marked(system: str, code: str) -> dict[str, Any]:
    return {"meta": {"security": [{"system": system, "code": code}]}}


def sensitive_codes() -> Iterator[tuple[str, str, str, str]]:
    for row in rows("labels.toml"):
        for code in (*row.get("code", ()), *(f"{prefix}.1" for prefix in row.get("prefix", ()))):
            yield row["system"], code, row["sensitivity"], row["confidentiality"]


@pytest.mark.parametrize(("system", "code", "sensitivity", "confidentiality"), list(sensitive_codes()))
def test_every_row_of_the_sensitivity_table_is_reached(
    system: str, code: str, sensitivity: str, confidentiality: str
) -> None:
    """A row that nothing reaches would be believed to protect."""
    found = judged(coded((system, code)))
    assert sensitivity in found.sensitivity
    assert found.confidentiality == confidentiality
    assert found.facts()["labelled"]
    assert judged(coded(("http://other.example", code))).sensitivity == frozenset()


FORMS = {LOINC: r"\d{1,5}-\d", ICD10: r"[A-Z]\d\d?", ATC: r"[A-Z](\d\d([A-Z]([A-Z](\d\d)?)?)?)?"}


def test_the_codes_of_the_sensitivity_table_are_well_formed() -> None:
    """A mistyped code protects nobody, and no engine would say so."""
    for row in rows("labels.toml"):
        assert row["sensitivity"] in SENSITIVITIES
        assert row["confidentiality"] in STRICTNESS
        for code in (*row.get("code", ()), *row.get("prefix", ())):
            assert re.fullmatch(FORMS[row["system"]], code), code


def loinc_codes() -> Iterator[str]:
    for row in rows("labels.toml"):
        yield from row.get("code", ()) if row["system"] == LOINC else ()
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
    labels_of("Observation", found)


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
