"""`python -m benchmarks.documents`: processor time of a page of a document, in the rendering process and around it.

The aim is 150 ms a page. User and system time of the process and of its children, from `/proc`, in hundredths of a
second: over so many pages that the mean is finer than that.
"""

import argparse
import base64
import json
import os
import resource
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from plugin.rendering.job import Job, Kind
from plugin.rendering.pool import RenderingPool

SAMPLE = Path(__file__).parents[1] / "sample_fhir" / "imaging" / "img-50361.json"
MARK = ("Dr Aurélie Château-Rey", "25 Nov 2026, 16:04", "00000000000000000000000000000000.1")
SCAN = (2480, 3508)
"""A4 at 300 dots an inch."""
LINE = "Compte rendu : créatinine 12,4 mg/L (5,0 à 11,0), dosée le 16 novembre 2026"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """0: measured and printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.documents", description=__doc__)
    parser.add_argument("--pages", type=int, default=100, help="of each kind (default 100)")
    pages = parser.parse_args().pages
    pool = RenderingPool(places=1)
    for name, job in jobs().items():
        answer = pool.render(job)  # starts the process
        worker, own = worker_seconds(), own_seconds()
        for _ in range(pages):
            answer = pool.render(job)
        worker, own = worker_seconds() - worker, own_seconds() - own
        if answer.problem is not None:
            print(f"{name}: {answer.problem}", file=sys.stderr)
            return 1
        told = f"{1000 * worker / pages:6.1f} ms there, {1000 * own / pages:5.2f} ms here"
        print(f"{name:32} {told}, {len(answer.picture) // 1000:5} kB")
    pool.close()
    return 0


def jobs() -> dict[str, Job]:
    """What is rendered: the files of the sample, and its report's narrative."""
    bundle = json.loads(SAMPLE.read_text(encoding="utf-8"))
    held = {entry["resource"]["id"]: entry["resource"] for entry in bundle["entry"]}
    report, summary = held["rep-50361-1"], held["doc-50361-5"]["content"][0]["attachment"]
    paper = base64.b64decode(report["presentedForm"][0]["data"])
    return {
        "a page of the sample's report": Job(Kind.PDF, paper, 1, MARK),
        "a noisy scan as PDF": Job(Kind.PDF, scan("PDF"), 1, MARK),
        "a noisy scan as JPEG": Job(Kind.IMAGE, scan("JPEG"), 1, MARK),
        "the sample's C-CDA": Job(Kind.CDA, base64.b64decode(summary["data"]), 1, MARK),
        "a narrative": Job(Kind.MARKUP, report["text"]["div"].encode(), 1, MARK),
    }


def scan(kind: str) -> bytes:
    """A page of text as a bad scanner sees it: grain all over, so that nothing of it is easy to decode or to write."""
    page = Image.new("RGB", SCAN, (240, 238, 230))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(42)
    for top in range(200, SCAN[1] - 200, 60):
        pen.text((200, top), LINE, fill=(30, 30, 40), font=font)
    grain = Image.effect_noise(SCAN, 40)
    written = BytesIO()
    Image.blend(page, Image.merge("RGB", (grain, grain, grain)), 0.25).save(written, kind, resolution=300, quality=80)
    return written.getvalue()


def own_seconds() -> float:
    """Of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def worker_seconds() -> float:
    """Of the one rendering process, with the forks that it has waited for."""
    for each in Path("/proc").glob("[0-9]*/stat"):
        fields = each.read_text(encoding="utf-8").rpartition(")")[2].split()
        if int(fields[1]) == os.getpid():
            return sum(map(int, fields[11:15])) / TICKS
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
