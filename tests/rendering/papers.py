"""Small documents made by hand, well-formed and hostile, for tests of rendering."""

import io
import zlib

from PIL import Image


def pdf(*pages: str, box: str = "0 0 595 842", content: bytes | None = None, extra: str = "") -> bytes:
    """A PDF with a page for each text; `content` replaces the drawing of every page."""
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {extra} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for place, text in enumerate(pages):
        drawn = content if content is not None else b"BT /F1 24 Tf 72 700 Td (" + text.encode("cp1252") + b") Tj ET"
        packed = zlib.compress(drawn)
        number = 5 + 2 * place
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] {resources} /Contents {number} 0 R >>"
        objects.append(page.encode())
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed))
    return written(objects)


def form(value: str, *, appearance: bool) -> bytes:
    """A page with a field that somebody has filled in; `appearance`: the file says how that is drawn."""
    font = "<< /Font << /Helv 4 0 R >> >>"
    drawn = f"/Tx BMC q BT /Helv 12 Tf 2 8 Td ({value}) Tj ET Q EMC".encode()
    look = "/AP << /N 6 0 R >>" if appearance else ""
    place = "/Rect [72 500 300 530] /F 4 /P 3 0 R /DA (/Helv 12 Tf 0 g)"
    field = f"<< /Type /Annot /Subtype /Widget /FT /Tx /T (f) /V ({value}) {place} {look} >>"
    acro = f"<< /Fields [5 0 R] /NeedAppearances {'false' if appearance else 'true'} /DR {font} >>"
    head = f"<< /Type /XObject /Subtype /Form /BBox [0 0 228 30] /Resources {font} /Length {len(drawn)} >>"
    return written(
        [
            f"<< /Type /Catalog /Pages 2 0 R /AcroForm {acro} >>".encode(),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Annots [5 0 R] >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            field.encode(),
            head.encode() + b"\nstream\n" + drawn + b"\nendstream",
        ]
    )


def written(objects: list[bytes]) -> bytes:
    """A PDF file of numbered objects, the first of which is its catalog."""
    parts, length, offsets = [b"%PDF-1.4\n"], 9, []
    for number, each in enumerate(objects, 1):
        offsets.append(length)
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, each))
        length += len(parts[-1])
    text = b"".join(parts)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        text
        + b"xref\n0 %d\n0000000000 65535 f \n" % size
        + table
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(text))
    )


def encrypted() -> bytes:
    """One that says it is encrypted, with a key that nobody has."""
    plain = pdf("secret")
    handler = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"41" * 32, b"42" * 32)
    return plain.replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [<00><00>] /Encrypt " + handler)


def endless_pages() -> bytes:
    """A tree of pages that is its own child."""
    return written([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 10000 >>"])


def deep_pages(depth: int = 3000) -> bytes:
    """A tree of pages of which each has one child."""
    inner = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % number for number in range(3, depth + 3)]
    return written([b"<< /Type /Catalog /Pages 2 0 R >>", *inner, b"<< /Type /Page /MediaBox [0 0 9 9] >>"])


def deep_arrays(depth: int = 200_000) -> bytes:
    """A page whose drawing is an array in an array …"""
    return pdf("", content=b"[" * depth + b"]" * depth + b" TJ")


def bomb(megabytes: int = 900) -> bytes:
    """A page whose drawing is far larger than its file."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(megabytes)) + packer.flush()
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R >>"
    return written(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            page,
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
        ]
    )


def slow(lines: int = 4_000_000) -> bytes:
    """A page that takes far longer to draw than anybody waits: crossing curves, filled."""
    return pdf("", content=b"0 0 m " + b"595 842 0 842 595 0 c 0 842 595 0 1 1 c " * (lines // 100) + b"f* " * 3)


def picture(kind: str = "PNG", size: tuple[int, int] = (320, 200), mode: str = "RGB") -> bytes:
    """An image file."""
    file = io.BytesIO()
    Image.new(mode, size, 127 if mode in ("L", "1", "I", "F") else None).save(file, kind)
    return file.getvalue()


def white_is_zero(mode: str) -> bytes:
    """A white TIFF whose 0 is white, as a scanner may write it."""
    file = io.BytesIO()
    Image.new(mode, (40, 40), 0).save(file, "TIFF")
    # PhotometricInterpretation, one SHORT: 1 (black is zero) becomes 0
    said, meant = (b"\x06\x01\x03\x00\x01\x00\x00\x00" + value for value in (b"\x01", b"\x00"))
    assert said in file.getvalue()
    return file.getvalue().replace(said, meant)


def png_bomb(side: int = 30_000) -> bytes:
    """A PNG whose head promises 900 million pixels."""
    import struct

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def cda(body: str, title: str = "Lettre de liaison", before: str = "", encoding: str = "utf-8") -> bytes:
    """A CDA document around a body."""
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>{before}<ClinicalDocument xmlns="urn:hl7-org:v3">'
        f"<title>{title}</title><component>{body}</component></ClinicalDocument>"
    )
    return text.encode(encoding)


def section(narrative: str, title: str = "Allergies") -> str:
    """A structured body with one section."""
    inside = f"<section><title>{title}</title><text>{narrative}</text></section>"
    return f"<structuredBody><component>{inside}</component></structuredBody>"
