"""What every kind of feed guarantees, run on each: the promises of `fhir_adapters.interface`."""

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from fhir_adapters.interface import (
    Call,
    Deadline,
    Entry,
    Feed,
    FeedError,
    FeedLinkExpired,
    FeedRefused,
    FeedTimeout,
)
from fhir_adapters.resource import encode

ALL = ("Observation", (("patient", "p1"),))
EXPECTED = {f"o{number}" for number in range(1, 8)}


def everything(feed: Feed, call: Call, count: int) -> list[Entry]:
    page = feed.search("Observation", (("patient", "p1"), ("_count", str(count))), call)
    entries = list(page.entries)
    while page.next is not None:
        page = feed.page(page.next, call)
        assert 0 < len(page.entries) <= count
        entries += page.entries
    return entries


def test_a_resource_that_is_there_is_read_whole(feed: Feed, call: Call) -> None:
    resource = feed.read("Observation", "o1", call)
    assert resource is not None
    assert (resource["id"], resource["subject"]) == ("o1", {"reference": "Patient/p1"})


@pytest.mark.parametrize(("kind", "id"), [("Observation", "o99"), ("Patient", "o1"), ("Observation", "..")])
def test_a_resource_that_is_not_there_is_none(feed: Feed, call: Call, kind: str, id: str) -> None:
    """`..` would otherwise be read as the folder or the base above."""
    assert feed.read(kind, id, call) is None


def test_a_search_gives_what_matches_and_nothing_else(feed: Feed, call: Call) -> None:
    page = feed.search(*ALL, call)
    assert {entry.resource["id"] for entry in page.entries} == EXPECTED
    assert page.next is None


def test_a_search_without_matches_is_an_empty_page(feed: Feed, call: Call) -> None:
    assert feed.search("Condition", (("patient", "p1"),), call).entries == ()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_paging_to_the_end_gives_the_whole_once(feed: Feed, call: Call, count: int) -> None:
    ids = [entry.resource["id"] for entry in everything(feed, call, count)]
    assert (len(ids), set(ids)) == (7, EXPECTED)


def test_digits_stay_as_they_were_written(feed: Feed, call: Call) -> None:
    """1.50 mg/dL and 1.5 mg/dL differ in precision to whoever reads a result."""
    resource = feed.read("Observation", "o1", call)
    assert resource is not None
    assert resource["valueQuantity"]["value"] == Decimal("1.50")
    assert b'"value":1.50,' in encode(resource)
    [entry] = feed.search("Observation", (("_id", "o1"),), call).entries
    assert b'"value":1.50,' in encode(entry.resource)


def test_every_question_is_answered_from_the_source_anew(feed: Feed, folder: Path, call: Call) -> None:
    """No clinical payload is kept between two looks."""
    single = folder / "single.json"
    assert feed.read("Observation", "o20", call) is not None
    changed = json.loads(single.read_text()) | {"status": "amended"}
    single.write_text(json.dumps(changed))
    resource = feed.read("Observation", "o20", call)
    assert resource is not None
    assert resource["status"] == "amended"
    single.unlink()
    assert feed.read("Observation", "o20", call) is None


def test_a_page_that_the_source_no_longer_knows_is_expired(feed: Feed, folder: Path, call: Call) -> None:
    page = feed.search("Observation", (("patient", "p1"), ("_count", "2")), call)
    assert page.next is not None
    (folder / "single.json").unlink()
    with pytest.raises(FeedLinkExpired):
        feed.page(page.next, call)


@pytest.mark.parametrize(
    "parameters",
    [
        (("patient", "p1"), ("invented", "x")),
        (("patient:Patient", "p1"),),
        (("patient.identifier", "x"),),
        (("date", "yesterday"),),
        (("_count", "-1"),),
        (("_sort", "code"),),
        (("code", "\\"), ("code", "|")),
        (("code", ""), ("patient", "p1")),
    ],
)
def test_what_cannot_be_honoured_is_refused(feed: Feed, call: Call, parameters: tuple[tuple[str, str], ...]) -> None:
    """To ignore a parameter would widen the answer."""
    with pytest.raises(FeedRefused):
        feed.search("Observation", parameters, call)


def test_text_that_is_not_unicode_is_an_error_of_the_family_or_no_match(feed: Feed, call: Call) -> None:
    try:
        assert feed.search("Observation", (("code", "\ud800"),), call).entries == ()
    except FeedError:
        return


@pytest.mark.parametrize("name", ["", "x", "//other.example/fhir", "http://other.example/", "?_getpages=gone", "\x00"])
def test_an_invented_page_is_an_error_of_the_family(feed: Feed, call: Call, name: str) -> None:
    with pytest.raises(FeedError):
        feed.page(name, call)


def test_a_deadline_that_has_passed_is_a_timeout(feed: Feed) -> None:
    with pytest.raises(FeedTimeout):
        feed.read("Observation", "o1", Call(Deadline.after(-1), "req-1.1"))


def test_a_feed_says_what_it_is(feed: Feed, call: Call) -> None:
    offer = feed.check(call)
    assert offer.fhir_version == "4.0.1"
    assert offer.software
    assert "search-type" in offer.types["Observation"]


def test_a_file_of_the_feed_is_fetched_whole_by_its_address(feed: Feed, folder: Path, call: Call) -> None:
    """Relative to the base, as FHIR writes it; what is not there is None."""
    binary = {"resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": "QWxt\nYQ=="}
    (folder / "binary.json").write_text(json.dumps(binary))
    file = feed.file("Binary/b1", call)
    assert file is not None
    assert (file.content_type, file.data) == ("text/plain", b"Alma")
    assert file.binary is not None
    assert "data" not in file.binary
    assert "Alma" not in repr(file)
    assert feed.file("Binary/b2", call) is None


@pytest.mark.parametrize("data", ["QWxtYQ", "%", 17, {"a": "b"}])
def test_a_file_that_is_not_whole_is_an_error_of_the_family(feed: Feed, folder: Path, call: Call, data: object) -> None:
    binary = {"resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": data}
    (folder / "binary.json").write_text(json.dumps(binary))
    with pytest.raises(FeedError):
        feed.file("Binary/b1", call)


@pytest.mark.parametrize(
    "url", ["https://other.example/Binary/b1", "//other.example/Binary/b1", "file:///etc/passwd", "", "Observation/o1"]
)
def test_an_address_that_is_no_file_of_the_feed_is_not_followed(feed: Feed, call: Call, url: str) -> None:
    """What lies at an address is a file: no other host, and no second way to ask for results."""
    with pytest.raises(FeedError):
        feed.file(url, call)


def test_threads_ask_one_feed_at_once(feed: Feed) -> None:
    def ask(_: int) -> set[str]:
        call = Call(Deadline.after(20), "req-1.1")
        return {entry.resource["id"] for entry in everything(feed, call, 3)}

    with ThreadPoolExecutor(8) as pool:
        assert all(found == EXPECTED for found in pool.map(ask, range(24)))
