"""One tree per answer: what is judged is what is released.

Bytes are parsed once, and the answer is encoded from the tree. Numbers with a fraction are Decimal and are written as
they came: `1.50` stays `1.50`. What the tree means, and whose it is, is left to others.
"""

import base64
import binascii
import re
from typing import Any

import jiter
import msgspec

from fhir_adapters.interface import FeedAnswerInvalid, FeedFile, Tree

MAX_DEPTH = 201
"""Levels of values, the innermost included. The parser stops here by itself, so a hostile answer cannot exhaust the
stack of those who walk the tree; the deepest real resources (Questionnaires, nested contained documents) stay below 40.
A test holds it."""

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_ORDERED = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def parse(data: bytes, source: str = "the answer") -> Any:
    """The tree of a JSON text in UTF-8: dict, list, str, bool, None, int and Decimal.

    Raises FeedAnswerInvalid, its message starting with `source` and quoting nothing of `data`, where the text is not
    JSON (RFC 8259), repeats a key within one object (a second reader might believe the other value), nests deeper than
    MAX_DEPTH, is not UTF-8, holds half a surrogate pair, NaN or Infinity, or a number too large to be kept. Every tree
    that this returns can be encoded.

    A Decimal's exponent is not bounded (`1e999999` is JSON): compare such a number, never turn it into an int.
    """
    try:
        return jiter.from_json(
            data,
            catch_duplicate_keys=True,
            float_mode="decimal",
            allow_inf_nan=False,
            cache_mode="none",  # the parser's cache of strings would keep parts of results in memory between answers
        )
    except RecursionError:
        raise FeedAnswerInvalid(f"{source} nests too deeply") from None
    except ValueError as error:
        fault = _fault(str(error))
    # Raised here, outside the handler: the parser's own words can quote a key, and no traceback may show one.
    raise FeedAnswerInvalid(f"{source} {fault}")


def encode(tree: Any) -> bytes:
    """The JSON text of a tree, in UTF-8, without spaces; numbers with the digits that they were parsed with."""
    return _ENCODER.encode(tree)


def ordered(tree: Any) -> bytes:
    """As `encode`, but the same for trees that differ only in the order of their members."""
    return _ORDERED.encode(tree)


def expect_resource(tree: Any, resource_type: str | None, source: str = "the answer") -> Tree:
    """`tree`, if it is a FHIR resource with a valid type and id, and of `resource_type` unless that is None.

    Raises FeedAnswerInvalid otherwise.
    """
    if not isinstance(tree, dict) or not is_type(tree.get("resourceType")):
        raise FeedAnswerInvalid(f"{source} is not a FHIR resource")
    if resource_type is not None and tree["resourceType"] != resource_type:
        raise FeedAnswerInvalid(f"{source} is of another type than asked")
    if not is_id(tree.get("id")):
        raise FeedAnswerInvalid(f"{source} holds a resource without a valid id")
    return tree


def binary_file(binary: Tree, source: str = "the answer") -> FeedFile:
    """The file in a Binary. Raises FeedAnswerInvalid if there is none."""
    content_type, data = binary.get("contentType"), binary.get("data", "")
    if not isinstance(content_type, str) or not isinstance(data, str):
        raise FeedAnswerInvalid(f"{source} is a Binary without a file")
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        failure = FeedAnswerInvalid(f"{source} is a Binary whose file is not whole")
    else:
        return FeedFile(content_type, content, {name: value for name, value in binary.items() if name != "data"})
    raise failure


def is_type(name: Any) -> bool:
    """True for what can be a resource type's name."""
    return isinstance(name, str) and _TYPE.fullmatch(name) is not None


def is_id(value: Any) -> bool:
    """True for a FHIR id (R4 2.24.0.1) that can stand in an address: `.` and `..` would be read as directories."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None and value not in (".", "..")


def _fault(words: str) -> str:
    if words.startswith("Detected duplicate key"):
        return "repeats a key within one object"
    if words.startswith("recursion limit exceeded"):
        return "nests too deeply"
    return "is not JSON that can be kept exactly"
