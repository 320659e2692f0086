"""`audit purge` and `audit hold`: what a security officer types, sees and leaves behind."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from plugin import assembly
from plugin.cli import main
from plugin.ledger import writer
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.reader import Reader
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.sqlite_eraser import SqliteEraser
from plugin.settings.file import load
from tests.ledger.conftest import body_of
from tests.world import World

WHY = ("--reason", "retention schedule 4")
RETENTION = '[ledger.retention]\nconsultation = "1-year"\nrefusal = "400 days"\n\n[[ehr]]'
OLD = datetime.now(UTC) - timedelta(days=380)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Six looks and two refusals of a year ago, and a configuration that keeps looks for a year."""
    made = World(tmp_path)
    _file(made).write_text(_file(made).read_text().replace("[[ehr]]", RETENTION, 1))
    ledger = made.settings.ledger
    key = SigningKey(Reader(ledger.path).meta().origin, load_private_key(ledger.key_file))
    old = writer.Ledger(SqliteStore(ledger.path), key, clock=lambda: OLD)
    for number in range(8):
        kind = "refusal" if number in {2, 5} else "consultation"
        old.append(body_of(number), tenant="hospital", retention_class=kind)
    old.close()
    return made


def _file(world: World) -> Path:
    return world.folder / "vitrine.toml"


