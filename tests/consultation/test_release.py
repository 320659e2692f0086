"""What is released is what was judged: digit for digit, but for what the design names."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapters.resource import encode, parse
from plugin.consultation.attachments import element_at, named_files
from plugin.consultation.release import HANDLING, Release, Shown, ready
from policies.coding import contents
from policies.vocabulary.consultation import PageBinding
from policies.vocabulary.security_labels import ACT_CODE, CONFIDENTIALITY
from tests.policies.asking import search
from tests.world import observation

BASE = "https://lab.example/fhir"
SAMPLES = Path(__file__).parents[2] / "sample_fhir"


def differences(before: Any, after: Any, name: str = "") -> set[str]:
    """Names of the elements that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = before.keys() | after.keys()
        return {each for key in names for each in differences(before.get(key), after.get(key), key)}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return {each for old, new in zip(before, after, strict=True) for each in differences(old, new, name)}
    # Compared as text: 1.50 and 1.5 are equal as numbers.
    return set() if encode(before) == encode(after) else {name}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_sample_resources_are_shown_unaltered_but_for_what_the_design_names(path: Path) -> None:
    """Clinical content is never altered."""
    tree = parse(path.read_bytes())
    for resource in [row["resource"] for row in tree["entry"]] if tree["resourceType"] == "Bundle" else [tree]:
        text = encode(resource)
        shown = ready(resource, f"https://{path.parent.name}.example/fhir")
        assert encode(resource) == text, "the tree that was judged is not touched"
        meta, before = shown.pop("meta"), {name: value for name, value in resource.items() if name != "meta"}
        assert differences(before, shown) <= {"url", "data"}
        assert list(shown) == list(before)
        assert {label["code"] for label in meta["security"]} >= {code for code, _ in HANDLING}
        assert meta.keys() <= {"lastUpdated", "profile", "security", "tag"}


DIGITS = st.text("0123456789", min_size=1, max_size=25)
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.integers(0, 10**30),
    st.just("") | DIGITS.map(lambda digits: f".{digits}"),
    st.sampled_from(["", "", "", "e5", "E-07", "e+30"]),
)


@given(NUMBERS)
def test_a_number_leaves_with_the_digits_that_it_came_with(number: str) -> None:
    """A trailing zero is a statement of precision."""
    text = f'{{"resourceType":"Observation","id":"o","valueQuantity":{{"value":{number}}}}}'
    shown = encode(ready(parse(text.encode()), BASE)).decode()
    value = shown.partition('"value":')[2].partition("}")[0]
    assert Decimal(value).as_tuple() == Decimal(number).as_tuple() or number.partition(".")[0] == "-0"
    assert Decimal(value) == Decimal(number)
    if "." in number and "e" not in number.lower() and Decimal(number).adjusted() >= -6:
        assert value == number  # smaller ones are written with an exponent, the digits unchanged


ATTACHMENT = {
    "contentType": "application/pdf",
    "url": f"{BASE}/Binary/1",
    "_url": {"extension": [{"url": "x", "valueUrl": "https://lab.example/x"}]},
    "data": "SECRET==",
    "_data": {"id": "x"},
    "title": "Scanner",
    "size": 12,
    "hash": "aGFzaA==",
}
KEPT = {"contentType": "application/pdf", "title": "Scanner", "size": 12, "hash": "aGFzaA=="}


@pytest.mark.parametrize(
    "place",
    [
        lambda a: {"content": [{"attachment": a, "format": {"code": "pdf"}}]},
        lambda a: {"presentedForm": [a]},
        lambda a: {"photo": [a]},
        lambda a: {"extension": [{"url": "http://x", "valueAttachment": a}]},
        lambda a: {"extension": [{"url": "http://x", "extension": [{"url": "y", "valueAttachment": a}]}]},
        lambda a: {"supportingInfo": [{"valueAttachment": a}]},
        lambda a: {"contained": [{"resourceType": "Practitioner", "photo": [a]}]},
        lambda a: {"anything": a},
    ],
)
def test_an_attachment_keeps_its_title_and_loses_its_content(place: Any) -> None:
    """Url and data are how a file leaves; title, size and hash are how a reader knows that there is one."""
    shown = ready({"resourceType": "DocumentReference", "id": "d", **place(ATTACHMENT)}, BASE)
    assert {name: value for name, value in shown.items() if name != "meta"} == {
        "resourceType": "DocumentReference", "id": "d", **place(KEPT),
    }  # fmt: skip


