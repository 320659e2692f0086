"""Documents on the clinician's pages: each page that is opened is a look, judged and recorded; nothing downloads."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fhir_adapters.interface import FeedFile, FeedTimeout, Tree
from plugin.faces.viewer.documents.words import PROBLEMS
from plugin.rendering.job import Answer, Job, Kind, Problem
from tests.launch.launching import configuration
from tests.rendering import papers
from tests.viewer.clinic import Clinic, Seen
from tests.world import lab_patient

PLACE = "document/city-lab/DocumentReference/d1"
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


class Renderer:
    """Says what it was asked, and answers as it is told."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.answer = Answer(None, 2, JPEG, 100, 140, "Hémoglobine 13,4")

    def render(self, job: Job) -> Answer:
        self.jobs.append(job)
        if job.kind == Kind.MARKUP:
            from plugin.rendering.markup import clean

            return clean(job.data, job.page, job.watermark)
        if job.kind == Kind.CDA:
            from plugin.rendering.cda import document_of

            return document_of(job.data, job.page, job.watermark)
        return self.answer


class Desk(Clinic):
    """A clinic whose rendering processes are played."""

    def __init__(self, folder: Path, text: str | None = None) -> None:
        super().__init__(folder, text)
        self.renderer = Renderer()
        for each in ("document", "file", "page"):
            view = self.world.app.view_functions[f"viewer.{each}"]
            for cell in view.__closure__ or ():
                if isinstance(cell.cell_contents, dict):
                    documents = cell.cell_contents["GET"].__self__
                    object.__setattr__(documents, "pool", self.renderer)
        self.world.lab.resources[:] = [lab_patient()]

    def put(self, *attachments: Tree, **more: Any) -> None:
        """A document of the patient with these files."""
        self.world.lab.resources.append(
            {
                "resourceType": "DocumentReference",
                "id": "d1",
                "status": "current",
                "meta": {"security": [{"system": N, "code": "N"}]},
                "type": {"text": "Compte rendu <b>"},
                "subject": {"reference": "Patient/lab-1"},
                "content": [{"attachment": each} for each in attachments],
                **more,
            }
        )


N = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def inline(data: bytes, kind: str, title: str = "Report") -> Tree:
    return {"contentType": kind, "data": base64.b64encode(data).decode(), "title": title}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_page_of_a_pdf_is_a_picture_that_says_who_looked_when_and_under_which_record(desk: Desk) -> None:
    """The file's bytes go to the renderer, its picture to the page, and the look to the log."""
    paper = papers.pdf("x")
    desk.put(inline(paper, "application/pdf"))
    seen = desk.get(f"{PLACE}/1")
    assert seen.status == 200
    assert f'src="data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"' in seen.html
    assert "Page 1 of 2" in seen.text
    assert "Hémoglobine 13,4" in seen.text
    (job,) = desk.renderer.jobs
    assert (job.kind, job.data, job.page) == ("pdf", paper, 1)
    record = desk.looks()[-1]
    assert record["action"] == "consultation:released"
    assert record["asked"] == record["asked"] | {"file": 1, "page": 1, "delivery": "rendered", "interaction": "read"}
    who, when, which = job.watermark
    assert which == record["record"]
    assert who == record["person"]["name"] or who == record["person"]["subject"]
    assert all(each in seen.text for each in (when, which))


def test_the_browsers_history_does_not_tell_which_document_was_read(desk: Desk) -> None:
    """It keeps titles beside addresses, for whoever sits down next."""
    desk.put(inline(papers.pdf("x"), "application/pdf", "Psychiatry"), text=DIV)
    for path in (PLACE, f"{PLACE}/1"):
        head = desk.get(path).html.partition("<style")[0]
        assert "<title>Document" in head
        assert "Psychiatry" not in head
        assert "Compte rendu" not in head


