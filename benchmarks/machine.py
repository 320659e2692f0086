"""The machine that the figures are of. No host name, no path: results are published."""

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    "Flask",
    "granian",
    "pyreqwest",
    "jiter",
    "msgspec",
    "cedarpy",
    "apsw",
    "joserfc",
    "cryptography",
    "orjson",
)
SYNCS = 50


def described(generator: str, folder: Path) -> dict[str, object]:
    """Cores, memory, versions, and what a sync to the disk under `folder` takes."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "load_average_before": round(os.getloadavg()[0], 2),
        "sync_of_4_kb_ms": _sync_ms(folder),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "load": f"closed loop, {generator}, on the same cores as everything else",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def _sync_ms(folder: Path) -> float:
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            file.write(b"\0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return round(statistics.median(taken) * 1e3, 3)
