"""A picture decoded and written anew, so that nothing of its file reaches a browser. Runs only where `pdf` does."""

from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from plugin.rendering.job import MAX_PIXELS, Answer, Problem
from plugin.rendering.pdf import with_picture
from plugin.rendering.watermark import marked

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""Pillow has three dozen decoders; these are what documents are scanned and exported to."""

MAX_DECODED_PIXELS = 50_000_000
"""A scan of A4 at 600 dots an inch has 35 million. What says more in its head is not decoded."""

MAX_SIDE = 2_000


def picture_of(data: bytes, number: int, watermark: tuple[str, ...]) -> Answer:
    """Picture `number` of the file (a scan may have several pages), or why not."""
    try:
        opened = Image.open(BytesIO(data), formats=FORMATS)
        if opened.width * opened.height > MAX_DECODED_PIXELS:
            return Answer(Problem.TOO_LARGE)
        pages = getattr(opened, "n_frames", 1) if opened.format == "TIFF" else 1
        if not 1 <= number <= pages:
            return Answer(Problem.NO_SUCH_PAGE, pages)
        opened.seek(number - 1)
        if opened.width * opened.height > MAX_DECODED_PIXELS:
            return Answer(Problem.TOO_LARGE)
        opened.draft("RGB", (MAX_SIDE, MAX_SIDE))
        opened.load()
        picture = _flat(opened)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return Answer(Problem.BROKEN)
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, KeyError, AttributeError):
        return Answer(Problem.BROKEN)  # each comes out of a decoder for some broken file
    return with_picture(marked(picture, watermark), pages, "")


def _flat(opened: Image.Image) -> Image.Image:
    """Upright, on white, no larger than MAX_PIXELS."""
    picture = ImageOps.exif_transpose(opened)
    picture.thumbnail((MAX_SIDE, MAX_PIXELS // MAX_SIDE))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGB", picture.size, (255, 255, 255))
        ground.paste(picture, (0, 0), picture)
        return ground
    return picture.convert("RGB")
