"""Open-loop load: requests begin at a fixed rate, whether or not earlier ones were answered, as people's do.

`python -m benchmarks.open_loop PORT FILE RATE SECONDS`. A latency counts from the moment at which the request was due,
so that a queue shows. Prints the line that `benchmarks.load` reads.
"""

import asyncio
import itertools
import sys
import time
from pathlib import Path

from benchmarks.load_loop import Seen, length, print_line
from benchmarks.people import HOST

MOST_CONNECTIONS = 1_000
"""Open at a time; a request that is due beyond them counts as an error."""
ANSWER_SECONDS = 12.0


class Connections:
    """Kept-alive connections, taken by whoever is due and given back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._open = 0

    async def ask(self, request: bytes) -> bytes:
        """The head of the answer, its body read. Raises OSError, IncompleteReadError or TimeoutError."""
        reader, writer = self._idle.pop() if self._idle else await self._opened()
        whole = False
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(length(head))
            whole = True
        finally:
            if whole:
                self._idle.append((reader, writer))
            else:
                self._open -= 1
                writer.close()
        return head

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._open >= MOST_CONNECTIONS:
            raise ConnectionError("too many are waiting")
        self._open += 1
        try:
            return await asyncio.open_connection(HOST, self._port)
        except OSError:
            self._open -= 1
            raise


async def _ask(connections: Connections, request: bytes, due: float, seen: Seen) -> None:
    try:
        head = await connections.ask(request)
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        seen.errors += 1
        return
    seen.count(head, time.perf_counter() - due)


async def _main(port: int, file: Path, rate: float, seconds: float) -> None:
    requests = itertools.cycle(file.read_bytes().split(b"\0"))
    connections, seen, began = Connections(port), Seen(), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(max(1, round(rate * seconds))):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            tasks.create_task(_ask(connections, next(requests), due, seen))
    print_line(seen, time.perf_counter() - began)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
