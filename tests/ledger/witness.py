"""A witness in memory, written from c2sp.org/tlog-witness, behind the interface of a poster."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plugin.ledger import checkpoint
from plugin.ledger.errors import CheckpointInvalid, ProofInvalid, SinkFailed
from plugin.ledger.key import VerifierKey, WitnessKey
from plugin.ledger.merkle import Edge
from plugin.ledger.proof import check_consistency, decode_hash
from plugin.ledger.sink import Answer

SEEN_AT = 1_764_000_000


class Witness:
    """Remembers the newest checkpoint of one log, as a real one does."""

    url = "https://witness.example"

    def __init__(self, log: VerifierKey, name: str = "witness.example/w1") -> None:
        self.log = log
        self.private = Ed25519PrivateKey.generate()
        self.key = WitnessKey(name, self.private.public_key().public_bytes_raw())
        self.size, self.root = 0, Edge().root()
        self.asked: list[tuple[int, int]] = []
        """(old, new) of each request that could be read."""
        self.status: int | None = None
        """Answered to everything, if set."""
        self.reachable = True

    def post(self, url: str, body: bytes, content_type: str) -> Answer:
        assert url == f"{self.url}/add-checkpoint"
        if not self.reachable:
            raise SinkFailed("no answer")
        if self.status is not None:
            return Answer(self.status, "text/plain", b"")
        head, _, note = body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        try:
            stated = checkpoint.verify(note, self.log)
        except CheckpointInvalid:
            return Answer(403, "text/plain", b"")
        old = int(first.removeprefix("old "))
        self.asked.append((old, stated.size))
        if old > stated.size:
            return Answer(400, "text/plain", b"")
        if old != self.size or (old == stated.size and stated.root != self.root):
            return Answer(409, "text/x.tlog.size", b"%d\n" % self.size)
        try:
            check_consistency(old, self.root, stated.size, stated.root, [decode_hash(line) for line in lines])
        except ProofInvalid:
            return Answer(422, "text/plain", b"")
        self.size, self.root = stated.size, stated.root
        return Answer(200, "text/plain", f"{self.line(stated.text())}\n".encode())

    def line(self, text: str) -> str:
        """Its cosignature of a text."""
        signature = self.private.sign(f"cosignature/v1\ntime {SEEN_AT}\n{text}".encode())
        return f"— {self.key.name} " + base64.b64encode(self.key.id + SEEN_AT.to_bytes(8, "big") + signature).decode()
