"""Tells whether a path lies on a file system that another machine serves, from Linux's table of mounts; syncs a folder.

SQLite's locks and shared memory, and what a sync promises, hold only where the kernel answers for the disk itself.
"""

import os
import re
from pathlib import Path

from plugin.ledger.errors import NetworkFileSystem

MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gfs2", "ocfs2", "beegfs", "orangefs"}
    | {"coda", "ncpfs", "glusterfs", "gpfs", "pvfs2", "davfs"}
)
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs"})
"""The root of a rootless container. Every other `fuse.` type is refused: a program answers for it."""
_OCTAL = re.compile(r"\\([0-7]{3})")


def refuse_network(path: Path, mounts: Path = MOUNTS) -> None:
    """Raise NetworkFileSystem if `path` (it need not exist) lies on one. Without a table of mounts nothing is known."""
    kind = file_system(path, mounts)
    if kind is not None and (kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)):
        raise NetworkFileSystem(f"{path} lies on {kind}: a ledger needs a local disk")


def file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the file system that holds `path`; None if that cannot be told."""
    try:
        table = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    where, best = path.resolve(), None
    for line in table.splitlines():
        # proc(5): 36 35 98:0 /root /mount/point options … - type source options
        before, _, after = line.partition(" - ")
        point = Path(_OCTAL.sub(lambda found: chr(int(found.group(1), 8)), before.split(" ")[4]))
        # Of two mounts on one point the later one covers the earlier.
        if where.is_relative_to(point) and (best is None or len(point.parts) >= len(best[0].parts)):
            best = (point, after.split(" ")[0])
    return None if best is None else best[1]


def sync_folder(folder: Path) -> None:
    """A new name survives a power failure only once its folder is synced. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
