"""A mark on every picture: who looked, when, under which record. In a band that can be read, and across the page."""

import unicodedata
from functools import cache

from PIL import Image, ImageDraw, ImageFont

MAX_LINE = 120
"""Characters. A name is any text."""

_BAND = (236, 236, 236)
_INK = (40, 40, 40)
_ACROSS = (110, 110, 110)
_STRENGTH = 80
"""Of 255: the mark can be read across the page, and the page through the mark."""
_ANGLE = 24

_LETTERS = {
    "Ø": "O",
    "ø": "o",
    "Ł": "L",
    "ł": "l",
    "Đ": "D",
    "đ": "d",
    "ß": "ss",
    "Æ": "AE",
    "æ": "ae",
    "Œ": "OE",
    "œ": "oe",
}
"""That do not come apart into a letter and a mark (ISO 8859-2, -15)."""


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - Pillow's wheels bring FreeType
    return font


def load(sizes: tuple[int, ...] = (18, 20)) -> None:
    """Open the fonts, while files can be opened."""
    for size in sizes:
        _font(size).getmask("A")


def marked(picture: Image.Image, lines: tuple[str, ...]) -> Image.Image:
    """A copy of an RGB picture with a band above it and the lines repeated across it."""
    told = [drawable(line)[:MAX_LINE] for line in lines if line]
    if not told:
        return picture
    margin, leading = 12, 26
    band = 2 * margin + leading * len(told)
    # A small picture is no reason to cut the mark.
    width = max(picture.width, 2 * margin + max(int(_font(20).getlength(line)) for line in told) + 1)
    whole = Image.new("RGB", (width, picture.height + band), _BAND)
    whole.paste(picture, (0, band))
    pen = ImageDraw.Draw(whole)
    for place, line in enumerate(told):
        pen.text((margin, margin + place * leading), line, fill=_INK, font=_font(20))
    tile = _tile(told)
    step_x, step_y = tile.width + 60, tile.height + 120
    for row, top in enumerate(range(band + 40, whole.height, step_y)):
        for left in range(20 - (row % 2) * step_x // 2, whole.width, step_x):
            whole.paste(_ACROSS, (left, top), tile)
    return whole


def _tile(lines: list[str]) -> Image.Image:
    """A mask of the lines, aslant."""
    font = _font(18)
    width = max(int(font.getlength(line)) for line in lines)
    flat = Image.new("L", (width + 4, 24 * len(lines)), 0)
    pen = ImageDraw.Draw(flat)
    for place, line in enumerate(lines):
        pen.text((2, place * 24), line, fill=_STRENGTH, font=font)
    return flat.rotate(_ANGLE, expand=True, resample=Image.Resampling.BILINEAR)


def drawable(text: str) -> str:
    """`text` as far as the font goes: without accents that it lacks, `?` for other letters and for controls.

    The page around the picture writes the name as it is.
    """
    return "".join(_drawn(mark) for mark in text)


def _drawn(mark: str) -> str:
    if mark == " " or (mark.isprintable() and _has(mark)):
        return mark
    bare = "".join(part for part in unicodedata.normalize("NFKD", _LETTERS.get(mark, mark)) if part.isascii())
    return bare if bare.isprintable() and bare else "?"


def _has(mark: str) -> bool:
    if mark.isascii():
        return True
    font = _font(18)
    return bytes(font.getmask(mark)) != bytes(font.getmask("\ufffe"))
