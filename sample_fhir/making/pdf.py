"""Writes a small valid PDF 1.4 by hand: lines of text in Helvetica, one list of lines a page.

Only what Windows-1252 can say can be printed; other text raises UnicodeEncodeError.
"""

import base64
import hashlib
from typing import Any

A4 = (595, 842)
"""Points."""
LEFT, TOP, LEADING = 56, 780, 20


def document(pages: list[list[str]]) -> bytes:
    """The bytes of a PDF with these pages; the first line of each is set larger."""
    page_numbers = [4 + 2 * index for index in range(len(pages))]
    kids = " ".join(f"{number} 0 R" for number in page_numbers)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode("ascii"),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in zip(page_numbers, pages, strict=True):
        box = f"/MediaBox [0 0 {A4[0]} {A4[1]}] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {box} /Contents {number + 1} 0 R >>".encode("ascii"))
        content = _content(lines)
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _file(objects)


def _content(lines: list[str]) -> bytes:
    shown = [b"BT /F1 16 Tf %d %d Td %d TL" % (LEFT, TOP, LEADING)]
    for index, line in enumerate(lines):
        text = line.encode("cp1252")
        for special in (b"\\", b"(", b")"):
            text = text.replace(special, b"\\" + special)
        shown.append(b"(%s) Tj T*" % text + (b" /F1 11 Tf" if index == 0 else b""))
    return b"\n".join([*shown, b"ET"])


def _file(objects: list[bytes]) -> bytes:
    """Numbered objects, then the cross-reference table of their offsets, twenty bytes an entry."""
    written = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % size
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(written))
    return written + head + table + trailer


def attachment(title: str, created: str, pages: list[list[str]]) -> dict[str, Any]:
    """A FHIR Attachment with the PDF inline, its size in bytes and its SHA-1 (which is what R4's `hash` means)."""
    content = document(pages)
    return {
        "contentType": "application/pdf",
        "language": "fr",
        "data": base64.b64encode(content).decode("ascii"),
        "size": len(content),
        "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode("ascii"),
        "title": title,
        "creation": created,
    }
