"""What becomes of a document, in this process: the same functions that run confined. Hostile ones are `test_pool`'s."""

import base64
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from plugin.rendering import cda, image, markup, pdf, watermark
from plugin.rendering.job import MAX_PIXELS, Answer, Problem
from tests.rendering import papers

MARK = ("Dr Roy", "25 Nov 2026, 16:04", "3f9ce1.1")


def drawn(answer: Answer) -> Image.Image:
    assert answer.problem is None
    picture = Image.open(io.BytesIO(answer.picture))
    assert picture.format == "JPEG"
    assert picture.size == (answer.width, answer.height)
    return picture


def test_each_page_of_a_pdf_is_a_picture_and_what_it_says() -> None:
    """The text is for who cannot see a picture (WCAG 1.1.1)."""
    paper = papers.pdf("Hémoglobine 13,4", "Suite")
    first, second = pdf.page_of(paper, 1, MARK), pdf.page_of(paper, 2, MARK)
    assert (first.pages, first.text.strip()) == (2, "Hémoglobine 13,4")
    assert (second.pages, second.text.strip()) == (2, "Suite")
    assert drawn(first).width == 1190


@pytest.mark.parametrize("appearance", [True, False])
def test_a_form_is_shown_as_it_was_filled_in(appearance: bool) -> None:
    """A form without what was typed into it reads like one that nobody answered."""
    answer = pdf.page_of(papers.form("Allergie: oui", appearance=appearance), 1, ())
    assert "Allergie: oui" in answer.text
    assert min(drawn(answer).convert("L").tobytes()) < 100


@pytest.mark.parametrize("number", [0, -1, 2, 10**9])
def test_a_page_that_is_not_there_is_said_not_to_be(number: int) -> None:
    assert pdf.page_of(papers.pdf("one"), number, MARK) == Answer(Problem.NO_SUCH_PAGE, 1)


@pytest.mark.parametrize(
    ("paper", "problem"),
    [
        (b"", Problem.BROKEN),
        (b"%PDF-1.4", Problem.BROKEN),
        (b"<html>log in</html>", Problem.BROKEN),
        (papers.pdf("x")[:200], Problem.BROKEN),
        (papers.pdf(), Problem.BROKEN),
        (papers.encrypted(), Problem.ENCRYPTED),
        (papers.pdf("x", box="0 0 0 0"), None),
        (papers.pdf("x", box="0 0 1 9999999"), Problem.BROKEN),
    ],
)
def test_a_pdf_that_cannot_be_read_is_one_problem(paper: bytes, problem: Problem | None) -> None:
    """PDFium reads a page without an area as one of a letter's size."""
    assert pdf.page_of(paper, 1, MARK).problem == problem


def test_a_huge_page_is_drawn_small() -> None:
    """A plan of a building is legal, and 200 million pixels are not shown to anybody."""
    picture = drawn(pdf.page_of(papers.pdf("x", box="0 0 14400 14400"), 1, ()))
    assert picture.width * picture.height <= MAX_PIXELS


def test_a_mark_says_who_when_and_which_record_on_every_picture() -> None:
    """In a band above, and across: less than what was there before is shown, never more."""
    paper = papers.pdf("x")
    bare, marked = drawn(pdf.page_of(paper, 1, ())), drawn(pdf.page_of(paper, 1, MARK))
    assert marked.height > bare.height
    band = marked.crop((0, 0, marked.width, marked.height - bare.height)).convert("L")
    assert min(band.tobytes()) < 90
    page = marked.crop((0, marked.height - bare.height, marked.width, marked.height)).convert("L")
    blank, inked = (sum(1 for each in one.tobytes() if 100 < each < 245) for one in (bare.convert("L"), page))
    assert inked > blank + 2000


