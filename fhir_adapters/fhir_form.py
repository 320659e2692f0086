"""Whether an answer is resources, in whatever form and under whatever name they come: JSON, its lines, XML, Turtle, a
page. What lies at the address of a document is a file, and no second way to ask for results, which nobody would judge.

It knows what servers write, not what an author of a document could disguise: the address is the author's, the answer
is the server's.
"""

import re
from typing import NoReturn
from xml.parsers import expat

JSON_TYPES = frozenset({"application/fhir+json", "application/json"})

_NAMESPACE = "http://hl7.org/fhir"
"""Of every resource in XML (R4 2.6.1)."""
_TURTLE_PREFIX = b"<http://hl7.org/fhir/>"
_MEMBER = b'"resourceType"'
"""Of every resource in JSON (R4 2.6.2)."""
_SHOWN = b"resourceType"
"""In a page on which a server shows resources to a browser (`_format=html`)."""
_LOOKED_AT = 64 * 1024
"""Bytes in which the root of an XML document is looked for; a serialiser writes it in the first hundred."""
_BEFORE_TEXT = re.compile(rb"(?:\xef\xbb\xbf)?\s*")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def is_fhir(content_type: str, data: bytes) -> bool:
    """By the media type, those before R4 among them (`application/xml+fhir`), and else by how the content begins."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in JSON_TYPES or "fhir" in media_type:
        return True
    begins = _BEFORE_TEXT.match(data)
    first = data[begins.end() : begins.end() + 1] if begins else b""
    if "html" in media_type and _SHOWN in data:
        return True
    if first in (b"{", b"["):
        return _MEMBER in data
    if first == b"@" or media_type == "text/turtle":
        return _TURTLE_PREFIX in data
    if first == b"<" or data.startswith(_UTF_16_MARKS) or "xml" in media_type:
        return _root_namespace(data) == _NAMESPACE
    return False


def _root_namespace(data: bytes) -> str:
    """Of the first element; "" where it has none, or is not to be found, or no XML is."""
    parser = expat.ParserCreate(namespace_separator=" ")
    # A resource has no document type, and without one nothing can be declared that grows in reading.
    parser.StartDoctypeDeclHandler = _stop
    parser.StartElementHandler = _stop
    try:
        parser.Parse(data[:_LOOKED_AT], False)
    except (_Stopped, expat.ExpatError) as stopped:
        return stopped.namespace if isinstance(stopped, _Stopped) else ""
    return ""


class _Stopped(Exception):
    """What is looked for is found."""

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self.namespace = namespace


def _stop(name: str, *_: object) -> NoReturn:
    raise _Stopped(name.rpartition(" ")[0])
