"""Files of documents at the facade: named with the document, opened by a handle, each opening a look of its own."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.interface import FeedFile, FeedLinkRefused, Tree
from plugin.state.handles import FILE, LIFE_SECONDS, Handles
from tests.consultation.site import CONFIDENTIALITY, labelled, shape, strict_world
from tests.world import LAB_BASE, PUBLIC_BASE, Asked, World, observation

CONTENT = b"%PDF-1.4 a report of Alma"
DATA = base64.b64encode(CONTENT).decode()
SHA1 = base64.b64encode(hashlib.sha1(CONTENT).digest()).decode()
PDF = "application/pdf"
SEARCH = "/fhir/city-lab/DocumentReference?patient=p1"
ACROSS = {"X-Request-Id", "Date", "Content-Length"}


def document(number: int = 1, patient: str = "lab-1", *attachments: Tree) -> Tree:
    files = attachments or ({"contentType": PDF, "data": DATA, "title": "Report"},)
    return {
        "resourceType": "DocumentReference",
        "id": f"d{number}",
        "status": "current",
        "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "content": [{"attachment": dict(each)} for each in files],
    }


def addresses(world: World, **more: Any) -> list[str]:
    """Where the files of the answer can be opened, without the public base."""
    found = world.ask(SEARCH, **more)
    assert found.status == 200, found.data
    contents = [each for entry in found.json["entry"] for each in entry["resource"]["content"]]
    return [
        str(each["attachment"]["url"]).removeprefix(PUBLIC_BASE) for each in contents if "url" in each["attachment"]
    ]


def opened(world: World, *attachments: Tree, **more: Any) -> Asked:
    """What comes of opening the first file of a document with these attachments."""
    world.lab.resources.append(document(1, "lab-1", *attachments))
    (address, *_) = addresses(world)
    return world.ask(address, **more)


def alike(answer: Asked) -> Any:
    """What a caller could compare: all but the ids of the request."""
    return (
        answer.status,
        {name: value for name, value in answer.headers.items() if name not in ACROSS},
        shape(answer.json),
        answer.reason,
    )


def test_a_file_is_named_with_an_address_of_ours_and_its_content_stays(world: World) -> None:
    """The answer of a search may hold a thousand documents; a file is looked at one by one."""
    world.lab.resources.append(document())
    answer = world.ask(SEARCH)
    (entry,) = answer.json["entry"]
    attachment = entry["resource"]["content"][0]["attachment"]
    base, _, handle = attachment.pop("url").rpartition("/")
    assert base == f"{PUBLIC_BASE}/fhir/city-lab/Binary"
    assert len(handle) == 48
    assert handle.isalnum()
    assert attachment == {"contentType": PDF, "title": "Report"}
    assert DATA.encode() not in answer.data


def test_opening_a_file_reads_and_judges_its_document_and_answers_a_labelled_binary(world: World) -> None:
    """The design's section 5, in one look: FHIR JSON, the document's labels, its record."""
    answer = opened(world, {"contentType": PDF, "data": DATA, "size": len(CONTENT), "hash": SHA1})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/fhir+json"
    binary = answer.json
    assert (binary["resourceType"], binary["contentType"], binary["data"]) == ("Binary", PDF, DATA)
    assert binary["securityContext"] == {"reference": "DocumentReference/d1"}
    codes = [each["code"] for each in binary["meta"]["security"]]
    assert {"N", "NOCOLLECT", "NOINTEGRATE", "DELAU"} <= set(codes)
    assert world.lab.queries[-1] == ("read", "DocumentReference", "d1")
    record = world.last()
    assert record["action"] == "consultation:released"
    assert record["asked"]["query"] == "DocumentReference/d1"
    assert (record["asked"]["interaction"], record["asked"]["file"]) == ("read", 1)
    assert [each["reference"] for each in record["released"]] == ["DocumentReference/d1"]
    assert record["patient"] == "p1"


def test_each_opening_is_recorded_and_reads_the_source_anew(world: World) -> None:
    """Nothing is kept between two looks; a handle is no cache."""
    world.lab.resources.append(document())
    (address,) = addresses(world)
    assert world.ask(address).status == 200
    replaced = base64.b64encode(b"%PDF-1.4 corrected").decode()
    world.lab.resources[-1] = document(1, "lab-1", {"contentType": PDF, "data": replaced})
    assert world.ask(address).json["data"] == replaced
    assert [body["action"] for body in world.named()] == ["consultation:released"] * 3


def test_every_file_of_a_document_has_an_address_of_its_own(world: World) -> None:
    """By its place: two files may look alike."""
    other = base64.b64encode(b"other").decode()
    world.lab.resources.append(
        document(1, "lab-1", {"contentType": PDF, "data": DATA}, {"contentType": "text/plain", "data": other})
    )
    assert [world.ask(each).json["data"] for each in addresses(world)] == [DATA, other]
    assert [body["asked"].get("file") for body in world.named()] == [None, 1, 2]


@pytest.mark.parametrize("url", ["Binary/b1", f"{LAB_BASE}/Binary/b1", "https://LAB.example:443/fhir/Binary/b1"])
def test_a_file_at_an_address_of_the_feed_is_fetched_there(world: World, url: str) -> None:
    """Relative as absolute: with the gateway's own credential, by the feed that checks the address once more."""
    world.lab.files[url] = FeedFile(PDF, CONTENT, {"resourceType": "Binary", "id": "b1", "contentType": PDF})
    answer = opened(world, {"contentType": PDF, "url": url, "size": len(CONTENT), "hash": SHA1})
    assert (answer.status, answer.json["data"]) == (200, DATA)
    assert world.lab.queries[-1] == ("file", url)
    assert url.encode() not in answer.data


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/report.pdf",
        "http://lab.example/fhir/Binary/b1",
        "https://lab.example/other/b1",
        "https://lab.example.evil.example/fhir/b1",
        "//elsewhere.example/report.pdf",
        "file:///etc/passwd",
        "data:application/pdf;base64,QUJD",
        "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7",
        "",
    ],
)
def test_a_file_outside_the_feed_is_named_and_neither_linked_nor_fetched(world: World, url: str) -> None:
    """An address in somebody's data must not make the gateway, or its reader, ask another host."""
    world.lab.resources.append(document(1, "lab-1", {"contentType": PDF, "url": url, "title": "Report"}))
    (entry,) = world.ask(SEARCH).json["entry"]
    assert entry["resource"]["content"] == [{"attachment": {"contentType": PDF, "title": "Report"}}]
    assert "file" not in [query[0] for query in world.lab.queries]


