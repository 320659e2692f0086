"""Network file systems are told from Linux's table of mounts."""

import pytest

from plugin.ledger.errors import NetworkFileSystem
from plugin.ledger.filesystem import file_system, refuse_network


@pytest.fixture
def mounts(tmp_path):
    """A table with a mount of each kind."""
    table = tmp_path / "mountinfo"
    table.write_text(
        "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "22 21 0:20 / /mnt/share rw - nfs4 server:/x rw\n"
        "23 22 8:2 / /mnt/share/local rw shared:2 master:3 - xfs /dev/sdb rw\n"
        "24 21 0:21 / /mnt/two\\040words rw - cifs //server/x rw\n"
        "25 21 0:22 / /mnt/ssh rw - fuse.sshfs me@server: rw\n"
        "26 21 8:3 / /mnt/covered rw - ext4 /dev/sdc rw\n"
        "27 26 0:23 / /mnt/covered rw - 9p host rw\n"
    )
    return table


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/ledger", "ext4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/share/ledger", "nfs4"),
        ("/mnt/share/local/ledger", "xfs"),
        ("/mnt/two words/ledger", "cifs"),
        ("/mnt/ssh/ledger", "fuse.sshfs"),
        ("/mnt/covered/ledger", "9p"),
    ],
)
def test_the_deepest_and_latest_mount_counts(mounts, tmp_path, path, kind):
    """A local disk below a share is local, and a share over a disk is a share."""
    assert file_system(tmp_path.__class__(path), mounts) == kind
    if kind in {"ext4", "xfs"}:
        refuse_network(tmp_path.__class__(path), mounts)
    else:
        with pytest.raises(NetworkFileSystem, match=kind):
            refuse_network(tmp_path.__class__(path), mounts)


def test_without_a_table_nothing_is_known(tmp_path):
    """Other systems than Linux have none."""
    refuse_network(tmp_path, tmp_path / "absent")
