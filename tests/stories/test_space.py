"""When space runs out strangers are refused first, then everybody, and what was refused is known to the last one."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugin.app import create_app
from plugin.ledger.space import LOOK_SECONDS, FreeSpace
from plugin.settings.errors import SettingsError
from plugin.settings.file import validated
from plugin.strangers import Strangers
from tests.world import World

SEARCH = "/fhir/city-lab/Observation?patient=p1"
LOW, FLOOR = 1000, 100


class Disk:
    """A file system of 10-byte blocks, of which an ordinary user may write `free` bytes."""

    def __init__(self) -> None:
        self.free = 10**6
        self.looks = 0

    def statvfs(self, _: Path) -> os.statvfs_result:
        self.looks += 1
        if self.free < 0:
            raise OSError(5, "Input/output error")
        return SimpleNamespace(f_bavail=self.free // 10, f_frsize=10)  # type: ignore[return-value]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def full(world: World, disk: Disk) -> World:
    """A world whose disk is `disk`, asked anew each time."""
    clock = iter(range(0, 10**9, 10))
    space = FreeSpace([world.folder], low=LOW, floor=FLOOR, statvfs=disk.statvfs, clock=clock.__next__)
    strangers = Strangers(world.assembled.strangers._callers, world.assembled.recorder, space, world.settings.tenant_of)
    gateway = replace(world.assembled.gateway, space=space, strangers=strangers)
    world.assembled = replace(world.assembled, gateway=gateway, strangers=strangers)
    world.app = create_app(world.assembled)
    world.client = world.app.test_client()
    return world


def test_with_room_enough_nothing_is_different(full: World, disk: Disk) -> None:
    """The floor itself is enough."""
    disk.free = LOW
    assert full.ask(SEARCH).status == 200
    assert full.ask(SEARCH, token="").status == 401


def test_below_the_first_floor_strangers_are_refused_and_write_nothing_at_once(full: World, disk: Disk) -> None:
    """A flood from outside must not take a clinician's last megabytes; a clinician is served."""
    disk.free = LOW - 10
    before = len(full.bodies())
    answer = full.ask(SEARCH, token="")
    assert (answer.status, answer.issue, answer.reason) == (503, "no-store", "no-space")
    assert int(answer.headers["Retry-After"]) > 0
    assert full.ask(SEARCH, token="forged.forged.forged").status == 401
    assert len(full.bodies()) == before
    assert full.ask(SEARCH).status == 200
    assert full.assembled.strangers.summarise()
    counted = {body["reason"]: body["callers"]["count"] for body in full.bodies() if "callers" in body}
    assert counted == {"no-space": 1, "invalid-token": 1}


def test_below_the_second_floor_everybody_is_refused_and_counted(full: World, disk: Disk) -> None:
    """No feed is asked for what could not be recorded; the counts are written when there is room, or at the stop."""
    disk.free = FLOOR - 10
    before = len(full.bodies())
    for token in (None, "", None):
        answer = full.ask(SEARCH, token=token)
        assert (answer.status, answer.issue, answer.reason) == (503, "no-store", "no-space")
    assert full.lab.queries == []
    assert not full.assembled.strangers.summarise()
    assert len(full.bodies()) == before
    disk.free = 10**6
    assert full.ask(SEARCH).status == 200
    assert full.assembled.strangers.summarise()
    assert full.last()["callers"]["count"] == 3


def test_counts_are_written_at_the_stop_however_full_the_disk(full: World, disk: Disk) -> None:
    """They would be lost otherwise."""
    disk.free = FLOOR - 10
    full.ask(SEARCH)
    assert full.assembled.strangers.summarise(at_stop=True)
    assert (full.last()["reason"], full.last()["callers"]["count"]) == ("no-space", 1)


def test_a_disk_that_cannot_be_asked_is_a_full_one(full: World, disk: Disk) -> None:
    """Nothing can be kept there."""
    disk.free = -1
    assert full.ask(SEARCH).status == 503


def test_one_look_at_the_disk_serves_a_second_of_requests(disk: Disk) -> None:
    """And the fullest of the folders counts."""
    now = [0.0]
    space = FreeSpace([Path("/a"), Path("/b")], low=LOW, floor=FLOOR, statvfs=disk.statvfs, clock=lambda: now[0])
    for _ in range(5):
        assert not space.low()
    assert disk.looks == 2
    disk.free, now[0] = 0, LOOK_SECONDS
    assert space.spent()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("anonymous_space_floor_mb", 100, "strangers are refused first"),
        ("space_floor_mb", -1, "may not be less than 0"),
        ("verify_every", "1 minute", "hours or days"),
        ("verify_every", "0 days", "hours or days"),
    ],
)
def test_floors_and_intervals_that_protect_nothing_stop_the_start(
    world: World, key: str, value: object, said: str
) -> None:
    """Both have careful defaults."""
    import tomllib

    path = world.folder / "vitrine.toml"
    document = tomllib.loads(path.read_text())
    document.setdefault("ledger", {})[key] = value
    with pytest.raises(SettingsError, match=said):
        validated(document, path)