def audit(world: World, *arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["--config", str(_file(world)), "audit", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done


def bodies(world: World) -> list[dict]:
    found = Reader(world.settings.ledger.path).records()
    return [orjson.loads(record.body) if record.body is not None else {} for record in found]


def gone(world: World) -> list[int]:
    return [each.position for each in Reader(world.settings.ledger.path).records() if each.body is None]


def test_a_dry_run_says_what_would_go_and_changes_nothing(world: World) -> None:
    """By class and tenant: how many, from when to when, how many are held. It is no reading, and leaves no record."""
    before = len(bodies(world))
    done = audit(world, "purge", "--dry-run", *WHY)
    (row,) = done.stdout.splitlines()
    assert row.split("\t")[:3] == ["consultation", "hospital", "6"]
    assert row.split("\t")[3][:10] == row.split("\t")[4][:10] == OLD.date().isoformat()
    assert "6 records would be purged" in done.stderr
    assert (gone(world), len(bodies(world))) == ([], before)


def test_a_purge_leaves_a_record_with_reason_rule_and_who(world: World) -> None:
    """And verify says that it was by rule."""
    assert "6 records were purged" in audit(world, "purge", *WHY).stderr
    assert gone(world) == [0, 1, 3, 4, 6, 7]
    record = bodies(world)[-1]
    assert record["action"] == "ledger:purged"
    assert record["person"]["kind"] == "operator"
    assert record["purge"]["reason"] == WHY[1]
    (due,) = record["purge"]["due"]
    assert (due["retention_class"], due["period"]) == ("consultation", "1-year")
    assert due["ranges"] == [[0, 1], [3, 4], [6, 7]]
    assert "(6 of them purged by rule), unbroken since" in audit(world, "verify").stdout
    assert "0 records were purged" in audit(world, "purge", *WHY).stderr


def test_a_purged_record_is_listed_as_deleted(world: World) -> None:
    """Not as something that was done by the gateway: what it was is not known any more."""
    audit(world, "purge", *WHY)
    assert audit(world, "list", "--last", "0", *WHY).stdout.endswith("  deleted after its period\n")
    (event,) = map(orjson.loads, audit(world, "list", "--last", "0", "--format", "fhir", *WHY).stdout.splitlines())
    assert (event["id"], event["outcomeDesc"]) == ("0", "deleted after its period")
    assert "outcome" not in event
    assert event == orjson.loads(audit(world, "show", "0", *WHY).stdout)


def test_without_periods_nothing_is_purged(world: World) -> None:
    """None is chosen by default."""
    _file(world).write_text(_file(world).read_text().replace(RETENTION, "[[ehr]]"))
    assert load(_file(world)).ledger.retention == {}
    done = audit(world, "purge", *WHY)
    assert "everything is kept" in done.stderr
    assert gone(world) == []


def test_an_ehr_may_keep_its_records_for_longer_or_shorter(world: World) -> None:
    """Its period comes before the general one, for the classes that it names; the record says whose period it was."""
    text = _file(world).read_text()
    _file(world).write_text(
        text.replace("[[ehr]]", '[[ehr]]\nretention = { consultation = "3-years", refusal = "1-year" }')
    )
    assert "2 records were purged" in audit(world, "purge", *WHY).stderr
    assert gone(world) == [2, 5]
    (due,) = bodies(world)[-1]["purge"]["due"]
    assert (due["retention_class"], due["tenant"], due["period"]) == ("refusal", "hospital", "1-year")
    assert "(2 of them purged by rule), unbroken since" in audit(world, "verify").stdout


def test_an_interrupted_purge_is_told_and_finished(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is there, the bodies too: as after a crash in between."""
    with monkeypatch.context() as broken:
        broken.setattr(SqliteEraser, "erase", lambda *_: 0)
        audit(world, "purge", *WHY)
    assert gone(world) == []
    assert "6 more" in audit(world, "verify").stderr
    assert "6 records left over" in audit(world, "purge", "--dry-run", *WHY).stderr
    assert "6 records of an interrupted purge were purged" in audit(world, "purge", *WHY).stderr
    assert "6 of them purged by rule" in audit(world, "verify").stdout


def test_a_hold_keeps_what_an_interrupted_purge_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dry run, the purge and verify say that it does, and the purge after its end takes the rest."""
    with monkeypatch.context() as broken:
        broken.setattr(SqliteEraser, "erase", lambda *_: 0)
        audit(world, "purge", *WHY)
    name = audit(world, "hold", "add", "--patient", "https://ehr.example/fhir/Patient/p3", *WHY).stdout.strip()
    dry = audit(world, "purge", "--dry-run", *WHY)
    assert "1 held" in dry.stdout
    assert "1 records that an earlier purge names are kept by a hold" in dry.stderr
    assert "5 records left over" in dry.stderr
    assert "5 records of an interrupted purge were purged" in audit(world, "purge", *WHY).stderr
    assert gone(world) == [0, 1, 4, 6, 7]
    verified = audit(world, "verify")
    assert "a hold keeps 1 more that a purge names" in verified.stderr
    assert "interrupted" not in verified.stderr
    audit(world, "hold", "lift", name, "--reason", "settled")
    assert "1 records of an interrupted purge were purged" in audit(world, "purge", *WHY).stderr
    assert gone(world) == [0, 1, 3, 4, 6, 7]


def test_a_hold_keeps_until_it_is_lifted(world: World) -> None:
    """Placed by a patient's address, listed with its reason, lifted by its id."""
    patient = "https://ehr.example/fhir/Patient/p3"
    name = audit(world, "hold", "add", "--patient", patient, "--reason", "case 7").stdout.strip()
    assert re.fullmatch("[0-9a-f]{8}", name)
    assert "1 held" in audit(world, "purge", *WHY).stdout
    assert gone(world) == [0, 1, 4, 6, 7]
    listed = audit(world, "hold", "list", "--reason", "review").stdout
    assert (name in listed, patient in listed, "case 7" in listed) == (True, True, True)
    reading = bodies(world)[-1]
    assert (reading["action"], reading["asked"]["log_reason"]) == ("log:read", "review")
    audit(world, "hold", "lift", name, "--reason", "settled")
    assert audit(world, "hold", "list", "--reason", "review").stdout == ""
    audit(world, "purge", *WHY)
    assert gone(world) == [0, 1, 3, 4, 6, 7]
    assert audit(world, "verify").exit_code == 0


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        (("--tenant", "hospital"), 6),
        (("--person", "https://login.example", "s3"), 1),
        (("--first", "3", "--last", "6"), 3),
        (("--last", "0"), 1),
        (("--tenant", "gateway"), 0),
        (("--tenant", "hospital", "--person", "https://login.example", "s4"), 1),
    ],
)
def test_a_hold_is_by_tenant_patient_person_or_positions(world: World, named: tuple[str, ...], kept: int) -> None:
    """Several together: what has all of them."""
    audit(world, "hold", "add", *named, *WHY)
    audit(world, "purge", *WHY)
    assert len(gone(world)) == 6 - kept


def test_an_ehr_and_an_id_name_a_patient(world: World) -> None:
    """As for the patient's report."""
    ehr = world.settings.ehr[0]
    audit(world, "hold", "add", "--patient", f"{ehr.id}/p9", *WHY)
    assert bodies(world)[-1]["hold"]["patient"] == f"{ehr.fhir_base}/Patient/p9"
    assert "is not" in audit(world, "hold", "add", "--patient", "nowhere/p9", *WHY, code=2).stderr


@pytest.mark.parametrize(
    ("named", "whose"),
    [
        (("--patient", "hospital/p9"), "hospital"),
        (("--patient", "https://ehr.example/old/Patient/p9"), "gateway"),
        (("--person", "https://login.example", "s3"), "hospital"),
        (("--person", "https://elsewhere.example", "s3"), "gateway"),
        (("--tenant", "hospital", "--last", "3"), "hospital"),
        (("--last", "3"), "gateway"),
    ],
)
def test_a_hold_and_its_end_are_records_of_the_ehr_whose_patient_or_person_it_names(
    world: World, named: tuple[str, ...], whose: str
) -> None:
    """Its auditors see them, and those of other EHRs do not: they name somebody."""
    name = audit(world, "hold", "add", *named, *WHY).stdout.strip()
    audit(world, "hold", "lift", name, *WHY)
    headers = [orjson.loads(each.header) for each in Reader(world.settings.ledger.path).records()]
    assert [(each["tenant"], each["class"]) for each in headers[-2:]] == [(whose, "ledger")] * 2


def test_commands_that_say_too_little_change_nothing(world: World) -> None:
    """A hold of everything is no hold; an unknown id lifts nothing; a reason says something."""
    before = len(bodies(world))
    audit(world, "hold", "add", *WHY, code=2)
    audit(world, "hold", "lift", "00000000", *WHY, code=1)
    audit(world, "purge", "--reason", "  ", code=2)
    audit(world, "purge", code=2)
    assert len(bodies(world)) == before


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (("--first", "9", "--last", "3"), "no position is from --first 9 to --last 3"),
        (("--tenant", "nosuch"), "nosuch is not"),
        (("--person", "a", "b"), "--person is ISSUER SUBJECT"),
        (("--person", "https://login.example", " "), "--person is ISSUER SUBJECT"),
        (("--patient", "https://ehr.example/fhir/p3"), "is no address of a patient"),
        (("--patient", "https://ehr.example/fhir/Patient/p3/"), "is no address of a patient"),
        (("--patient", "https://ehr.example/fhir/Patient/p3 "), "is no address of a patient"),
        (("--patient", "https://ehr.example/fhir//Patient/p3"), "is no address of a patient"),
        (("--tenant", "gateway", "--patient", "hospital/p3"), "is of the EHR 'hospital'"),
        (("--first", str(10**30)), "is not in the range"),
    ],
)
def test_a_hold_that_can_keep_nothing_is_refused(world: World, named: tuple[str, ...], words: str) -> None:
    """Whoever placed it would believe that something is kept."""
    before = len(bodies(world))
    assert words in audit(world, "hold", "add", *named, *WHY, code=2).stderr
    assert len(bodies(world)) == before