NAMES = st.sampled_from(
    ["meta", "source", "photo", "form", "valueAttachment", "attachment", "presentedForm", "contentType", "url", "_url",
     "data", "_data", "reference", "valueReference", "extension", "contained", "code", "identifier", "result",
     "security"]
)  # fmt: skip
TEXTS = st.sampled_from(["x", f"{BASE}/Patient/1", "Patient/1", "https://lab.example/x", "application/pdf"])
TREES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, TREES, max_size=5))
def test_what_is_plain_needs_no_second_walk(elements: dict[str, Any]) -> None:
    """The walk that judges says whether anything has to be taken out; whatever form a tree has, it is not wrong."""
    resource = {"resourceType": "Observation", "id": "o", **elements}
    text = encode(resource)
    assert encode(ready(resource, BASE, plain=contents(resource).plain)) == encode(ready(resource, BASE))
    assert encode(resource) == text


@given(st.dictionaries(NAMES, TREES, max_size=5))
def test_every_file_that_is_named_has_its_place_in_what_is_shown(elements: dict[str, Any]) -> None:
    """Its address is written there; one inside a part that is taken out failed the whole answer."""
    resource = {"resourceType": "Observation", "id": "o", **elements}
    shown = ready(resource, BASE)
    for each in named_files(resource, BASE):
        assert isinstance(element_at(shown, each.path), dict)


def test_an_ordinary_result_is_plain() -> None:
    """Else the second walk would be made for all of them, and nobody would notice."""
    assert contents(observation("o", meta={"security": []}, extension=[{"url": "https://x.example"}])).plain


def test_a_photo_without_a_content_type_is_an_attachment_all_the_same() -> None:
    """By the name of its element."""
    assert ready({"resourceType": "Patient", "photo": [{"url": "https://lab.example/p.png"}]}, BASE)["photo"] == [{}]


@pytest.mark.parametrize("content", [{"url": "https://insurer.example/forms/9"}, {"data": "U0VDUkVU"}])
def test_the_printed_form_of_a_claim_is_an_attachment_and_that_of_a_medicine_is_none(content: dict[str, str]) -> None:
    """ExplanationOfBenefit.form needs no content type (R4 2.24.0.6), and led to the insurer's own address."""
    claim = {"resourceType": "ExplanationOfBenefit", "id": "e", "form": {"title": "Claim", **content}}
    assert ready(claim, BASE, plain=contents(claim).plain)["form"] == {"title": "Claim"}
    medicine = {"resourceType": "Medication", "id": "m", "form": {"coding": [{"code": "tablet"}]}}
    assert named_files(medicine, BASE) == ()
    assert ready(medicine, BASE)["form"] == medicine["form"]


