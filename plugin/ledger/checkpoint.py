"""Checkpoints: the size and root of the tree as a signed note (c2sp.org/tlog-checkpoint, c2sp.org/signed-note).

Signs what it is given: that a checkpoint extends every earlier one is the writer's duty.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from plugin.ledger.errors import CheckpointInvalid
from plugin.ledger.key import KEY_ID_SIZE, SigningKey, VerifierKey
from plugin.ledger.merkle import HASH_SIZE

MAX_NOTE = 1 << 16
"""Characters. A checkpoint with a hundred cosignatures has a quarter of this."""
MAX_SIGNATURES = 100
"""Signed-note asks for at least 16; the bound keeps a hostile note from costing a signature check a line."""
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE = re.compile(r"— ([^ \n]+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a head says of its tree."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's text: origin, size, root, each on its line. No extension lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign(checkpoint: Checkpoint, *keys: SigningKey) -> str:
    """The checkpoint as a signed note. The name of each key is the origin (c2sp.org/tlog-checkpoint)."""
    return signed(checkpoint.text(), *keys)


def signed(text: str, *keys: SigningKey) -> str:
    """Any text that ends in a newline as a signed note, with a line for each key, in this order."""
    signatures = ((key.verifier, base64.b64encode(key.verifier.id + key.sign(text.encode())).decode()) for key in keys)
    return f"{text}\n" + "".join(f"— {verifier.name} {signature}\n" for verifier, signature in signatures)


def is_first_signer(note: str, key: VerifierKey) -> bool:
    """True if the first signature line of a note is under the name and id of `key`. Checks no signature."""
    name, material = _signature(note.rpartition("\n\n")[2].partition("\n")[0])
    return name == key.name and material[:KEY_ID_SIZE] == key.id


def verify_note(note: str, key: VerifierKey) -> str:
    """The text of a signed note that `key` signed; lines of other keys are ignored.

    Raises CheckpointInvalid if the note is malformed, too large, not signed by `key`, or wrongly signed under its name.
    """
    if len(note) > MAX_NOTE or any(character < " " and character != "\n" for character in note):
        raise CheckpointInvalid("not a signed note: too large, or control characters in it")
    head, blank, tail = note.rpartition("\n\n")  # the last empty line: the text may have its own
    if not blank or not tail.endswith("\n"):
        raise CheckpointInvalid("not a signed note: no signature lines")
    text, lines = head + "\n", tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise CheckpointInvalid("not a signed note: too many signature lines")
    try:
        told = text.encode()
    except UnicodeEncodeError as error:
        raise CheckpointInvalid("not a signed note: not in UTF-8") from error
    signed = False
    for line in lines:
        name, material = _signature(line)
        if name != key.name or material[:KEY_ID_SIZE] != key.id:
            continue
        if not key.verifies(material[KEY_ID_SIZE:], told):
            raise CheckpointInvalid("the signature does not fit the text")
        signed = True
    if not signed:
        raise CheckpointInvalid("the note is not signed by this key")
    return text


def verify(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint that `key` signed. Raises CheckpointInvalid as `verify_note`, or if its origin is another."""
    lines = verify_note(note, key).split("\n")
    if len(lines) != 4 or lines[0] != key.name or not _SIZE.fullmatch(lines[1]):
        raise CheckpointInvalid("not a checkpoint of this origin: origin, size, root")
    root = _decode(lines[2])
    if len(root) != HASH_SIZE:
        raise CheckpointInvalid("the root is not a SHA-256 hash")
    return Checkpoint(lines[0], int(lines[1]), root)


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise CheckpointInvalid("not a signed note: a malformed signature line")
    return found.group(1), _decode(found.group(2))


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointInvalid("not a signed note: malformed base64") from error