def test_each_page_is_a_look_of_its_own_and_reads_the_source_anew(desk: Desk) -> None:
    """What was withheld or corrected since is not shown on page two."""
    desk.put(inline(papers.pdf("x"), "application/pdf"))
    first = desk.get(f"{PLACE}/1")
    (address,) = re.findall(r'rel="next" href="([^"]+)"', first.html)
    assert address.split("?")[0].endswith(f"{PLACE}/1/2")
    assert desk.ask("GET", address).status == 200
    assert [(each["asked"]["file"], each["asked"]["page"]) for each in desk.looks()] == [(1, 1), (1, 2)]
    assert [job.page for job in desk.renderer.jobs] == [1, 2]
    assert desk.world.lab.queries.count(("read", "DocumentReference", "d1")) == 2
    desk.world.lab.resources.pop()
    assert desk.ask("GET", address).status == 404
    assert desk.looks()[-1]["action"] == "consultation:denied"


def test_no_picture_but_the_pages_own_can_be_loaded(desk: Desk) -> None:
    desk.put(inline(papers.pdf("x"), "application/pdf"))
    policy = desk.get(f"{PLACE}/1").headers["Content-Security-Policy"]
    assert "img-src data:;" in policy
    assert "default-src 'none'" in policy
    assert "img-src 'self'" in desk.get(PLACE).headers["Content-Security-Policy"]


def test_a_document_shows_its_own_text_and_names_its_files(desk: Desk) -> None:
    """What is not at the source, or of no kind that is shown, is named and no link."""
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><h1>Titre</h1><p onclick="x()">Nodule <b>stable</b></p></div>'
    desk.put(
        inline(b"x", "text/plain", "Letter"),
        {"contentType": "application/pdf", "url": "https://elsewhere.example/x.pdf", "title": "Elsewhere"},
        inline(b"x", "application/rtf", "Old letter"),
        text={"status": "generated", "div": div},
    )
    seen = desk.get(PLACE)
    assert "<p>Nodule <b>stable</b></p>" in seen.html
    assert "onclick" not in seen.html.partition("<main")[2].partition("</main>")[0]
    assert re.findall(r'href="[^"]*(/d1/\d)', seen.html) == ["/d1/1"]
    assert "Elsewhere (application/pdf) is not opened here: it is not at the source" in seen.text
    assert "Old letter (application/rtf) is not of a kind that is shown here" in seen.text
    assert "elsewhere.example" not in seen.html
    assert "Compte rendu <b>" in seen.text
    assert desk.world.lab.queries[-1] == ("read", "DocumentReference", "d1")
    assert "file" not in desk.looks()[-1]["asked"]


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/1"])
def test_files_that_are_too_many_to_be_named_are_counted(desk: Desk, path: str) -> None:
    """A list that ends says that there is no more."""
    desk.put(*(inline(b"x", "text/plain", f"Letter {number}.") for number in range(1, 54)))
    seen = desk.get(path).text
    assert "Letter 50." in seen
    assert "Letter 51." not in seen
    assert "3 more files are not named here." in seen


DIV = {"status": "generated", "div": "<div>Nodule <s>stable</s></div>"}


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/1"])
@pytest.mark.parametrize(
    ("more", "language", "marks"),
    [
        ({"docStatus": "preliminary"}, "fr", [("preliminary", "provisoire")]),
        ({"docStatus": "preliminary"}, "en", [("preliminary", "preliminary")]),
        ({"docStatus": "amended"}, "en", [("amended", "amended")]),
        ({"docStatus": "entered-in-error"}, "fr", [("entered-in-error", "saisi par erreur")]),
        ({"status": "superseded"}, "fr", [("superseded", "remplacé par une version plus récente")]),
        (
            {"status": "superseded", "docStatus": "preliminary"},
            "en",
            [("superseded", "replaced by a newer version"), ("remark", "preliminary")],
        ),
        (
            {"status": "entered-in-error", "docStatus": "entered-in-error"},
            "en",
            [("entered-in-error", "entered in error")],
        ),
        ({"status": "entered-in-error", "docStatus": "final"}, "en", [("entered-in-error", "entered in error")]),
        (
            {"status": "superseded", "docStatus": "entered-in-error"},
            "en",
            [("entered-in-error", "entered in error"), ("remark", "superseded")],
        ),
        ({"docStatus": "final"}, "fr", []),
    ],
)
def test_each_page_of_a_document_says_its_date_and_whether_it_is_valid(
    desk: Desk, path: str, more: dict[str, str], language: str, marks: list[tuple[str, str]]
) -> None:
    """A preliminary, replaced or mistaken report must not be read as the one that holds."""
    desk.put(inline(papers.pdf("x"), "application/pdf"), date="2026-03-02", **more)
    main = desk.get(path, language=language).html.partition("<h1>")[2]
    (standing,) = re.findall(r'<p class="standing">(.*?)</p>', main)
    assert {"fr": ">2 mars 2026</time>", "en": ">2 Mar 2026</time>"}[language] in standing
    found = re.findall(r'<em class="status ([^"]+)">(?:<bdi>)?([^<]+)', standing)
    assert found == marks


