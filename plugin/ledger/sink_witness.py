"""A sink that is a witness (c2sp.org/tlog-witness): it cosigns only what continues what it cosigned before.

It keeps no text for us; its cosignature, kept with the checkpoint, is what an outsider trusts.
"""

import base64
import re
from collections.abc import Sequence

from plugin.ledger.checkpoint import Checkpoint, verify_note
from plugin.ledger.errors import CheckpointInvalid, SinkFailed, SinkForked
from plugin.ledger.key import WitnessKey
from plugin.ledger.proof import MAX_PATH
from plugin.ledger.sink import Answer, Offer, Poster

_SIZE_TYPE = "text/x.tlog.size"
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_TRIES = 3
"""One to learn the size that the witness has, one to go on from there, one for another process in between."""
_LATER = frozenset({404, 408, 429})
"""Not yet, rather than never: the witness was not told of this log, or has too much to do."""


class WitnessSink:
    """See `Sink`."""

    cosigns = True

    def __init__(self, url: str, key: WitnessKey, poster: Poster) -> None:
        """`url` is the witness's submission prefix, without `/add-checkpoint`."""
        self.name = f"witness {key.name}"
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._key = key
        self._poster = poster
        self._cosigned = 0
        """What the witness cosigned last, as far as this process knows; if it is another size, the witness says so."""

    def newest(self) -> Checkpoint | None:
        """None: a witness shows only a size, and that only when it is asked to cosign."""
        return None

    def deliver(self, offer: Offer) -> Sequence[str]:
        """See `Sink.deliver`."""
        self._cosigned = min(self._cosigned, offer.stated.size)
        for _ in range(_TRIES):
            answer = self._poster.post(self._url, self._request(offer), "text/plain; charset=utf-8")
            if answer.status == 200:
                lines = self._cosignatures(offer, answer)
                self._cosigned = offer.stated.size
                return lines
            self._cosigned = self._size_it_has(offer, answer)
        raise SinkFailed(f"{self.name}: its size changes all the time")

    def _request(self, offer: Offer) -> bytes:
        path = offer.consistency(self._cosigned)
        if len(path) > MAX_PATH:
            raise SinkFailed(f"{self.name}: the consistency proof is too long")
        proof = "".join(f"{base64.b64encode(hash_).decode()}\n" for hash_ in path)
        return f"old {self._cosigned}\n{proof}\n{offer.note}".encode()

    def _size_it_has(self, offer: Offer, answer: Answer) -> int:
        """The size to ask again from, if the answer tells of another one than we named."""
        if answer.status >= 500 or answer.status in _LATER or answer.status < 400:
            raise SinkFailed(f"{self.name} answered {answer.status}")
        kind = answer.content_type.partition(";")[0].strip().lower()
        size = _SIZE.fullmatch(answer.body) if answer.status == 409 and kind == _SIZE_TYPE else None
        has = int(size.group(1)) if size is not None else self._cosigned
        if has == self._cosigned or has > offer.stated.size:
            raise SinkForked(
                f"{self.name} answered {answer.status}: the ledger's {offer.stated.size} records do not continue"
                f" what it cosigned{'' if size is None else f', {has} records'}"
            )
        return has

    def _cosignatures(self, offer: Offer, answer: Answer) -> list[str]:
        """The lines of this witness's key: a line of any other proves nothing to us."""
        try:
            lines = answer.body.decode("utf-8").split("\n")[:-1]
        except UnicodeDecodeError as error:
            raise SinkFailed(f"{self.name}: its answer is not text") from error
        good = [line for line in lines if self._is_good(offer.stated.text(), line)]
        if not good:
            raise SinkFailed(f"{self.name} answered without a good cosignature")
        return good

    def _is_good(self, text: str, line: str) -> bool:
        try:
            return verify_note(f"{text}\n{line}\n", self._key) == text
        except CheckpointInvalid:
            return False
