"""A page of a PDF as a picture, and what it says. Runs only where nothing else can be done: see `confinement`.

No script of a document runs: PDFium is built without JavaScript here. A form is shown as it was filled in. What is not
embedded in the document (a font, a linked file) is done without.
"""

from io import BytesIO

import pypdfium2 as pdfium
from PIL import Image
from pypdfium2 import raw

from plugin.rendering.job import MAX_PIXELS, Answer, Problem
from plugin.rendering.watermark import marked

DOTS_PER_INCH = 144
"""Twice a common screen: small print stays legible when enlarged."""
POINTS_PER_INCH = 72

MAX_TEXT = 20_000
"""Characters of a page; a dense one has some 6,000."""

_PROBLEMS = {raw.FPDF_ERR_PASSWORD: Problem.ENCRYPTED, raw.FPDF_ERR_SECURITY: Problem.ENCRYPTED}


def page_of(data: bytes, number: int, watermark: tuple[str, ...]) -> Answer:
    """Page `number`, counted from 1, or why not."""
    try:
        document = pdfium.PdfDocument(data)
        pages = len(document)
    except pdfium.PdfiumError as error:
        return Answer(_PROBLEMS.get(error.err_code, Problem.BROKEN))
    if pages < 1:
        return Answer(Problem.BROKEN)
    if not 1 <= number <= pages:
        return Answer(Problem.NO_SUCH_PAGE, pages)
    try:
        document.init_forms()  # before any page: what was typed into a form is drawn with the page
        page = document[number - 1]
        picture = _picture(page)
        text = _with_notes(document, page, number - 1).get_textpage().get_text_range(errors="replace")[:MAX_TEXT]
    except pdfium.PdfiumError:
        return Answer(Problem.BROKEN, pages)
    if picture is None:
        return Answer(Problem.BROKEN, pages)
    return with_picture(marked(picture, watermark), pages, text)


def _picture(page: pdfium.PdfPage) -> Image.Image | None:
    """The page at DOTS_PER_INCH, smaller where it would have more than MAX_PIXELS. None: it has no area."""
    width, height = page.get_size()
    if not (width > 0 and height > 0):
        return None
    scale = DOTS_PER_INCH / POINTS_PER_INCH
    if width * height * scale * scale > MAX_PIXELS:
        scale = (MAX_PIXELS / (width * height)) ** 0.5
    if min(width, height) * scale < 1 or max(width, height) * scale > 30_000:  # no proportions of a page
        return None
    picture: Image.Image = page.render(scale=scale, rev_byteorder=True).to_pil()
    return picture.convert("RGB")


def _with_notes(document: pdfium.PdfDocument, page: pdfium.PdfPage, place: int) -> pdfium.PdfPage:
    """The page with its fields and notes as a part of it: PDFium reads the text of no others."""
    if not raw.FPDFPage_GetAnnotCount(page):
        return page
    if raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) != raw.FLATTEN_SUCCESS:
        return page
    page.close()
    return document[place]


def with_picture(picture: Image.Image, pages: int, text: str) -> Answer:
    """The answer that is this picture."""
    written = BytesIO()
    picture.save(written, "JPEG", quality=85)
    return Answer(None, pages, written.getvalue(), picture.width, picture.height, text)
