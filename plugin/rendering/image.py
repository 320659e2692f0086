"""A picture decoded and written anew, so that nothing of its file reaches a browser. Runs only where `pdf` does."""

from io import BytesIO

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION

from plugin.rendering.job import Answer, Problem
from plugin.rendering.pdf import with_picture
from plugin.rendering.watermark import marked

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""Pillow has three dozen decoders; these are what documents are scanned and exported to."""

SEVERAL = ("TIFF", "GIF", "WEBP", "PNG")
"""Whose files may hold several pictures one after the other, each of which is a page. A second one in a JPEG is a
preview of the first."""

MAX_DECODED_PIXELS = 50_000_000
"""A scan of A4 at 600 dots an inch has 35 million. What says more in its head is not decoded."""

MAX_SIDE = 1_754
"""Of a page of A4 at 150 dots an inch: small print stays legible when enlarged, as on a page of a PDF (144)."""
_NEAR = 0.8
"""A JPEG is decoded at a half, a quarter or an eighth where that leaves so much of MAX_SIDE: a scan of A4 at 300 dots
an inch at half its size, for a quarter of the time."""


def picture_of(data: bytes, number: int, watermark: tuple[str, ...]) -> Answer:
    """Picture `number` of the file (a scan may have several pages), or why not."""
    try:
        opened = Image.open(BytesIO(data), formats=FORMATS)
        if opened.width * opened.height > MAX_DECODED_PIXELS:
            return Answer(Problem.TOO_LARGE)
        pages = getattr(opened, "n_frames", 1) if opened.format in SEVERAL else 1
        if not 1 <= number <= pages:
            return Answer(Problem.NO_SUCH_PAGE, pages)
        opened.seek(number - 1)
        if opened.width * opened.height > MAX_DECODED_PIXELS:
            return Answer(Problem.TOO_LARGE)
        _draft(opened)
        opened.load()
        if opened.mode in ("I", "F"):  # nothing says which of their numbers is white
            return Answer(Problem.NOTHING_TO_SHOW, pages)
        picture = _flat(opened)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return Answer(Problem.BROKEN)
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        TypeError,
        OverflowError,
        KeyError,
        AttributeError,
        ZeroDivisionError,
    ):
        return Answer(Problem.BROKEN)  # each comes out of a decoder for some broken file
    return with_picture(marked(picture, watermark), pages, "")


def _draft(opened: ImageFile.ImageFile) -> None:
    """Ask the decoder of a JPEG for a smaller picture at once; other formats have none."""
    for parts in (8, 4, 2):
        if max(opened.size) >= parts * _NEAR * MAX_SIDE:
            opened.draft("RGB", (opened.width // parts, opened.height // parts))
            return


def _flat(opened: Image.Image) -> Image.Image:
    """Upright, on white, no side longer than MAX_SIDE, and so with fewer than MAX_PIXELS."""
    picture = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I;16"):
        picture = _eight_bits(picture, is_negative=getattr(opened, "tag_v2", {}).get(PHOTOMETRIC_INTERPRETATION) == 0)
    picture.thumbnail((MAX_SIDE, MAX_SIDE), reducing_gap=1.0)  # what it halves it need not weigh point by point
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGB", picture.size, (255, 255, 255))
        ground.paste(picture, (0, 0), picture)
        return ground
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image, *, is_negative: bool) -> Image.Image:
    """Of 65,536 shades of grey the 256 that a page has. Pillow's own conversion makes all but the darkest 256 white.

    `is_negative`: its 0 is white, which Pillow heeds in pictures of 256 shades only. A shade that counts as transparent
    is shown as it is: it is one of the 65,536, and would take others with it.
    """
    grey = picture.convert("I").point(lambda shade: shade * (1 / 256)).convert("L")
    grey.info.pop("transparency", None)
    return ImageOps.invert(grey) if is_negative else grey