def test_while_a_purge_is_under_way_a_hold_is_placed_and_no_other_purge_begins(world: World) -> None:
    """What is still there is kept from the next batch on: a hold that had to wait could keep nothing."""
    with SqliteEraser(world.settings.ledger.path).alone():
        assert "under way" in audit(world, "purge", *WHY, code=2).stderr
        audit(world, "hold", "add", "--tenant", "hospital", *WHY)
    assert "6 held" in audit(world, "purge", *WHY).stdout
    assert gone(world) == []


def test_a_broken_ledger_is_not_purged(world: World) -> None:
    """Exit 1: what may be evidence stays."""
    store = SqliteStore(world.settings.ledger.path)
    store._open().execute("DROP TRIGGER records_are_never_changed; UPDATE records SET person = 'x' WHERE position = 3")
    store.close()
    assert "record 3" in audit(world, "purge", *WHY, code=1).stderr
    assert gone(world) == []


def test_the_gateway_goes_on_after_a_purge(world: World) -> None:
    """Its start checks accept what was purged by rule."""
    audit(world, "purge", *WHY)
    assembly.check_ledger(assembly.open_ledger(load(_file(world))))
    assert world.ask("/fhir/city-lab/Observation?patient=p1").status == 200


@pytest.mark.parametrize("line", ['consultation = "7 years"', 'ledger = "1-year"', 'looks = "1-year"', "refusal = 30"])
def test_a_period_that_is_none_stops_the_start(world: World, line: str) -> None:
    """A mistyped class would be kept for ever, a mistyped period destroyed too early."""
    text = _file(world).read_text().replace('consultation = "1-year"', line)
    _file(world).write_text(text.replace('refusal = "400 days"\n', "" if line.startswith("refusal") else "\n"))
    assert "ledger.retention" in audit(world, "purge", *WHY, code=2).stderr
