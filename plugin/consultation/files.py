"""Step 5 once more: a file of a document that has been judged and may be shown, whole and as the document says it is.

Inline content is taken from what was judged; an address is asked of the same feed, which follows none outside its own.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhir_adapters.interface import Call, FeedFile, Tree
from plugin.consultation.attachments import attachment_of, is_openable
from plugin.consultation.feed_line import FeedLine
from plugin.consultation.feed_places import place
from plugin.consultation.findings import File, Match
from plugin.errors import FileUnusable, Refused
from policies.labels import confidentiality_of
from policies.vocabulary.consultation import Reason
from policies.vocabulary.security_labels import STRICTNESS

UNKNOWN_TYPE = "application/octet-stream"
"""Says that nobody knows (RFC 2046 4.5.1), and so contradicts nothing."""

_SAME = (
    {"application/xml", "text/xml", "application/hl7-sda+xml", "application/hl7-cda+xml"},
    {"image/jpeg", "image/jpg"},
)
_SHA1_BYTES = 20

_PDF = "application/pdf"
_BEGINNINGS = {_PDF: b"%PDF", "image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
_MARGIN = 1024
"""Bytes that may stand before a PDF's mark (ISO 32000-1, annex H, note 13)."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file, and what is to be judged because of it."""

    file: File
    document: Tree
    """As it was judged; with the labels of the Binary that the file came in, if any."""


def opened(document: Tree, number: int, match: Match, feed: FeedLine, call: Call) -> Opened:
    """The file `number` of a judged document.

    Raises Refused(NOT_FOUND) if there is none that can be opened, or the feed does not have it; FileUnusable if it is
    not what the document says; what a feed's failure is.
    """
    attachment = attachment_of(document, number)
    if attachment is None or not is_openable(attachment, feed.base):
        raise Refused(Reason.NOT_FOUND)
    inline = attachment.get("data")
    if isinstance(inline, str):
        found = FeedFile("", _decoded(inline))
    else:
        fetched = feed.file(attachment["url"], call)
        if fetched is None or _is_of_another(fetched, match, feed.base):
            raise Refused(Reason.NOT_FOUND)
        found = fetched
    _check(attachment, found.data)
    media_type = _media_type(attachment, found)
    _check_beginning(_bare(media_type), found.data)
    title = attachment.get("title")
    file = File(media_type, found.data, title if isinstance(title, str) else None)
    return Opened(file, _labelled(document, found.binary))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        failure = FileUnusable("file-encoding")
    raise failure


def _check(attachment: Mapping[str, Any], data: bytes) -> None:
    """Size and SHA-1 (R4 2.24.0.6), where the document gives them."""
    size = attachment.get("size")
    if size is not None and size != len(data):
        raise FileUnusable("file-size")
    stated = attachment.get("hash")
    if stated is not None and _sha1(stated) != hashlib.sha1(data, usedforsecurity=False).digest():
        raise FileUnusable("file-hash")


def _check_beginning(media_type: str, data: bytes) -> None:
    """What a file begins with, for types that have such a mark: a login page under the name of a PDF has none."""
    mark = _BEGINNINGS.get(media_type)
    if mark is not None and mark not in data[: _MARGIN + len(mark) if media_type == _PDF else len(mark)]:
        raise FileUnusable("file-type")


def _sha1(stated: Any) -> bytes | None:
    """The digest: base64, as FHIR says, or hexadecimal, as XDS registries write it. None: neither."""
    if not isinstance(stated, str):
        return None
    try:
        digest = bytes.fromhex(stated) if len(stated) == 2 * _SHA1_BYTES else base64.b64decode(stated, validate=True)
    except ValueError:
        return None
    return digest if len(digest) == _SHA1_BYTES else None


def _media_type(attachment: Mapping[str, Any], found: FeedFile) -> str:
    """What the document says that it is; what the feed says, where the document does not. They may not differ."""
    said = attachment.get("contentType")
    stated = said if isinstance(said, str) and said.isascii() and said.isprintable() else ""
    if not stated or _bare(stated) == UNKNOWN_TYPE:
        return found.content_type or UNKNOWN_TYPE
    if _bare(found.content_type) not in ("", UNKNOWN_TYPE) and not _agree(_bare(stated), _bare(found.content_type)):
        raise FileUnusable("file-type")
    return found.content_type if "charset" in found.content_type and "charset" not in stated else stated


def _agree(one: str, other: str) -> bool:
    return one == other or any(one in same and other in same for same in _SAME)


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _is_of_another(fetched: FeedFile, match: Match, base: str) -> bool:
    """Whether the Binary says that it is another patient's (R4 Binary.securityContext)."""
    context = (fetched.binary or {}).get("securityContext")
    text = context.get("reference") if isinstance(context, dict) else None
    where = place(base, text) if isinstance(text, str) else None
    return where is not None and where.startswith("Patient/") and where != f"Patient/{match.patient}"


def _labelled(document: Tree, binary: Tree | None) -> Tree:
    """The document with what the Binary's labels add to its own. Of confidentiality codes one is left, the strictest:
    a resource has no more (view_only.md section 3).
    """
    own = _security(document)
    added = [label for label in _security(binary or {}) if label not in own]
    if not added:
        return document
    labels = [*own, *added]
    strictest = max(labels, key=_strictness)
    if _strictness(strictest) >= 0:
        labels = [label for label in labels if label is strictest or _strictness(label) < 0]
    meta = document.get("meta")
    return {**document, "meta": {**(meta if isinstance(meta, dict) else {}), "security": labels}}


def _strictness(label: Any) -> int:
    """Of a confidentiality code; -1 for any other label."""
    code = confidentiality_of(label) if isinstance(label, dict) else None
    return -1 if code is None else STRICTNESS[code]


def _security(resource: Mapping[str, Any]) -> list[Any]:
    meta = resource.get("meta")
    labels = meta.get("security") if isinstance(meta, dict) else None
    return labels if isinstance(labels, list) else []
