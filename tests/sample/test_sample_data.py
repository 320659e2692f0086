"""The sample data: what it promises to the demo, the tests and a reader of its README."""

import base64
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle

SAMPLES = Path(__file__).parents[2] / "sample_fhir"
FOLDERS = ("ehr", "city-lab", "imaging", "insurer")
FEEDS = ("city-lab", "imaging", "insurer")
MAX_BYTES = 1_500_000
"""A checkout and a wheel of the demo stay small."""

INS_TEST_ROOT = "urn:oid:1.2.250.1.213.1.4.10"
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
DOCUMENTED_TYPES = {
    "AllergyIntolerance", "Binary", "CarePlan", "Composition", "Condition", "Coverage", "Device", "DiagnosticReport",
    "DocumentReference", "Encounter", "ExplanationOfBenefit", "ImagingStudy", "Immunization", "Location", "Medication",
    "MedicationAdministration", "MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation",
    "Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "RelatedPerson", "ServiceRequest",
    "Specimen",
}  # fmt: skip

Tree = dict[str, Any]


@cache
def bundles(folder: str) -> dict[str, Tree]:
    return {
        path.name: json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        for path in sorted((SAMPLES / folder).glob("*.json"))
    }


@cache
def resources(folder: str) -> dict[str, Tree]:
    """`Observation/obs-…` -> resource."""
    entries = [entry["resource"] for bundle in bundles(folder).values() for entry in bundle["entry"]]
    return {f"{item['resourceType']}/{item['id']}": item for item in entries}


def of_type(folder: str, resource_type: str) -> list[Tree]:
    return [item for item in resources(folder).values() if item["resourceType"] == resource_type]


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("reference"), str):
            yield tree["reference"]
        for value in tree.values():
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


def confidentiality(resource: Tree) -> list[str]:
    security = resource.get("meta", {}).get("security", [])
    return [label["code"] for label in security if label["system"] == CONFIDENTIALITY]


def matricules(patient: Tree) -> set[str]:
    return {item["value"] for item in patient["identifier"] if item["system"] == INS_TEST_ROOT and item["use"] != "old"}


def candidates(ehr_id: str, feed: str) -> list[str]:
    """What a match by INS and full birth date finds."""
    wanted = resources("ehr")[f"Patient/{ehr_id}"]
    return sorted(
        patient["id"]
        for patient in of_type(feed, "Patient")
        if matricules(patient) & matricules(wanted) and patient["birthDate"] == wanted["birthDate"]
    )


@pytest.mark.slow
def test_the_committed_json_is_what_the_generator_writes(tmp_path: Path) -> None:
    """Otherwise the next run would change data that tests and documents rely on."""
    command = [sys.executable, "-B", str(SAMPLES / "generate.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.json")}
    committed = {path.relative_to(SAMPLES): path.read_bytes() for path in SAMPLES.rglob("*.json")}
    assert written.keys() == committed.keys()
    assert [str(path) for path in written if written[path] != committed[path]] == []


