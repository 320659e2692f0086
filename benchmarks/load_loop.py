"""Our own closed-loop generator, for machines without wrk.

`python -m benchmarks.load_loop PORT FILE CONNECTIONS SECONDS`
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.people import HOST


@dataclass(slots=True)
class Seen:
    """What the connections saw together."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    refused: int = 0
    bytes: int = 0

    def count(self, head: bytes, latency: float) -> None:
        """An answer that came whole after `latency` seconds."""
        self.latencies.append(latency)
        self.bytes += len(head) + length(head)
        self.refused += head[9:12] >= b"400"

    def percentile(self, percent: int) -> float:
        """Milliseconds."""
        ordered = sorted(self.latencies) or [0.0]
        return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1e3, 3)


async def _ask(port: int, requests: Iterator[bytes], until: float, seen: Seen) -> None:
    while time.perf_counter() < until:
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            while (began := time.perf_counter()) < until:
                writer.write(next(requests))
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(length(head))
                seen.count(head, time.perf_counter() - began)
        except (OSError, asyncio.IncompleteReadError):
            seen.errors += 1
        finally:
            writer.close()


def length(head: bytes) -> int:
    """Of the body, as the head says."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def print_line(seen: Seen, seconds: float) -> None:
    """The line that `benchmarks.load` reads."""
    print(
        json.dumps(
            {
                "requests": len(seen.latencies),
                "seconds": seconds,
                "errors": seen.errors,
                "refused": seen.refused,
                "bytes": seen.bytes,
                "p50_ms": seen.percentile(50),
                "p99_ms": seen.percentile(99),
            }
        )
    )


async def _main(port: int, file: Path, connections: int, seconds: float) -> None:
    requests = itertools.cycle(file.read_bytes().split(b"\0"))
    seen, began = Seen(), time.perf_counter()
    await asyncio.gather(*(_ask(port, requests, began + seconds, seen) for _ in range(connections)))
    print_line(seen, time.perf_counter() - began)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