def test_sampled_data_is_a_value() -> None:
    """An ECG's points are the result, not a file."""
    sampled = {"origin": {"value": 0}, "period": Decimal("10"), "dimensions": 1, "data": "2 1 E U"}
    assert ready({"resourceType": "Observation", "valueSampledData": sampled}, BASE)["valueSampledData"] == sampled


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        (f"{BASE}/Patient/1", "Patient/1"),
        (f"{BASE}/Patient/1/_history/2", "Patient/1/_history/2"),
        ("https://LAB.example/fhir/Patient/1", "Patient/1"),
        ("HTTPS://lab.example:443/fhir/Patient/1", "Patient/1"),
        ("https://lab.example:8443/fhir/Patient/1", "https://lab.example:8443/fhir/Patient/1"),
        ("https://LAB.example/FHIR/Patient/1", "https://LAB.example/FHIR/Patient/1"),
        ("Patient/1", "Patient/1"),
        ("urn:uuid:1", "urn:uuid:1"),
        ("#p", "#p"),
        (f"{BASE}-2/Patient/1", f"{BASE}-2/Patient/1"),
        ("https://elsewhere.example/Patient/1", "https://elsewhere.example/Patient/1"),
    ],
)
def test_only_references_under_the_feeds_base_become_relative(reference: str, shown: str) -> None:
    """The source's address would lead around the gateway; others are content."""
    resource = {"resourceType": "Observation", "performer": [{"reference": reference}], "note": [{"text": reference}]}
    copy = ready(resource, BASE)
    assert (copy["performer"], copy["note"]) == ([{"reference": shown}], [{"text": reference}])
    assert ready(resource, "")["performer"] == [{"reference": reference}]


def test_meta_keeps_what_speaks_of_the_content() -> None:
    """versionId invites probing, source names the system behind the feed: also in what is contained."""
    meta = {
        "versionId": "3",
        "source": "urn:lis",
        "lastUpdated": "2026-01-01T00:00:00Z",
        "profile": ["p"],
        "extension": [],
    }
    shown = ready({"resourceType": "Observation", "meta": meta, "contained": [{"meta": meta}]}, BASE)
    assert shown["meta"].keys() == {"lastUpdated", "profile", "security"}
    assert shown["contained"] == [{"meta": {"lastUpdated": "2026-01-01T00:00:00Z", "profile": ["p"]}}]


def test_labels_are_added_once_and_the_sources_stay() -> None:
    """The source's confidentiality code stays; we add none."""
    theirs = [{"system": CONFIDENTIALITY, "code": "R"}, {"system": ACT_CODE, "code": "NOCOLLECT", "display": "theirs"}]
    security = ready({"resourceType": "Observation", "meta": {"security": theirs}}, BASE)["meta"]["security"]
    assert security[:2] == theirs
    assert [label["code"] for label in security if label["system"] == ACT_CODE] == [code for code, _ in HANDLING]
    bare = ready({"resourceType": "Observation"}, BASE)["meta"]["security"]
    assert {label["system"] for label in bare} == {ACT_CODE}


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["security", "code", "system", "url", "x"]), inner)
    ),
    max_leaves=10,
)


@given(JSON)
def test_no_shape_of_meta_upsets_the_step(meta: Any) -> None:
    """A crooked label is left out; ours are added."""
    shown = ready({"resourceType": "Observation", "id": "o", "meta": meta}, BASE)
    assert {code for code, _ in HANDLING} <= {
        each["code"] for each in shown["meta"]["security"] if isinstance(each.get("code"), str)
    }
    release = Release(
        search(), (Shown("Observation/o", shown, False, "test-results"),), PageBinding("r", "hospital", "p"), None
    )
    assert release.confidentiality in (None, "R")
    json.loads(encode(shown))


def test_the_answer_bears_the_strictest_confidentiality_of_what_it_shows() -> None:
    """High-water mark of DS4P; nothing where no source says anything."""

    def release(*codes: str, system: str = CONFIDENTIALITY) -> Release:
        trees = [
            ready({"resourceType": "Observation", "meta": {"security": [{"system": system, "code": code}]}}, BASE)
            for code in codes
        ]
        shown = tuple(Shown("x", tree, False, "test-results") for tree in trees)
        return Release(search(), shown, PageBinding("r", "hospital", "p"), None)

    assert release("N", "R", "L").confidentiality == "R"
    assert release("U").confidentiality == "U"
    assert release("N", "R ", system=CONFIDENTIALITY.replace("http:", "https:") + "/").confidentiality == "R"
    assert release("HIV").confidentiality is None
    assert release().confidentiality is None
