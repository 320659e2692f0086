"""Work that several processes do at once, each a share of it, with what they make brought together in order.

Each process has a pipe of its own and waits while it is full: nobody is further ahead than a pipe holds, and one piece.
The bytes of every piece are copied into the same memory: to fetch some megabytes anew for each is a fifth of the time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from plugin.errors import LogUnreadable
from plugin.ledger.processes import prepare_process, undisturbed

Told = TypeVar("Told")

_ENDED = "A process of the export ended before its work."


def side_by_side(
    work: Callable[[int], Iterator[tuple[Told, bytes]]], processes: int
) -> Iterator[tuple[Told, bytes | memoryview]]:
    """What `work(0)`, `work(1)` … yield, in turns: the first of each, then the second, until one has no more.

    Each runs in a process of its own, or if there is only one, in this. `work` and what it tells must pickle, and it
    tells neither None nor an error. The bytes of a piece are good until the next is asked for. Raises the LogUnreadable
    that one raised, or its own if one is lost or failed otherwise.
    """
    if processes == 1:
        yield from work(0)
        return
    with ExitStack() as stack:
        shares = [stack.enter_context(_process(partial(work, share))) for share in range(processes)]
        memory = bytearray()
        for share in cycle(shares):
            try:
                told, size = share.recv()
                if size > len(memory):
                    memory = bytearray(size)
                if size:
                    share.recv_bytes_into(memory)
            except (EOFError, OSError) as error:
                raise LogUnreadable(_ENDED) from error
            if isinstance(told, LogUnreadable):
                raise told
            if told is None:
                return
            yield told, memoryview(memory)[:size]


@contextmanager
def _process(work: Callable[[], Iterator[tuple[Told, bytes]]]) -> Iterator[Connection]:
    """The reading end of a process that works; it is ended with the block."""
    # Started anew rather than forked: a forked process would inherit the ledger's connections and locks.
    context = get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=_work_off, args=(work, writing), daemon=True)
    with writing, undisturbed():
        process.start()
    try:
        with reading:  # closed first: who still writes ends by it, even where SIGTERM is ignored
            yield reading
    finally:
        process.terminate()
        process.join()


def _work_off(work: Callable[[], Iterator[tuple[Told, bytes]]], out: Connection) -> None:
    """Each piece as what is told of it with its size, then its bytes; at the end None, or the error."""
    prepare_process()
    with suppress(BrokenPipeError):  # nobody reads any more
        for told, text in _to_its_end(work):
            out.send((told, len(text)))
            if text:
                out.send_bytes(text)


def _to_its_end(
    work: Callable[[], Iterator[tuple[Told, bytes]]],
) -> Iterator[tuple[Told | LogUnreadable | None, bytes]]:
    try:
        yield from work()
    except LogUnreadable as error:
        yield error, b""
    except Exception as error:  # noqa: BLE001  # whoever asked tells it: a traceback of ours would stand beside that
        # The words of most may quote a record; those of the operating system do not.
        words = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        yield LogUnreadable(f"A process of the export failed: {words}."), b""
    else:
        yield None, b""
