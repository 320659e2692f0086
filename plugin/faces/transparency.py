"""`/ledger/…`: the log's signed head, its hashes and proofs, for whoever wants to check it. Never content.

Checkpoint and tiles are c2sp.org/tlog-tiles, a proof of one record is c2sp.org/tlog-proof. Off unless the configuration
says `ledger.public`.
"""

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response

from plugin.ledger import evidence
from plugin.ledger.errors import LedgerError
from plugin.ledger.key import VerifierKey
from plugin.ledger.reader import Reader
from plugin.ledger.store import Opening
from plugin.ledger.tiles import WIDTH

_TILE = re.compile(r"([0-9]|[1-5][0-9]|6[0-3])/((?!x000/)(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
"""One name for each tile, but for a full one that is called partial: caches keep them for ever."""
FOR_EVER = "public, max-age=31536000, immutable"
"""A full tile never changes."""
HARDLY = "public, max-age=5"


@dataclass(frozen=True, slots=True)
class Transparency:
    """The face and what it reads."""

    ledger: Opening
    key: VerifierKey
    kept: Path

    def mount(self, app: Flask) -> None:
        """Add the routes to `app`."""
        for rule, name, view in (
            ("checkpoint", "checkpoint", self.checkpoint),
            ("tile/<path:name>", "tile", self.tile),
            ("proof/<int:position>", "proof", self.proof),
            ("consistency/<int:old>/<int:new>", "consistency", self.consistency),
        ):
            app.add_url_rule(f"/ledger/{rule}", f"ledger-{name}", view, provide_automatic_options=False)

    def checkpoint(self) -> Response:
        """The newest checkpoint, with its cosignatures."""
        try:
            return _text(evidence.newest(Reader(self.ledger), self.key, self.kept), HARDLY)
        except LedgerError:
            return _unavailable()

    def tile(self, name: str) -> Response:
        """`<L>/<N>[.p/<W>]`: hashes."""
        found = _TILE.fullmatch(name)
        if found is None or found[3] == str(WIDTH):
            return _nothing()
        level, number = int(found[1]), int(found[2].replace("x", "").replace("/", ""))
        width = int(found[3]) if found[3] else WIDTH
        try:
            with Reader(self.ledger).tree() as tree:
                hashes = tree.tile(level, number, width)
        except LedgerError:
            return _unavailable()
        if hashes is None:
            return _nothing()
        response = Response(hashes, content_type="application/octet-stream")
        response.headers["Cache-Control"] = FOR_EVER
        return response

    def proof(self, position: int) -> Response:
        """A proof that stands alone, of the record at `position`."""
        try:
            return _text(evidence.prove(Reader(self.ledger), position, self.key, self.kept).proof.text(), HARDLY)
        except ValueError:
            return _nothing()
        except LedgerError:
            return _unavailable()

    def consistency(self, old: int, new: int) -> Response:
        """The hashes that prove that the tree of `new` records begins with that of `old`, one base64 line each."""
        try:
            with Reader(self.ledger).tree() as tree:
                hashes = tree.consistency(old, new)
        except ValueError:
            return _nothing()
        except LedgerError:
            return _unavailable()
        return _text("".join(f"{base64.b64encode(each).decode()}\n" for each in hashes), FOR_EVER)


def _text(text: str, caching: str) -> Response:
    response = Response(text, content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = caching
    return response


def _nothing() -> Response:
    return Response("Not Found\n", 404, content_type="text/plain; charset=utf-8")


def _unavailable() -> Response:
    return Response("The log cannot be read.\n", 503, content_type="text/plain; charset=utf-8")
