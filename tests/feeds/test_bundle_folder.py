"""What a folder of files promises beyond the contract of all feeds, and the registry that builds feeds by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.bundle_folder import MAX_FOLDER_BYTES, BundleFolderConfig, BundleFolderFeed
from fhir_adapters.fhir_rest import FhirRestConfig
from fhir_adapters.interface import Call, FeedAnswerInvalid, FeedUnavailable
from fhir_adapters.registry import FEEDS, UnknownFeedKind, build

SAMPLES = Path(__file__).parents[2] / "sample_fhir"


def write(folder: Path, name: str, *resources: Any) -> None:
    rows = [{"fullUrl": f"urn:uuid:{row['id']}", "resource": row} for row in resources]
    (folder / name).write_text(json.dumps({"resourceType": "Bundle", "type": "batch-response", "entry": rows}))


def report(id: str, issued: str | None) -> dict[str, Any]:
    resource = {"resourceType": "DiagnosticReport", "id": id, "subject": {"reference": "urn:uuid:p9"}}
    return resource if issued is None else resource | {"issued": issued}


def ids(feed: BundleFolderFeed, call: Call, *parameters: tuple[str, str]) -> list[str]:
    page = feed.search("DiagnosticReport", parameters, call)
    return [entry.resource["id"] for entry in page.entries]


@pytest.fixture
def reports(tmp_path: Path) -> BundleFolderFeed:
    write(
        tmp_path,
        "reports.json",
        {"resourceType": "Patient", "id": "p9"},
        report("r1", "2026-03-02T00:00:00Z"),
        report("r2", None),
        report("r3", "2026-03-01T00:00:00Z"),
    )
    return BundleFolderFeed("files", tmp_path)


def test_references_between_entries_find_their_target(reports: BundleFolderFeed, call: Call) -> None:
    """A Bundle may refer by `urn:uuid:` to what it holds."""
    assert ids(reports, call, ("patient", "p9")) == ["r1", "r2", "r3"]
    assert ids(reports, call, ("patient", "p8")) == []


@pytest.mark.parametrize(("sort", "expected"), [("issued", ["r3", "r1", "r2"]), ("-issued", ["r1", "r3", "r2"])])
def test_sorting_by_a_date_puts_what_has_none_last(
    reports: BundleFolderFeed, call: Call, sort: str, expected: list[str]
) -> None:
    assert ids(reports, call, ("_sort", sort)) == expected


def test_a_count_is_clamped(reports: BundleFolderFeed, call: Call) -> None:
    assert len(ids(reports, call, ("_count", "999999"))) == 3


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "<html>",
        '{"resourceType":"Observation"}',
        '{"resourceType":"Bundle","entry":{}}',
        '{"resourceType":"Bundle","entry":["Dupont"]}',
        '{"resourceType":"Bundle","entry":[{"resource":{"id":"Dupont"}}]}',
        '{"resourceType":"Patient","id":"p1","Dupont":1,"Dupont":2}',
    ],
)
def test_a_broken_file_stops_every_answer_and_is_named(folder: Path, call: Call, text: str) -> None:
    """Nobody could tell what is missing. The message quotes nothing of the file."""
    (folder / "broken.json").write_text(text)
    feed = BundleFolderFeed("files", folder)
    for ask in (
        lambda: feed.read("Patient", "p1", call),
        lambda: feed.search("Patient", (), call),
        lambda: feed.check(call),
    ):
        with pytest.raises(FeedAnswerInvalid) as caught:
            ask()
        assert "'broken.json'" in str(caught.value)
        assert "Dupont" not in str(caught.value)
        assert str(folder) not in str(caught.value)


def test_the_same_resource_twice_is_one_and_two_versions_are_none(folder: Path, call: Call) -> None:
    feed = BundleFolderFeed("files", folder)
    (folder / "again.json").write_bytes((folder / "single.json").read_bytes())
    assert len(feed.search("Observation", (("_id", "o20"),), call).entries) == 1
    (folder / "again.json").write_text((folder / "single.json").read_text().replace("final", "amended"))
    with pytest.raises(FeedAnswerInvalid):
        feed.search("Observation", (("_id", "o20"),), call)


@pytest.mark.parametrize(
    ("full_url", "loads"),
    [
        ("https://lab.example/fhir/Patient/p3", True),
        ("urn:uuid:4fe8e4a0-0000-4000-8000-000000000001", True),
        (None, True),
        ("https://other.example/fhir/Patient/p3", False),
        ("https://lab.example/other/Patient/p3", False),
        ("https://other.example/fhir/Patient/p3/_history/1", False),
        ("http://lab.example/fhir/Patient/p3", False),
    ],
)
def test_a_folder_holds_one_server(folder: Path, call: Call, full_url: str | None, loads: bool) -> None:
    """Of two, each means its own patients by `Patient/p1`."""
    more = {"resourceType": "Patient", "id": "p3"}
    row = {"fullUrl": full_url, "resource": more}
    (folder / "unlike.json").write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [row]}))
    feed = BundleFolderFeed("files", folder)
    if loads:
        assert feed.read("Patient", "p3", call) == more
        return
    with pytest.raises(FeedAnswerInvalid) as caught:
        feed.read("Patient", "p1", call)
    assert "'unlike.json'" in str(caught.value)
    assert ".example" not in str(caught.value)


@pytest.mark.parametrize("sample", sorted(path for path in SAMPLES.iterdir() if path.is_dir()), ids=lambda p: p.name)
def test_the_sample_folders_load(sample: Path, call: Call) -> None:
    """The demonstration serves them."""
    assert BundleFolderFeed("files", sample).check(call).fhir_version == "4.0.1"


def test_only_plain_json_files_of_the_folder_count(folder: Path, call: Call) -> None:
    for name in ("notes.txt", ".hidden.json", "old.json.bak"):
        (folder / name).write_text("{")
    (folder / "sub.json").mkdir()
    assert BundleFolderFeed("files", folder).read("Patient", "p1", call) is not None


def test_a_folder_that_is_too_large_is_not_read_to_the_end(folder: Path, call: Call) -> None:
    with (folder / "large.json").open("wb") as file:
        file.truncate(MAX_FOLDER_BYTES + 1)
    with pytest.raises(FeedAnswerInvalid):
        BundleFolderFeed("files", folder).read("Patient", "p1", call)


def test_a_folder_that_is_missing_is_unavailable(tmp_path: Path, call: Call) -> None:
    with pytest.raises(FeedUnavailable) as caught:
        BundleFolderFeed("files", tmp_path / "absent").check(call)
    assert str(tmp_path) not in str(caught.value)


def test_a_feed_is_built_by_the_name_of_its_kind(tmp_path: Path) -> None:
    assert set(FEEDS) == {"fhir-rest", "bundle-folder"}
    assert build("bundle-folder", BundleFolderConfig("files", tmp_path)).base == ""
    assert build("fhir-rest", FhirRestConfig("lab", "https://lab.example/fhir/")).base == "https://lab.example/fhir"


@pytest.mark.parametrize("kind", ["", "hl7v2-inbox", "FHIR-REST"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(UnknownFeedKind):
        build(kind, FhirRestConfig("lab", "https://lab.example/fhir"))


def test_a_configuration_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownFeedKind):
        build("fhir-rest", BundleFolderConfig("files", tmp_path))


@pytest.mark.parametrize("sample", ["city-lab", "imaging", "insurer"])
def test_the_sample_folders_are_whole(sample: str, call: Call) -> None:
    """They are what a newcomer asks first."""
    path = Path(__file__).parents[2] / "sample_fhir" / sample
    feed = BundleFolderFeed(sample, path)
    assert feed.search("Patient", (), call).entries
    feed.check(call)