def test_an_address_that_the_feed_refuses_is_an_answer_of_no_use(world: World) -> None:
    """`Binary/../x` looks relative and is not: the feed's own allow-list has the last word."""
    world.lab.resources.append(document(1, "lab-1", {"contentType": PDF, "url": "Binary/../../x"}))
    (address,) = addresses(world)
    world.lab.file = _refusing  # type: ignore[method-assign]
    answer = world.ask(address)
    assert (answer.status, answer.reason) == (502, "feed-failed")
    assert world.last()["feed"]["answer"] == "link-refused"


def _refusing(url: str, call: Any) -> FeedFile | None:
    raise FeedLinkRefused("feed 'city-lab' would be asked outside what is allowed")


UNUSABLE = {
    "truncated base64": ({"contentType": PDF, "data": DATA[:-3]}, None),
    "no base64 at all": ({"contentType": PDF, "data": "%PDF é"}, None),
    "another size": ({"contentType": PDF, "data": DATA, "size": len(CONTENT) + 1}, None),
    "another hash": ({"contentType": PDF, "data": DATA, "hash": SHA1[::-1]}, None),
    "a hash that is none": ({"contentType": PDF, "data": DATA, "hash": 17}, None),
    "another type": ({"contentType": PDF, "url": "Binary/b1"}, FeedFile("text/html; charset=utf-8", b"<html>log in")),
    "no pdf inside": ({"contentType": PDF, "data": base64.b64encode(b"<html>log in").decode()}, None),
    "no picture inside": ({"contentType": "image/png", "url": "Binary/b1"}, FeedFile("image/png", CONTENT)),
    "cut on the way": ({"contentType": PDF, "url": "Binary/b1", "size": 99}, FeedFile(PDF, CONTENT)),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_is_not_what_its_document_says_is_not_handed_over(world: World, case: str) -> None:
    """Half a report reads like a whole one, and a login page says nothing of a patient."""
    attachment, found = UNUSABLE[case]
    if found is not None:
        world.lab.files["Binary/b1"] = found
    answer = opened(world, attachment)
    assert (answer.status, answer.reason) == (502, "file-unusable")
    assert b"Alma" not in answer.data
    record = world.last()
    assert (record["action"], record["outcome"], record["released"]) == ("consultation:failed", "8", [])


@pytest.mark.parametrize("stated", [SHA1, hashlib.sha1(CONTENT).hexdigest()])
def test_a_hash_is_read_as_fhir_and_as_registries_write_it(world: World, stated: str) -> None:
    """XDS registries hand their hexadecimal on."""
    assert opened(world, {"contentType": PDF, "data": DATA, "hash": stated}).status == 200


@pytest.mark.parametrize(
    ("stated", "found", "told"),
    [
        (None, "text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1"),
        (None, "", "application/octet-stream"),
        ("text/plain", "text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1"),
        ("text/xml", "application/xml", "text/xml"),
        ("application/pdf", "application/octet-stream", "application/pdf"),
        ("application/octet-stream", "application/pdf", "application/pdf"),
        ("text/plain\r\nX: y", "text/plain", "text/plain"),
    ],
)
def test_what_a_file_is_is_said_by_its_document_or_else_by_its_feed(
    world: World, stated: str | None, found: str, told: str
) -> None:
    """R4 wants a Binary to say it; what nobody knows is said to be unknown."""
    world.lab.files["Binary/b1"] = FeedFile(found, CONTENT)
    attachment = {"url": "Binary/b1"} | ({} if stated is None else {"contentType": stated})
    assert opened(world, attachment).json["contentType"] == told


def test_expired_foreign_unknown_and_withheld_handles_are_answered_alike(tmp_path: Path) -> None:
    """Whoever holds a handle learns nothing by it but what they may see; each try has its record."""
    world = strict_world(tmp_path)
    world.lab.resources += [document(1), document(2), document(3)]
    one, two, three = addresses(world)
    world.lab.resources[-2] = labelled(world.lab.resources[-2])
    world.lab.resources.pop()
    tries = {
        "unknown": world.ask("/fhir/city-lab/Binary/" + "0" * 48),
        "of no form that we issue": world.ask("/fhir/city-lab/Binary/b1"),
        "withheld since": world.ask(two),
        "gone since": world.ask(three),
        "another person's": world.ask(one, token=world.token(sub="dr-other")),
        "about another patient": world.ask(one, token=world.token(patient="p2")),
        "issued at another feed": world.ask(one.replace("city-lab", "imaging")),
    }
    handles = world.assembled.gateway.files.handles
    handles._clock = lambda: 4e9
    tries["over"] = world.ask(one)
    answers = {name: alike(each) for name, each in tries.items()}
    assert answers == dict.fromkeys(tries, answers["unknown"])
    assert answers["unknown"][0] == 404
    refused = [body for body in world.named() if body["outcome"] == "4"]
    assert len(refused) == len(tries)
    assert {body["action"] for body in refused} == {"consultation:denied"}
    assert all(not body["released"] for body in refused)


def test_a_file_whose_own_labels_are_stricter_is_withheld_with_its_document(tmp_path: Path) -> None:
    """A server labels the Binary, or the document, or both."""
    world = strict_world(tmp_path)
    binary = labelled({"resourceType": "Binary", "id": "b1", "contentType": PDF})
    world.lab.files["Binary/b1"] = FeedFile(PDF, CONTENT, binary)
    answer = opened(world, {"contentType": PDF, "url": "Binary/b1"})
    assert (answer.status, answer.reason) == (404, "not-found")
    record = world.last()
    assert record["withheld"] == [{"reference": "DocumentReference/d1", "rule": "restricted-is-not-shown"}]


@pytest.mark.parametrize("spelt", [CONFIDENTIALITY, CONFIDENTIALITY.replace("http:", "https:")])
@pytest.mark.parametrize(("own", "code"), [("N", "N"), ("L", "N"), ("R", "R")])
def test_a_file_bears_one_confidentiality_the_strictest(world: World, own: str, code: str, spelt: str) -> None:
    """A resource has exactly one such code; other labels of the file are added."""
    binary = labelled({"resourceType": "Binary", "id": "b1", "contentType": PDF}, own)
    binary["meta"]["security"][0]["system"] = spelt
    binary["meta"]["security"].append({"system": "https://lab.example/labels", "code": "x"})
    world.lab.files["Binary/b1"] = FeedFile(PDF, CONTENT, binary)
    labels = opened(world, {"contentType": PDF, "url": "Binary/b1"}).json["meta"]["security"]
    assert [each["code"] for each in labels if each["system"] in (CONFIDENTIALITY, spelt)] == [code]
    assert {"system": "https://lab.example/labels", "code": "x"} in labels


def test_a_binary_that_says_it_is_another_patients_is_not_shown(world: World) -> None:
    """R4 Binary.securityContext; the document may point at the wrong file."""
    context = {"reference": f"{LAB_BASE}/Patient/lab-2"}
    world.lab.files["Binary/b1"] = FeedFile(PDF, CONTENT, {"resourceType": "Binary", "securityContext": context})
    assert opened(world, {"contentType": PDF, "url": "Binary/b1"}).status == 404


def test_reading_documents_is_what_opening_their_files_takes(world: World) -> None:
    """A scope on the type, the letter `r`: the file is a part of the document."""
    world.lab.resources.append(document())
    (address,) = addresses(world)
    for scope in ("patient/DocumentReference.s", "patient/Observation.rs", "patient/Binary.rs"):
        answer = world.ask(address, token=world.token(scope=f"launch {scope}"))
        assert (answer.status, answer.reason) == (403, "insufficient-scope"), scope
    assert world.ask(address, token=world.token(scope="launch patient/DocumentReference.r")).status == 200
    assert world.ask(address, token="").status == 401


def test_a_client_that_may_keep_data_gets_no_file(world: World) -> None:
    """Structured data goes to whoever renders only, files included."""
    world.lab.resources.append(document())
    (address,) = addresses(world)
    answer = world.ask(address, token=world.token(client_id="importer"))
    assert (answer.status, answer.reason) == (403, "access-denied")


@pytest.mark.parametrize("accept", ["application/pdf", "application/octet-stream", "image/*"])
def test_a_file_never_leaves_by_itself(world: World, accept: str) -> None:
    """Raw bytes are what a browser stores; FHIR JSON only."""
    answer = opened(world, {"contentType": PDF, "data": DATA}, headers={"Accept": accept})
    assert (answer.status, answer.reason) == (406, "not-acceptable")


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_nothing_can_be_done_with_a_handle_but_look(world: World, method: str) -> None:
    world.lab.resources.append(document())
    (address,) = addresses(world)
    answer = world.ask(address, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET"


def test_there_is_no_search_of_binaries(world: World) -> None:
    assert world.ask("/fhir/city-lab/Binary?_id=x").status == 404
    assert world.ask("/fhir/city-lab/Binary").status == 404
    assert not world.lab.queries


def test_a_read_names_its_files_as_a_search_does(world: World) -> None:
    world.lab.resources.append(
        {
            "resourceType": "DiagnosticReport",
            "id": "r1",
            "status": "final",
            "subject": {"reference": "Patient/lab-1"},
            "presentedForm": [{"contentType": PDF, "data": DATA}],
        }
    )
    report = world.ask("/fhir/city-lab/DiagnosticReport/r1").json
    answer = world.ask(report["presentedForm"][0]["url"].removeprefix(PUBLIC_BASE))
    assert answer.json["securityContext"] == {"reference": "DiagnosticReport/r1"}


def test_a_file_of_what_is_only_shown_beside_a_result_has_no_address(world: World) -> None:
    """A Practitioner is read by no address: that of the photo led to 404, and to a refusal in the clinician's name."""
    doctor = {"resourceType": "Practitioner", "id": "x", "photo": [{"contentType": "image/png", "data": DATA}]}
    world.lab.resources += [observation("o1", performer=[{"reference": "Practitioner/x"}]), doctor]
    answer = world.ask("/fhir/city-lab/Observation?patient=p1&_include=Observation:performer")
    assert answer.json["entry"][1]["resource"]["photo"] == [{"contentType": "image/png"}]


@pytest.mark.parametrize(
    "elements",
    [
        {"meta": {"extension": [{"url": "urn:x", "valueAttachment": {"contentType": PDF, "data": DATA}}]}},
        {
            "presentedForm": [
                {"contentType": PDF, "_data": {"extension": [{"url": "urn:x", "valueAttachment": {"data": DATA}}]}}
            ]
        },
    ],
    ids=["in meta", "in the content of another"],
)
def test_a_file_inside_what_is_not_shown_is_not_named(world: World, elements: Tree) -> None:
    """R4 allows it; the address had nowhere to stand, and one such result failed the whole answer with 500."""
    report = {"resourceType": "DiagnosticReport", "id": "r1", "status": "final", **elements}
    world.lab.resources.append({**report, "subject": {"reference": "Patient/lab-1"}})
    answer = world.ask("/fhir/city-lab/DiagnosticReport?patient=p1")
    assert (answer.status, answer.references) == (200, ["DiagnosticReport/r1"])
    assert b"Binary" not in answer.data
    assert DATA.encode() not in answer.data


def test_an_answer_with_too_many_files_is_more_than_one_look(world: World) -> None:
    """Two thousand names of one document are no document, and would fill the shared state."""
    world.lab.resources.append(document(1, "lab-1", *({"contentType": PDF, "data": "QUJD"} for _ in range(2001))))
    answer = world.ask(SEARCH)
    assert (answer.status, answer.reason) == (403, "too-costly")


def test_the_state_holds_references_and_not_even_those_in_clear(world: World) -> None:
    world.lab.resources.append(document())
    (address,) = addresses(world)
    files = list(world.settings.state_dir.glob(f"{FILE}*"))
    assert files
    kept = b"".join(each.read_bytes() for each in files)
    for text in (address.rpartition("/")[2], "dr-roy", "DocumentReference", DATA, "Alma"):
        assert text.encode() not in kept


def test_handles_that_are_over_are_forgotten(tmp_path: Path) -> None:
    """The store stays as small as five minutes of looking."""
    from plugin.state.handles import Handled

    moment = [1_000_000.0]
    handles = Handles(tmp_path, [b"k" * 32], lambda: moment[0])
    each = Handled("city-lab", "iss sub", "hospital", "p1", "DocumentReference/d1", 1)
    (first,) = handles.issue([each])
    moment[0] += LIFE_SECONDS - 1
    assert handles.find(first) == each
    assert Handles(tmp_path, [b"n" * 32, b"k" * 32], lambda: moment[0]).find(first) == each
    assert Handles(tmp_path, [b"n" * 32], lambda: moment[0]).find(first) is None
    moment[0] += 1
    assert handles.find(first) is None
    handles.issue([each])
    with handles._database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM handles").get == 1
    moment[0] -= 2 * LIFE_SECONDS
    assert handles.find(first) is None