@pytest.mark.parametrize("side", [1, 90, 300])
def test_a_mark_is_whole_above_a_small_picture(side: int) -> None:
    """A thumbnail without its record is a picture that nobody looked at."""
    small, large = (image.picture_of(papers.picture("PNG", (each, 90)), 1, ("01a21f20" * 4,)) for each in (side, 900))
    bands = [drawn(each).convert("L").crop((0, 0, each.width, each.height - 90)) for each in (small, large)]
    ink = [sum(1 for shade in band.tobytes() if shade < 128) for band in bands]
    assert ink[0] == pytest.approx(ink[1], rel=0.05)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Aurélie Château-Rey", "Aurelie Chateau-Rey"),
        ("Łukasz Strøm", "Lukasz Strom"),
        ("a\u202eb\nc", "a?b?c"),
        ("李", "?"),
    ],
)
def test_a_name_that_the_font_lacks_is_drawn_as_near_as_it_can_be(name: str, told: str) -> None:
    """An empty box tells less than a letter without its accent; a control turns no line around."""
    assert watermark.drawable(name) == told


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_is_decoded_and_written_anew(kind: str) -> None:
    """Nothing of its file reaches a browser: no metadata, no place where it was taken, no trailing archive."""
    answer = image.picture_of(papers.picture(kind) + b"PK\x03\x04 trailing", 1, ())
    assert drawn(answer).size == (320, 200)
    assert b"trailing" not in answer.picture


def test_a_picture_loses_its_metadata_and_keeps_its_way_up() -> None:
    taken = Image.new("RGB", (40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "SECRET PLACE"
    file = io.BytesIO()
    taken.save(file, "JPEG", exif=exif)
    answer = image.picture_of(file.getvalue(), 1, ())
    assert drawn(answer).size == (20, 40)
    assert b"SECRET" not in answer.picture


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_mode_of_a_picture_is_shown(mode: str) -> None:
    assert drawn(image.picture_of(papers.picture("PNG", mode=mode), 1, MARK)).mode == "RGB"


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_of_65536_shades_keeps_what_is_light_apart(kind: str) -> None:
    """A radiograph in 16 bits was a white page."""
    file = io.BytesIO()
    shades = b"".join(shade.to_bytes(2, "little") for shade in (0, 16_384, 32_768, 65_535) for _ in range(1600))
    Image.frombytes("I;16", (40, 160), shades).save(file, kind)
    shown = drawn(image.picture_of(file.getvalue(), 1, ())).convert("L")
    found = [shown.getpixel((20, 20 + 40 * place)) for place in range(4)]
    assert found == pytest.approx([0, 64, 128, 255], abs=2)


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_a_scan_whose_zero_is_white_is_no_negative(mode: str) -> None:
    assert min(drawn(image.picture_of(papers.white_is_zero(mode), 1, ())).tobytes()) > 250


def test_one_transparent_shade_of_65536_takes_no_other_with_it() -> None:
    file = io.BytesIO()
    Image.new("I;16", (40, 40), 200).save(file, "PNG", transparency=0)
    assert max(drawn(image.picture_of(file.getvalue(), 1, ())).tobytes()) < 5


@pytest.mark.parametrize("mode", ["I", "F"])
def test_a_picture_of_numbers_that_say_not_what_is_white_is_not_guessed_at(mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (40, 40), 9).save(file, "TIFF")
    assert image.picture_of(file.getvalue(), 1, MARK).problem == Problem.NOTHING_TO_SHOW


def test_a_scan_has_pages() -> None:
    file = io.BytesIO()
    sheets = [Image.new("L", (50, 70), shade) for shade in (10, 200)]
    sheets[0].save(file, "TIFF", save_all=True, append_images=sheets[1:])
    assert image.picture_of(file.getvalue(), 2, ()).pages == 2
    assert image.picture_of(file.getvalue(), 3, ()) == Answer(Problem.NO_SUCH_PAGE, 2)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_each_picture_of_an_animation_is_a_page(kind: str) -> None:
    """The first may be blank; what comes after it was not shown, nor said to be there."""
    file = io.BytesIO()
    Image.new("RGB", (40, 40), "white").save(file, kind, save_all=True, append_images=[Image.new("RGB", (40, 40))])
    first, second = (drawn(image.picture_of(file.getvalue(), number, ())).convert("L") for number in (1, 2))
    assert (first.getpixel((20, 20)), second.getpixel((20, 20))) == (255, 0)
    assert image.picture_of(file.getvalue(), 1, ()).pages == 2


def test_a_picture_that_is_a_line_is_one_problem() -> None:
    file = io.BytesIO()
    Image.new("RGB", (20_000, 1)).save(file, "JPEG")
    assert image.picture_of(file.getvalue(), 1, MARK).problem == Problem.BROKEN


def test_a_picture_that_promises_more_than_a_scan_is_not_decoded() -> None:
    """A file of a kilobyte would be a gigabyte."""
    assert image.picture_of(papers.png_bomb(), 1, MARK).problem in (Problem.TOO_LARGE, Problem.BROKEN)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", papers.picture()[:60], papers.picture("TIFF")[:30], b"<svg xmlns='x'/>", papers.pdf("x")]
)
def test_what_is_no_picture_of_ours_is_one_problem(data: bytes) -> None:
    """SVG is a program."""
    assert image.picture_of(data, 1, MARK).problem == Problem.BROKEN


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]), st.integers(0, 400))
def test_a_damaged_picture_is_a_picture_or_a_problem(noise: bytes, kind: str, at: int) -> None:
    """Decoders raise a dozen kinds of errors for broken files; one that we do not know would replace a process."""
    data = papers.picture(kind, (9, 7))
    answer = image.picture_of(data[:at] + noise + data[at + len(noise) :], 1, ())
    assert answer.problem is not None or answer.picture