@pytest.mark.parametrize(
    ("status", "word"), [("partial", "partiel, provisoire"), ("cancelled", "annulé"), ("corrected", "corrigé")]
)
def test_each_page_of_a_report_says_whether_it_is_valid(desk: Desk, status: str, word: str) -> None:
    desk.put(status=status, resourceType="DiagnosticReport", content=None, presentedForm=[inline(b"x", "text/plain")])
    for path in (PLACE, f"{PLACE}/1"):
        seen = desk.get(path.replace("DocumentReference", "DiagnosticReport"), language="fr")
        assert f"sans date {word} Source" in seen.text


def test_a_document_says_its_date_as_its_row_does_and_that_it_has_none(desk: Desk) -> None:
    desk.put(inline(b"x", "text/plain"))
    assert "no date Source: City laboratory" in desk.get(PLACE).text
    assert "no date" in desk.get("part/city-lab").text


@pytest.mark.parametrize(
    ("language", "name"), [("fr", "Texte du document"), ("en", "The document’s own text")]
)  # fmt: skip
def test_a_documents_own_text_is_reached_from_each_page_of_its_files(desk: Desk, language: str, name: str) -> None:
    """The overview opens a file at once."""
    desk.put(inline(b"x", "text/plain"), text=DIV)
    files = desk.get(f"{PLACE}/1", language=language).html.partition('<nav class="files"')[2].partition("</nav>")[0]
    (address, told) = re.findall(r'<a href="([^"]+)">([^<]+)</a>', files)[0]
    assert told == name
    seen = desk.ask("GET", address)
    assert "Nodule <s>stable</s>" in seen.html
    assert f'<strong aria-current="page">{name}</strong>' in seen.html


def test_a_document_without_a_text_of_its_own_has_no_entry_for_it(desk: Desk) -> None:
    desk.put(inline(b"x", "text/plain"))
    assert "own text" not in desk.get(f"{PLACE}/1").text
    desk.world.lab.resources.pop()
    desk.put(inline(b"x", "text/plain"), text={"status": "empty", "div": " "})
    assert "own text" not in desk.get(f"{PLACE}/1").text


def test_a_text_in_which_nothing_is_to_be_read_is_said_to_be_empty(desk: Desk) -> None:
    desk.put(inline(b"x", "text/plain"), text={"status": "generated", "div": "<div><p> </p></div>"})
    assert "This document’s own text is empty." in desk.get(PLACE).text
    assert "Le texte propre de ce document est vide." in desk.get(PLACE, language="fr").text


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", "Scan (application/pdf) n’est pas ouvert ici : la source l’annonce, mais ne le fournit pas."),
        ("en", "Scan (application/pdf) is not opened here: the source names it, but does not hold it."),
    ],
)
@pytest.mark.parametrize("nothing", [{}, {"url": ""}, {"data": None}, {"_url": {"extension": []}}])
def test_a_file_that_its_source_only_names_is_not_said_to_be_elsewhere(
    desk: Desk, nothing: Tree, language: str, told: str
) -> None:
    """Nobody should look for it at another place."""
    desk.put({"contentType": "application/pdf", "title": "Scan", **nothing})
    text = desk.get(PLACE, language=language).text
    assert told in text
    assert "somewhere else" not in text


