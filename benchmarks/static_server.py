"""A server of answers that are bytes already: as much of HTTP/1.1 as the clients of a benchmark need.

GET, keep-alive, one request at a time on a connection.
"""

import asyncio
from typing import Protocol


class Answers(Protocol):
    """What a server answers."""

    def to(self, target: str, head: bytes) -> tuple[bytes, float | None]:
        """Status line, headers and body for a request with this target and head, and after how many seconds; None:
        never.
        """


def written(status: int, kind: str, body: bytes) -> bytes:
    """An answer as it stands on the wire."""
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)  # of a stream
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, self._received = self._received[:end], self._received[end + 4 :]
            answer, delay = self._answers.to(head.split(b" ", 2)[1].decode("ascii"), head)
            if delay == 0:
                self._transport.write(answer)
            elif delay is not None:
                asyncio.get_running_loop().call_later(delay, self._transport.write, answer)