NARRATIVE = (
    '<paragraph>Pénicilline <content styleCode="Bold">grave</content></paragraph>'
    '<list listType="ordered"><item>un</item><item>deux</item></list>'
    '<table border="1"><thead><tr><th>Date</th></tr></thead><tbody><tr><td colspan="2">1 &lt; 2<br/>x</td>'
    "</tr></tbody></table>"
    '<linkHtml href="https://evil.example">voir</linkHtml><renderMultiMedia referencedObject="m1"/>'
)


def test_a_structured_document_is_its_titles_and_narrative() -> None:
    """Coded entries are not text; links lead nowhere."""
    answer = cda.document_of(papers.cda(papers.section(NARRATIVE)), 1, MARK)
    assert answer.markup == (
        "<h2>Lettre de liaison</h2><h3>Allergies</h3><p>Pénicilline <b>grave</b></p><ol><li>un</li><li>deux</li></ol>"
        '<table><thead><tr><th>Date</th></tr></thead><tbody><tr><td colspan="2">1 &lt; 2<br>x</td></tr></tbody></table>'
        "voir[…]"
    )


@pytest.mark.parametrize(
    ("narrative", "shown"),
    [
        ('<content revised="delete">Pas de fracture</content>', "<del>Pas de fracture</del>"),
        ('<content revised="insert">Fracture</content>', "<ins>Fracture</ins>"),
        ('<paragraph styleCode="Strikethrough">x</paragraph>', "<p><s>x</s></p>"),
        ('<content styleCode="Bold Italics xOther" revised="delete">x</content>', "<del><b><i>x</i></b></del>"),
        ('<content styleCode="Bold bold">x</content>', "<b>x</b>"),
        ('<table><tr styleCode="Bold"><td styleCode="Underline">x</td></tr></table>',
         "<table><tr><td><u>x</u></td></tr></table>"),
        ('<content revised="other">x</content>', "x"),
    ],
)  # fmt: skip
def test_what_was_taken_out_of_a_cda_is_struck_out(narrative: str, shown: str) -> None:
    """A sentence that its author deleted must not read like the others."""
    answer = cda.document_of(papers.cda(papers.section(narrative)), 1, MARK)
    assert answer.markup.partition("</h3>")[2] == shown
    assert markup.sanitised(shown).replace("<tbody>", "").replace("</tbody>", "") == shown


@pytest.mark.parametrize(
    ("narrative", "shown"),
    [
        ('<table><tr styleCode="Strikethrough"><td>x</td></tr></table>', '<tr class="struck">'),
        ('<table styleCode="xA line-through"><tr><td>x</td></tr></table>', '<table class="struck">'),
        ('<list styleCode="Strikethrough" listType="ordered"><item>x</item></list>', '<ol class="struck">'),
    ],
)
def test_a_row_or_list_of_a_cda_that_is_struck_out_as_a_whole_stays_so(narrative: str, shown: str) -> None:
    """A medicine that was stopped is often a row that is struck out."""
    answer = cda.document_of(papers.cda(papers.section(narrative)), 1, MARK)
    assert shown in markup.sanitised(answer.markup)