def test_a_c_cda_is_its_sections_as_text(desk: Desk) -> None:
    narrative = '<paragraph>Pénicilline</paragraph><linkHtml href="https://evil.example">voir</linkHtml>'
    desk.put(inline(papers.cda(papers.section(narrative)), "application/xml"))
    seen = desk.get(f"{PLACE}/1")
    assert "<h3>Allergies</h3><p>Pénicilline</p>voir" in seen.html
    assert "evil.example" not in seen.html
    assert [job.kind for job in desk.renderer.jobs] == ["cda", "markup"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("Hémoglobine\n  13,4 <b>".encode(), "text/plain"),
        ("Hémoglobine\n  13,4 <b>".encode("cp1252"), "text/plain"),
        ("Hémoglobine\n  13,4 <b>".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        ("Hémoglobine\n  13,4 <b>".encode("utf-16"), 'text/plain; charset="utf-16"'),
        ("Hémoglobine\n  13,4 <b>".encode("utf-16"), "text/plain"),
        ("Hémoglobine\n  13,4 <b>".encode("utf-16-le"), "text/plain; charset=UTF-16LE"),
        ("Hémoglobine\n  13,4 <b>".encode("iso-8859-9"), "text/plain; charset=iso-8859-9"),
        ("Hémoglobine\n  13,4 <b>".encode("windows-1254"), "text/plain; charset=windows-1254"),
    ],
)
def test_a_plain_text_is_text(desk: Desk, data: bytes, kind: str) -> None:
    """In its columns, and whatever it looks like."""
    desk.put(inline(data, kind))
    assert "Hémoglobine\n  13,4 &lt;b&gt;" in desk.get(f"{PLACE}/1").html
    assert desk.renderer.jobs == []


@pytest.mark.parametrize("encoded", [True, False])
def test_a_c_cda_whose_body_is_a_plain_text_is_that_text(desk: Desk, encoded: bool) -> None:
    """Its title stood there alone, as if there were nothing more."""
    told = "Pas de fracture.\n" * 1000 + "Kyste"
    body = base64.b64encode(told.encode()).decode() if encoded else told
    how = 'mediaType="text/plain" representation="B64"' if encoded else 'mediaType="text/plain"'
    desk.put(inline(papers.cda(f"<nonXMLBody><text {how}>{body}</text></nonXMLBody>"), "text/xml"))
    assert "Page 1 of 2" in desk.get(f"{PLACE}/1").text
    assert "Kyste" in desk.get(f"{PLACE}/1/2").text


NOWHERE = '<nonXMLBody><text mediaType="application/pdf"><reference value="report.pdf"/></text></nonXMLBody>'


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "text/plain; charset=utf-8"),
        (b" \n\f\n", "text/plain"),
        (papers.cda(NOWHERE), "text/xml"),
        (papers.cda("<structuredBody/>", title=""), "text/xml"),
    ],
)
def test_a_file_without_a_word_is_said_to_hold_nothing(desk: Desk, data: bytes, kind: str) -> None:
    """An empty page says nothing of why it is empty."""
    desk.put({"contentType": kind, "url": "Binary/b1"})
    desk.world.lab.files["Binary/b1"] = FeedFile(kind, data)
    seen = desk.get(f"{PLACE}/1")
    assert (seen.status, "holds nothing that is shown here" in seen.text) == (502, True)


def test_a_long_text_has_pages(desk: Desk) -> None:
    desk.put(inline(b"line\n" * 4000 + b"\flast", "text/plain"))
    assert "Page 1 of 3" in desk.get(f"{PLACE}/1").text
    assert "last" in desk.get(f"{PLACE}/1/3").text
    assert desk.get(f"{PLACE}/1/4").status == 404


def test_a_text_that_turns_lines_around_is_shown_as_doing_so(desk: Desk) -> None:
    """Such a mark would let a line read otherwise than it is written; so would an entity of a narrative."""
    div = "<div>dose 10&#x202e;mg</div>"
    desk.put(inline("dose 1\u202e0 mg".encode(), "text/plain"), text={"status": "generated", "div": div})
    assert "‹U+202E›" in desk.get(f"{PLACE}/1").text
    assert "‹U+202E›" in desk.get(PLACE).text