def test_the_samples_stay_small() -> None:
    """They are read in full by the bundle-folder feed and by every clone."""
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*.json")) < MAX_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_bundle_and_resource_parses_as_fhir(folder: str) -> None:
    """A sample that is not FHIR would test the gateway's tolerance instead of its rules."""
    for bundle in bundles(folder).values():
        assert Bundle.model_validate(bundle).type == "collection"
        for entry in bundle["entry"]:
            get_fhir_model_class(entry["resource"]["resourceType"]).model_validate(entry["resource"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_two_resources_of_a_folder_share_an_id(folder: str) -> None:
    """A folder is one feed: one id there is one thing, whatever its type."""
    ids = Counter(entry["resource"]["id"] for bundle in bundles(folder).values() for entry in bundle["entry"])
    assert [name for name, count in ids.items() if count > 1] == []
    assert all(re.fullmatch(r"[A-Za-z0-9.-]{1,64}", name) for name in ids)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_reference_resolves_inside_its_folder(folder: str) -> None:
    """The gateway withholds what refers to something that it cannot look up."""
    known = resources(folder)
    for item in known.values():
        contained = {f"#{inner['id']}" for inner in item.get("contained", [])}
        assert [found for found in references(item) if found not in known and found not in contained] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_feed_knows_an_id_of_another_source(folder: str) -> None:
    """If ids agreed by chance, a gateway that forgot to match would still look right."""
    others = {item["id"] for other in FOLDERS if other != folder for item in of_type(other, "Patient")}
    assert not others & {item["id"] for item in of_type(folder, "Patient")}


def test_every_documented_type_has_an_example() -> None:
    """A type without a sample is a type that nobody has seen working."""
    assert {item["resourceType"] for folder in FOLDERS for item in resources(folder).values()} == DOCUMENTED_TYPES


@pytest.mark.parametrize(
    ("file", "literals"),
    [
        ("city-lab/lab-20417.json", ("0.80", "1.50", "4.10")),
        ("insurer/inr-7001.json", ("7.60", "30.00", "21.00")),
        ("ehr/observations.json", ("71.50",)),
    ],
)
def test_numbers_are_written_with_their_trailing_zeros(file: str, literals: tuple[str, ...]) -> None:
    """`1.50` says that two decimals were measured; the gateway must pass it on, so the source must say it."""
    text = (SAMPLES / file).read_text(encoding="utf-8")
    for literal in literals:
        assert f'"value": {literal},' in text


def test_every_amount_has_two_decimals() -> None:
    """Euros and cents."""
    for benefit in of_type("insurer", "ExplanationOfBenefit"):
        amounts = [item["amount"]["value"] for item in benefit["item"][0]["adjudication"] if "amount" in item]
        assert [amount.as_tuple().exponent for amount in (*amounts, benefit["payment"]["amount"]["value"])] == [-2] * 4


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_ins_is_a_well_formed_test_value(folder: str) -> None:
    """Fifteen digits whose key is right, under the test root: nothing that could be a person's."""
    for patient in of_type(folder, "Patient"):
        assert all(item["system"] != "urn:oid:1.2.250.1.213.1.4.8" for item in patient["identifier"])
        for value in matricules(patient):
            assert re.fullmatch(r"\d{15}", value)
            assert int(value[13:]) == 97 - int(value[:13]) % 97
            assert value[7:10] == "990"


def test_the_ehr_qualifies_the_ins_of_all_but_two_patients() -> None:
    """An absent extension and a status other than VALI both mean: not qualified."""
    status = {}
    for patient in of_type("ehr", "Patient"):
        found = [item for item in patient.get("extension", []) if item["url"] == RELIABILITY]
        status[patient["id"]] = found[0]["extension"][0]["valueCoding"]["code"] if found else None
    assert {name: code for name, code in status.items() if code != "VALI"} == {"ehr-1007": None, "ehr-1012": "PROV"}


@pytest.mark.parametrize(
    ("ehr_id", "city_lab", "imaging", "insurer"),
    [
        ("ehr-1001", ["lab-20417"], ["img-50361"], ["inr-7001"]),
        ("ehr-1002", ["lab-20418"], ["img-50362"], ["inr-7002"]),
        ("ehr-1003", ["lab-20419"], ["img-50363"], ["inr-7003"]),
        ("ehr-1004", ["lab-20421"], ["img-50364"], []),
        ("ehr-1005", ["lab-20422", "lab-20423"], [], ["inr-7005"]),
        ("ehr-1006", [], ["img-50366"], []),
        ("ehr-1008", ["lab-20420"], [], []),
        ("ehr-1009", [], [], []),
    ],
)
def test_a_patient_is_known_where_the_readme_says(
    ehr_id: str, city_lab: list[str], imaging: list[str], insurer: list[str]
) -> None:
    """One match, two, none: each case of the patient match has its person."""
    assert [candidates(ehr_id, feed) for feed in FEEDS] == [city_lab, imaging, insurer]


def test_files_that_are_not_in_use_would_match_if_they_were() -> None:
    """Otherwise their refusal would prove nothing about `active`, `replaced-by` or qualification."""
    assert candidates("ehr-1010", "city-lab") == ["lab-20417"]
    assert resources("ehr")["Patient/ehr-1010"]["link"][0]["type"] == "replaced-by"
    for ehr_id in ("ehr-1007", "ehr-1011", "ehr-1012"):
        assert len(candidates(ehr_id, "city-lab")) == 1
    inactive = [patient["id"] for patient in of_type("ehr", "Patient") if not patient["active"]]
    assert inactive == ["ehr-1010", "ehr-1011"]


def test_the_childs_allergies_name_their_reporter_but_not_as_patient() -> None:
    """A compartment that followed asserter and recorder would show them as the mother's."""
    allergies = of_type("city-lab", "AllergyIntolerance")
    naming_alma = [item["id"] for item in allergies if "Patient/lab-20417" in references(item)]
    about_alma = [item["id"] for item in allergies if item["patient"]["reference"] == "Patient/lab-20417"]
    assert naming_alma == ["alg-20417-1", "alg-20421-1", "alg-20421-2"]
    assert about_alma == ["alg-20417-1"]


def test_sensitive_serology_stands_with_and_without_a_label() -> None:
    """The rules must find the one by its label and the other by its code, and what reports them by neither."""
    lab = resources("city-lab")
    assert confidentiality(lab["Observation/obs-20418-250311-53"]) == ["R"]
    assert confidentiality(lab["Observation/obs-20418-260210-53"]) == []
    assert confidentiality(lab["DiagnosticReport/rep-20418-250311-5"]) == []
    assert "Observation/obs-20418-250311-53" in references(lab["DiagnosticReport/rep-20418-250311-5"]["result"])
    panel = lab["Observation/obs-20418-260210-50"]
    assert "Observation/obs-20418-260210-53" in references(panel["hasMember"])
    assert list(references(lab["DiagnosticReport/rep-20418-260210-5"]["result"])) == ["Observation/obs-20418-260210-50"]


def test_each_result_status_has_an_example() -> None:
    """A corrected, a preliminary and a mistaken result each look different to the clinician."""
    status = {item["id"]: item["status"] for item in of_type("city-lab", "Observation") if item["status"] != "final"}
    assert status == {
        "obs-20417-260518-04": "corrected",
        "obs-20417-261116-09": "preliminary",
        "obs-20417-250929-02": "entered-in-error",
    }


def test_documents_carry_the_labels_that_the_readme_tells() -> None:
    """One document has none, one is restricted, and both places of a label agree."""
    levels = {}
    for document in of_type("imaging", "DocumentReference"):
        levels[document["id"]] = confidentiality(document)
        second = [coding for concept in document.get("securityLabel", []) for coding in concept["coding"]]
        assert second == document["meta"].get("security", [])
    assert {name: found for name, found in levels.items() if found != ["N"]} == {
        "doc-50361-3": [],
        "doc-50363-2": ["R"],
    }


def attachments() -> list[Tree]:
    reports = [form for item in of_type("imaging", "DiagnosticReport") for form in item["presentedForm"]]
    documents = [item["content"][0]["attachment"] for item in of_type("imaging", "DocumentReference")]
    return [*reports, *documents]


def test_one_document_is_behind_a_url_of_the_centre() -> None:
    """The gateway rewrites such a link, and fetches it itself."""
    base = "https://imaging.example/fhir/"
    urls = [item["url"] for item in attachments() if "data" not in item]
    assert urls == [f"{base}Binary/bin-50361-1"]
    assert urls[0].removeprefix(base) in resources("imaging")


def test_every_pdf_has_a_table_that_points_at_its_objects() -> None:
    """A PDF that readers must repair would test their repair."""
    inline = [base64.b64decode(item["data"]) for item in attachments() if "data" in item]
    inline += [base64.b64decode(item["data"]) for item in of_type("imaging", "Binary")]
    others = [content for content in inline if not content.startswith(b"%PDF-")]
    assert [content.split()[0] for content in others] == [b"<?xml", b"Centre"]
    for content in (each for each in inline if each not in others):
        assert content.startswith(b"%PDF-1.4\n")
        assert content.endswith(b"%%EOF\n")
        start = int(content.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
        lines = content[start:].split(b"\n")
        assert lines[0] == b"xref"
        for number in range(1, int(lines[1].split()[1])):
            offset = int(lines[2 + number].split()[0])
            assert content[offset:].startswith(b"%d 0 obj\n" % number)
    assert {content.count(b"/Type /Page ") for content in inline if content not in others} == {1, 2}


def test_the_year_of_reimbursements_holds_what_a_doctor_would_look_for() -> None:
    """Medicines, acts, sick leave for several people, and two items that the site's rules will call sensitive."""
    benefits = of_type("insurer", "ExplanationOfBenefit")
    assert len({item["patient"]["reference"] for item in benefits}) >= 4
    assert {item["type"]["coding"][1]["code"] for item in benefits} == {
        "consultation", "act", "medicine", "biology", "sick-leave",
    }  # fmt: skip
    assert {item["created"][:7] for item in benefits if item["patient"]["reference"] == "Patient/inr-7001"} >= {
        *(f"2026-{month:02d}" for month in range(1, 12)),
        "2025-12",
    }
    codes = {item["item"][0]["productOrService"]["coding"][0]["code"] for item in benefits}
    assert {"J05AR20", "CNP", "IJ"} <= codes


def test_the_readme_names_every_patient_of_every_folder() -> None:
    """Its table is what demo scripts and other tests are written from."""
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert [
        item["id"] for folder in FOLDERS for item in of_type(folder, "Patient") if f"`{item['id']}`" not in text
    ] == []


def test_every_id_that_the_readme_names_exists() -> None:
    """An id in a document that no data has sends the reader astray."""
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    known = {item["id"] for folder in FOLDERS for item in resources(folder).values()}
    prefixes = "obs|rep|doc|alg|cond|mrq|mst|dsp|comp|bin|rel|ehr|lab|img|inr"
    named = set(re.findall(rf"`(?:Binary/)?((?:{prefixes})-[0-9][0-9A-Za-z-]*)`", text))
    assert named - known == set()
    assert len(named) > 40