@pytest.mark.parametrize(
    ("kind", "content", "problem"),
    [
        ("application/pdf", papers.pdf("Page un", "Page deux"), None),
        ("image/png", papers.picture(), None),
        ("application/pdf", b"no pdf", Problem.BROKEN),
        ("text/rtf", b"{}", Problem.NOTHING_TO_SHOW),
    ],
)
def test_a_document_of_level_one_is_what_it_envelops(kind: str, content: bytes, problem: Problem | None) -> None:
    """Most French documents are a PDF in a CDA."""
    text = base64.b64encode(content).decode()
    body = f'<nonXMLBody><text mediaType="{kind}" representation="B64">\n{text}\n</text></nonXMLBody>'
    answer = cda.document_of(papers.cda(body), 1, MARK)
    assert answer.problem == problem
    assert bool(answer.picture) == (problem is None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("résumé".encode(), "résumé"),
        ("résumé".encode("utf-8-sig"), "résumé"),
        ("résumé".encode("utf-16"), "résumé"),
        ("résumé".encode("windows-1252"), "résumé"),
        (b"no\x00text", ""),
    ],
)
def test_an_enveloped_text_is_read_as_one_that_stands_alone(content: bytes, told: str) -> None:
    text = base64.b64encode(content).decode()
    body = f'<nonXMLBody><text mediaType="text/plain" representation="B64">{text}</text></nonXMLBody>'
    answer = cda.document_of(papers.cda(body), 1, MARK)
    assert (answer.text, answer.problem) == (told, None if told else Problem.BROKEN)


BODY = papers.section("<paragraph>x</paragraph>")


@pytest.mark.parametrize(
    "data",
    [
        papers.cda(BODY, before='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        papers.cda(papers.section("&x;"), before='<!DOCTYPE a [<!ENTITY x "bomb">]>'),
        papers.cda(BODY, before='<!DOCTYPE ClinicalDocument SYSTEM "https://evil.example/cda.dtd">'),
        papers.cda(papers.section("&nbsp;")),
        papers.cda(BODY)[:-20],
        b"<ClinicalDocument/>",
        b'<html xmlns="http://www.w3.org/1999/xhtml"><title>x</title></html>',
        b"",
        papers.cda(papers.section("<list><item>" * 200 + "x" + "</item></list>" * 200)),
        b'<?xml version="1.0" encoding="none-such"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>',
    ],
)
def test_a_document_type_an_entity_and_what_is_no_cda_are_refused(data: bytes) -> None:
    """No entity can be declared, so none can be expanded or fetched."""
    assert cda.document_of(data, 1, MARK).problem == Problem.BROKEN


PIECES = (
    "<section>", "</section>", "<title>", "</title>", "<text>", "</text>", "<table>", "</table>", "<tr>",
    "<td colspan='2'>", "</td>", "</tr>", "<nonXMLBody>", "</nonXMLBody>", "QUJD",
    "<text mediaType='application/pdf' representation='B64'>",
    "&amp;", "&x;", "<![CDATA[<script>]]>", "<!-- -->", "<?x y?>", "<a:b/>", "<list/>", "<br/>", "x", "é",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=15).map("".join))
def test_whatever_stands_in_a_cda_is_markup_text_a_picture_or_a_problem(body: str) -> None:
    """An error that we do not know would replace a process, and say that a page could not be drawn."""
    answer = cda.document_of(papers.cda(body), 1, ())
    assert answer.problem or answer.markup or answer.picture or answer.text


@given(st.binary(max_size=300))
def test_bytes_that_are_no_cda_are_a_problem(data: bytes) -> None:
    assert cda.document_of(data, 1, ()).problem == Problem.BROKEN


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "windows-1252", "utf-16"])
def test_a_cda_is_read_in_the_encoding_that_it_states(encoding: str) -> None:
    answer = cda.document_of(papers.cda(BODY, title="Résumé", encoding=encoding), 1, MARK)
    assert answer.markup.startswith("<h2>Résumé</h2>")


HOSTILE = (
    "<script>alert(1)</script>", "<svg onload=alert(1)><a xlink:href=javascript:alert(1)>",
    "<img src=x onerror=alert(1)>",
    "<s style='text-decoration:line-through;background:url(//x)'>", ' style="struck"', "<strike>", "<dir><li>",
    "<img src='https://track.example/p.gif'>", "<style>body{display:none}</style>", "<p style='position:fixed'>",
    "<a href='javascript:alert(1)'>", "<a href='https://evil.example'>",
    "<form action=/x><button>", "<iframe src=//x>",
    "<p id=content name=content class=banner>", "<table background=//x>", "<td onclick=x colspan=javascript:1>",
    "<math><mtext><script>x</script></mtext></math>", "<!--", "-->", "<![CDATA[", "]]>",
    "<template><p>", "</p>", "</div>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "&lt;script&gt;", "<p>",
    "<b>", "<table><tr><td>", "x",
    "<link rel=stylesheet href=//x>", "<meta http-equiv=refresh content=0>", "<base href=//x>",
    "<object data=x>", "\x00",
    "<textarea>", "<title>", "<plaintext>", "<xmp>", "<select><option>", "<ScRiPt>", "<p/onclick=x>", "\u202e", "'\"",
)  # fmt: skip
ALLOWED_TAG = re.compile(
    r"</?([a-z0-9]+)((?: (?:(?:colspan|rowspan|span|start|scope)=\"(?:[0-9]{1,3}|[a-z]+)\"|class=\"struck\"))*)>"
)