@pytest.mark.parametrize("problem", list(Problem))
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_file_that_is_not_shown_is_one_sentence_and_a_record(desk: Desk, problem: Problem, language: str) -> None:
    """Broken, encrypted, endless or only unlucky: said in the clinician's words."""
    desk.put(inline(b"%PDF secret of Alma", "application/pdf"))
    desk.renderer.answer = Answer(problem)
    seen = desk.get(f"{PLACE}/1", language=language)
    assert seen.status == {Problem.NO_SUCH_PAGE: 404, Problem.BUSY: 503}.get(problem, 502)
    said = PROBLEMS[problem]
    assert (said.title.fr if language == "fr" else said.title.en) in seen.text
    assert "secret" not in seen.html
    assert desk.looks()[-1]["asked"]["file"] == 1


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_file_that_is_not_what_its_document_says_is_one_sentence(desk: Desk, language: str) -> None:
    """Truncated base64, another hash, another type: a failure of the source, recorded as that."""
    desk.put({"contentType": "application/pdf", "data": "JVBERi0"})
    seen = desk.get(f"{PLACE}/1", language=language)
    assert seen.status == 502
    assert {"fr": "n’est pas celui que la source annonce", "en": "not what the source says"}[language] in seen.text
    assert desk.looks()[-1]["reason"] == "file-unusable"
    assert desk.renderer.jobs == []


def test_a_narrative_of_two_megabytes_is_said_to_be_too_long(desk: Desk) -> None:
    desk.put(text={"status": "generated", "div": "<div>" + "x" * 2_000_000 + "</div>"})
    seen = desk.get(PLACE)
    assert "cannot be shown here" in seen.text
    assert len(seen.html) < 100_000


