"""A new ledger in a folder of its own, and the ways in which tests disturb one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from plugin.ledger import origin, writer
from plugin.ledger.file_place import FilePlace
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.verify import Report, verify


def body_of(number: int) -> dict[str, object]:
    """A body with every fact that search columns are derived from."""
    return {
        "action": "consultation:released",
        "record": f"request-{number}.0",
        "request": f"request-{number}",
        "outcome": "0",
        "person": {"issuer": "https://login.example", "subject": f"s{number}"},
        "ehr": {"id": "hospital", "fhir_base": "https://ehr.example/fhir"},
        "patient": f"p{number}",
        "client": {"id": "pane"},
        "feed": {"id": "city-lab"},
    }


@dataclass
class Place:
    """Where a ledger lies, with its public key."""

    path: Path
    key_path: Path
    vkey: str

    def open(self) -> writer.Ledger:
        return writer.open(FilePlace(self.path), self.key_path)

    def key(self) -> SigningKey:
        return SigningKey(self.vkey.partition("+")[0], load_private_key(self.key_path))

    def fill(self, count: int) -> None:
        """Append `count` records and close."""
        ledger = self.open()
        for number in range(count):
            ledger.append(body_of(number), tenant="hospital", retention_class="consultation")
        ledger.close()

    def edit(self, sql: str, values: tuple[object, ...] = ()) -> None:
        """Change the file as somebody would who can write to it: without the triggers, which are put back."""
        connection = apsw.Connection(str(self.path))
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(sql, values)
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        for name, made in triggers:
            if name not in there and "records" in there:
                connection.execute(made)
        connection.close()

    def ask(self, sql: str) -> list[tuple]:
        connection = apsw.Connection(str(self.path))
        rows = connection.execute(sql).fetchall()
        connection.close()
        return rows

    def verify(self) -> Report:
        return verify(self.path, self.vkey)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A new, empty ledger."""
    path, key_path = tmp_path / "audit" / "ledger.sqlite", tmp_path / "secrets" / "checkpoint.key"
    return Place(path, key_path, origin.create(path, key_path, origin.new_origin("vitrine.example")))


@pytest.fixture
def ledger(place: Place) -> Iterator[writer.Ledger]:
    opened = place.open()
    yield opened
    opened.close()


@pytest.fixture
def append(ledger: writer.Ledger) -> Callable[[int], writer.Position]:
    """Append a numbered record."""
    return lambda number: ledger.append(body_of(number), tenant="hospital", retention_class="consultation")