@given(st.lists(st.sampled_from(HOSTILE) | st.text(max_size=6), max_size=12).map("".join))
@example("<h1>a</h1><h6>b</h6>")
@example('<th scope="row" rowspan="2">x</th>')
def test_nothing_but_structure_and_text_comes_out_of_the_sanitiser(text: str) -> None:
    """Whatever went in: every `<` that comes out begins a listed element with nothing but the size of a cell."""
    clean = markup.sanitised(text)
    left = ALLOWED_TAG.sub("", clean)
    assert "<" not in left
    assert ">" not in left
    names = {found.group(1) for found in ALLOWED_TAG.finditer(clean)}
    assert names <= markup.TAGS - {"h1", "h2", "h4", "h5", "h6"} - markup.TODAY.keys()


def test_a_narrative_keeps_its_structure_and_loses_everything_else() -> None:
    text = (
        '<div xmlns="http://www.w3.org/1999/xhtml"><h1 id="a">Titre</h1><p class="x" style="color:red">Texte '
        "<b>gras</b>"
        '<img src="https://track.example/x.gif" alt="x"/> <a href="https://evil.example">lien</a></p>'
        '<table><tr><th scope="col">A</th><td colspan="2">B</td></tr></table></div>'
    )
    assert markup.sanitised(text) == (
        "<div><h3>Titre</h3><p>Texte <b>gras</b> lien</p>"
        '<table><tbody><tr><th scope="col">A</th><td colspan="2">B</td></tr></tbody></table></div>'
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<del>a</del> <s>b</s> <strike>c</strike>", "<del>a</del> <s>b</s> <s>c</s>"),
        ('<span style="color:red; TEXT-DECORATION: Line-Through">a</span>', '<span class="struck">a</span>'),
        ('<h1 style="text-decoration:line-through">a</h1>', '<h3 class="struck">a</h3>'),
        ('<table><tr><td colspan="2" style="text-decoration:line-through">a</td></tr></table>',
         '<table><tbody><tr><td colspan="2" class="struck">a</td></tr></tbody></table>'),
        ('<p class="struck" style="color:red"> style="struck"</p>', '<p> style="struck"</p>'),
    ],
)  # fmt: skip
def test_a_struck_out_text_stays_struck_out(text: str, shown: str) -> None:
    """However its source writes that: without the stroke, what was withdrawn reads as valid."""
    assert markup.sanitised(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "<b>a</b><strong>b</strong><i>c</i><em>d</em><u>e</u><ins>f</ins>", "10<sup>9</sup>/L H<sub>2</sub>O",
        "<small>a</small><big>b</big><tt>c</tt><code>d</code><q>e</q>", "<abbr>a</abbr><acronym>b</acronym>",
        "<dl><dt>a</dt><dd>b</dd></dl>", "<blockquote>a</blockquote><address>b</address>",
        '<ol start="3"><li>a</li></ol>',
        '<table><caption>a</caption><colgroup><col span="2"></colgroup><thead><tr><th scope="col">b</th></tr></thead>'
        '<tfoot><tr><td colspan="2">c</td></tr></tfoot><tbody><tr><td rowspan="2">d</td></tr></tbody></table>',
    ],
)  # fmt: skip
def test_every_element_of_a_narrative_that_means_something_stays(text: str) -> None:
    """10<sup>9</sup> is not 109."""
    assert markup.sanitised(text) == text


def test_elements_that_have_gone_from_html_stay_as_what_they_mean() -> None:
    assert markup.sanitised("<dir><li>a</li></dir><menu><li>b</li></menu>") == "<ul><li>a</li></ul><ul><li>b</li></ul>"
    assert markup.sanitised("<center>a</center>b") == "<div>a</div>b"


@pytest.mark.parametrize("text", ["x" * 2_000_000, "<b>" * 20_000])
def test_more_than_any_narrative_has_is_refused_unread(text: str) -> None:
    """A parser of HTML takes a time that grows with the square of what is open at once."""
    assert markup.clean(text.encode(), 1, ()).problem == Problem.TOO_LARGE