@pytest.mark.parametrize(
    "path",
    [
        f"{PLACE}/0", f"{PLACE}/2", f"{PLACE}/1/0", f"{PLACE}/x", f"{PLACE}/-1", f"{PLACE}/1/{'9' * 5000}",
        "document/city-lab/DocumentReference/d2", "document/city-lab/Binary/b1", "document/city-lab/Practitioner/x",
        "document/city-lab/DocumentReference/a_b", "document/elsewhere/DocumentReference/d1",
        "document/city-lab/<script>/d1",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so_and_a_record(desk: Desk, path: str) -> None:
    """The record holds no text of the address but what FHIR allows."""
    desk.put(inline(b"x", "text/plain"))
    seen = desk.get(path)
    assert seen.status == 404
    assert "There is nothing to show" in seen.text
    record = desk.looks()[-1]
    assert (record["action"], record["outcome"], record["released"]) == ("consultation:denied", "4", [])
    assert "script" not in str(record["asked"])


def test_deeper_addresses_are_none(desk: Desk) -> None:
    assert desk.get(f"{PLACE}/1/1/x").status == 404


def test_a_file_of_another_name_is_opened_by_what_it_is(desk: Desk) -> None:
    """A feed that does not say: its PDF is one all the same, and what else it is stays unshown."""
    desk.world.lab.files["Binary/b1"] = FeedFile("application/octet-stream", papers.pdf("x"))
    desk.put({"url": "Binary/b1"})
    assert desk.get(f"{PLACE}/1").status == 200
    desk.world.lab.files["Binary/b1"] = FeedFile("application/octet-stream", b"MZ")
    seen = desk.get(f"{PLACE}/1")
    assert (seen.status, "holds nothing that is shown here" in seen.text) == (502, True)


def test_a_rendering_process_that_answers_with_something_else_shows_nothing(desk: Desk) -> None:
    """Whatever took it over, its answer is a picture to us, or nothing."""
    desk.put(inline(papers.pdf("x"), "application/pdf"))
    desk.renderer.answer = Answer(None, 1, b"<svg onload=alert(1)>", 1, 1, "<script>alert(1)</script>")
    seen = desk.get(f"{PLACE}/1")
    assert "<svg" not in seen.html
    assert "<img" not in seen.html
    assert "<script>alert" not in seen.html


def test_a_document_is_linked_from_the_overview(desk: Desk) -> None:
    desk.put(inline(b"x", "text/plain"))
    part = desk.get("part/city-lab")
    (address,) = re.findall(r'class="open" href="([^"]+)"', part.html)
    assert desk.ask("GET", address).status == 200


def test_the_overview_leads_to_what_can_be_opened(desk: Desk) -> None:
    """The first file at the source; else the document's page, which names what is elsewhere."""
    elsewhere = {"contentType": "application/pdf", "url": "https://elsewhere.example/x.pdf", "title": "Elsewhere"}
    desk.put(elsewhere, inline(b"x", "text/plain"))
    assert re.findall(r'class="open" href="[^"]*(d1[^"?]*)', desk.get("part/city-lab").html) == ["d1/2"]
    desk.world.lab.resources.pop()
    desk.put(elsewhere)
    assert re.findall(r'class="open" href="[^"]*(d1[^"?]*)', desk.get("part/city-lab").html) == ["d1"]
    assert desk.get(PLACE).status == 200


@pytest.mark.slow
def test_a_page_is_drawn_by_a_process_of_its_own(tmp_path: Path) -> None:
    """Nothing played: the file as it came, the picture as a browser shows it; and nothing of it is left."""
    clinic = Clinic(tmp_path)
    clinic.world.lab.resources[:] = [lab_patient()]
    desk = Desk.put.__get__(clinic)
    desk(inline(papers.pdf("Hémoglobine 13,4", "Suite"), "application/pdf"))
    for page, told in ((1, "Hémoglobine 13,4"), (2, "Suite")):
        seen = clinic.get(f"{PLACE}/1/{page}")
        assert (seen.status, told in seen.text) == (200, True)
        (picture,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', seen.html)
        drawn = Image.open(io.BytesIO(base64.b64decode(picture)))
        assert drawn.width == 1190
        assert min(drawn.convert("L").crop((0, 300, 1190, 600)).tobytes()) < 60
    kept = [each for each in tmp_path.rglob("*") if each.is_file() and each.stat().st_size < 50_000_000]
    assert not any("Hémoglobine".encode() in each.read_bytes() for each in kept)
    assert any(each.name.startswith("vitrine.sqlite") for each in kept)


def test_a_feed_whose_patients_must_be_told_asks_for_the_word_first(tmp_path: Path) -> None:
    """Nothing is fetched before; the word goes from page to page for the minutes that it is good."""
    text = configuration().replace('id = "city-lab"', 'id = "city-lab"\npatient_informed = true', 1)
    desk = Desk(tmp_path, text)
    desk.put(inline(b"x", "text/plain"))
    seen = desk.get(f"{PLACE}/1")
    assert (seen.status, seen.headers["Location"].split("?")[0].rpartition("/")[2]) == (303, "city-lab")
    assert not any(query[0] == "read" and query[1] == "DocumentReference" for query in desk.world.lab.queries)
    form = desk.get("feed/city-lab").form
    told = desk.post("feed/city-lab", {"form": form, "informed": "yes"}).headers["Location"].partition("?")[2]
    seen = desk.ask("GET", f"{PLACE}/1?{told}")
    assert seen.status == 200
    assert desk.looks()[-1]["informed"]


def test_only_looking_is_answered(desk: Desk) -> None:
    desk.put(inline(b"x", "text/plain"))
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
        assert desk.ask(method, f"{PLACE}/1").status == 405


def _hidden(seen: Seen) -> Iterator[str]:
    yield from re.findall(r'"resourceType"|"contentType"|base64', seen.html)


def test_no_structured_data_reaches_the_browser(desk: Desk) -> None:
    """Pages only: neither the resource nor its file."""
    desk.put(inline(b"A letter of Alma", "text/plain"))
    for path in (PLACE, f"{PLACE}/1"):
        assert list(_hidden(desk.get(path))) == []


@pytest.mark.parametrize(
    ("language", "title", "again"),
    [
        ("fr", "Laboratoire de ville n’a pas répondu.", "Réessayer"),
        ("en", "City laboratory did not answer.", "Try again"),
    ],
)
def test_a_document_whose_source_does_not_answer_names_it_and_can_be_asked_for_again(
    desk: Desk, language: str, title: str, again: str
) -> None:
    desk.world.lab.failure = FeedTimeout("no answer")
    for path in (PLACE, f"{PLACE}/1"):
        seen = desk.get(path, language=language)
        assert f"<h1>{title}</h1>" in seen.html
        assert f'<a class="button" href="">{again}</a>' in seen.html
