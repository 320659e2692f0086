"""The process that forks one confined process for each document: `python -m plugin.rendering.worker <descriptor>`.

It has loaded the libraries, so that a document costs a fork and not a start; it reads no byte of any document itself.
It has one thread, so forking it is safe. A child reads one job from standard input, writes one answer to standard
output and ends; then a byte on `<descriptor>` says that the next job may come. A child that ends otherwise ends this
process too. It also ends when whoever started it does: its input ends then.
"""

import codecs
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import msgspec
from PIL import Image

from plugin.rendering import cda, confinement, image, markup, pdf, watermark
from plugin.rendering.job import HEAD_BYTES, MAX_DOCUMENT_BYTES, MAX_SECONDS, TOKEN_BYTES, Answer, Job, Kind, Problem

READY = b"."

_INPUT, _OUTPUT = 0, 1
_READERS: dict[str, Callable[[bytes, int, tuple[str, ...]], Answer]] = {
    Kind.PDF: pdf.page_of,
    Kind.IMAGE: image.picture_of,
    Kind.CDA: cda.document_of,
    Kind.MARKUP: markup.clean,
}


_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Contents 4 0 R/Resources<</Font<</F1<</Type/Font"
    b"/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n4 0 obj<</Length 35>>stream\n"
    b"BT /F1 9 Tf 9 9 Td (Warm) Tj ET   \nendstream endobj\ntrailer<</Root 1 0 R>>\n"
)
_CDA = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Warm</title></ClinicalDocument>'
_ENCODINGS = ("utf-16-le", "utf-16", "utf-8", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252")
"""That a document may be written in."""


def main(ready: int) -> int:
    """Serve until the input ends. 1 if a child ended otherwise than by answering."""
    _prepare()
    waiting = select.poll()
    waiting.register(_INPUT, select.POLLIN)
    while waiting.poll()[0][1] & select.POLLIN:
        child = os.fork()
        if child == 0:
            os.close(ready)
            _answer_one()
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            return 1
        if waiting.poll(0):  # it left a part of its job for the next child to read, or nobody waits any more
            return 1
        os.write(ready, READY)
    return 0


def _prepare() -> None:
    """Load what a child could not: it opens no file."""
    Image.init()
    watermark.load()
    for name in _ENCODINGS:
        codecs.lookup(name)
    small = [(Kind.PDF, _PDF), (Kind.CDA, _CDA), (Kind.MARKUP, b"<p>Warm</p>")]
    small += [(Kind.IMAGE, data) for data in _pictures()]
    for kind, data in small:
        _READERS[kind](data, 1, ("é",))  # what a first document of its kind loads
    os.chdir("/")
    with suppress(OSError):  # the kernel's choice, where memory is short: this process before any other
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _pictures() -> Iterator[bytes]:
    """One of each format and mode that there is."""
    for kind in image.FORMATS:
        for mode in ("RGB", "L", "P", "1", "RGBA"):
            written = BytesIO()
            with suppress(OSError):  # no such mode in this format
                Image.new(mode, (8, 8)).save(written, kind)
                yield written.getvalue()


def _answer_one() -> None:
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    confinement.limit()
    confined = confinement.filter_calls()
    told = _read(int.from_bytes(_read(HEAD_BYTES)))
    token, job = told[:TOKEN_BYTES], msgspec.msgpack.decode(told[TOKEN_BYTES:], type=Job)
    try:
        answer = _READERS[job.kind](job.data, job.page, job.watermark)
    except MemoryError:
        answer = Answer(Problem.TOO_COMPLEX)
    except RecursionError:
        answer = Answer(Problem.BROKEN)
    _write(token + msgspec.msgpack.encode(msgspec.structs.replace(answer, confined=confined)))


def _read(length: int) -> bytes:
    if length > MAX_DOCUMENT_BYTES + 65_536:  # the rest of a job is short
        os._exit(1)
    data = bytearray()
    while len(data) < length:
        part = os.read(_INPUT, min(length - len(data), 1 << 20))
        if not part:
            os._exit(1)
        data += part
    return bytes(data)


def _write(answer: bytes) -> None:
    left = memoryview(len(answer).to_bytes(HEAD_BYTES) + answer)
    while left:
        left = left[os.write(_OUTPUT, left) :]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
