"""The command line: data to stdout, talk to stderr, exit codes as promises, one sentence for what goes wrong."""

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import orjson
import pytest
from click.testing import CliRunner

from plugin import assembly
from plugin.cli import main
from plugin.event import AuditAction
from plugin.ledger.reader import Reader
from plugin.settings.file import load
from tests.deployed.deployment import odd_feed
from tests.deployed.neighbours import http_answer, json_answer

YES, NO, CANNOT = 0, 1, 2
REASON = ("--reason", "complaint 17")


def vitrine(path, *arguments, code=YES, stdin=None, env=None):
    """Run a command in this process; its exit code must be `code`, and whatever it says is no traceback."""
    chosen = () if path is None else ("--config", str(path))
    done = CliRunner().invoke(main, [*chosen, *arguments], input=stdin, env=env)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def bodies(place, *actions):
    return [body for body in place.bodies() if body["action"] in actions]


LEAVES = [
    ("serve",),
    ("config", "check"),
    ("feed", "check"),
    ("token", "explain"),
    ("audit", "init"),
    ("audit", "list", *REASON),
    ("audit", "show", "0", *REASON),
    ("audit", "verify"),
]


@pytest.mark.parametrize("command", LEAVES, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("what", ["missing", "directory", "binary", "empty", "below a file", "no TOML"])
def test_without_a_usable_configuration_no_command_runs(tmp_path, command, what):
    path = tmp_path / "vitrine.toml"
    contents = {"binary": b"\x00\xff\xfe", "empty": b"", "no TOML": b"public_base"}
    if what in contents:
        path.write_bytes(contents[what])
    elif what == "directory":
        path.mkdir()
    elif what == "below a file":
        path.write_bytes(b"")
        path = path / "vitrine.toml"
    codes = {NO, CANNOT} if command == ("config", "check") else {CANNOT}
    done = CliRunner().invoke(main, ["--config", str(path), *command])
    assert isinstance(done.exception, SystemExit)
    assert done.exit_code in codes
    assert done.stdout == ""
    assert done.stderr.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "show", "\udcff", *REASON),
        ("audit", "list", "--reason", "because \udcff"),
        ("audit", "report", *REASON, "--lang", "fr", "--patient", "hospital/\udcff"),
        ("--config", "\udcff", "config", "check"),
    ],
)
def test_an_argument_that_is_no_text_is_one_sentence(place, arguments):
    """Bytes that no character has, as a shell in another encoding passes them: nothing could record or compare them."""
    done = vitrine(place.path, *arguments, code=2)
    assert done.stderr.startswith("vitrine: an argument is not in UTF-8: ")
    assert done.stderr.endswith("\\xff\n")


def test_the_file_is_named_by_option_else_by_variable_else_it_is_here(tmp_path, monkeypatch):
    for name in ("option", "variable", "here"):
        (tmp_path / name).mkdir()
        vitrine(tmp_path / name / "vitrine.toml", "config", "init")
    monkeypatch.chdir(tmp_path / "here")
    variable = {"VITRINE_CONFIG": str(tmp_path / "variable" / "vitrine.toml")}
    option = tmp_path / "option" / "vitrine.toml"
    assert "option" in vitrine(option, "config", "check", env=variable).stdout
    assert "variable" in vitrine(None, "config", "check", env=variable).stdout
    assert vitrine(None, "config", "check").stdout.startswith("vitrine.toml: good")


def test_config_init_makes_what_is_missing_and_keeps_what_is_there(tmp_path):
    path = tmp_path / "new" / "vitrine.toml"
    assert vitrine(path, "config", "init").stdout == ""
    key = tmp_path / "new" / "secrets" / "vitrine.keys"
    made = path.read_bytes(), key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "kept" in vitrine(path, "config", "init").stderr
    assert (path.read_bytes(), key.read_bytes()) == made
    key.unlink()
    vitrine(path, "config", "init")
    assert path.read_bytes() == made[0]
    assert key.exists()


@pytest.mark.parametrize("order", [("config check", "audit init"), ("audit init", "config check")])
def test_after_config_init_the_next_commands_work_in_either_order(tmp_path, order):
    path = tmp_path / "vitrine.toml"
    vitrine(path, "config", "init")
    for command in order:
        vitrine(path, *command.split())
    vitrine(path, "config", "check")
    vitrine(path, "audit", "verify")


def test_config_check_says_no_to_what_would_not_serve(place):
    """Each is one sentence that names the key."""
    keys = place.folder / "secrets" / "vitrine.keys"
    keys.chmod(0o604)
    assert "key_file" in vitrine(place.path, "config", "check", code=NO).stderr
    keys.chmod(0o600)
    place.ledger.unlink()
    assert "ledger" in vitrine(place.path, "config", "check", code=NO).stderr


def test_config_check_says_no_to_a_sink_that_could_not_be_used(place):
    """The start would; who configures a witness should not have to restart to find out."""
    witness = '{ kind = "witness", url = "https://witness.example", vkey = "none" }'
    place.path.write_text(f"{place.path.read_text()}\n[ledger]\nsinks = [{witness}]\n")
    assert "ledger.sinks.0.vkey" in vitrine(place.path, "config", "check", code=NO).stderr


def test_config_check_says_that_test_identities_match_nobody(place):
    """Without `demo` every patient would have no qualified identifier, and nothing would say why."""
    text = place.path.read_text()
    rest = 'kind = "bundle-folder"\npath = "."\n'
    match = 'match = { by = "identifier", systems = ["urn:oid:1.2.250.1.213.1.4.10"] }\n'
    place.path.write_text(text.replace("demo = true", "demo = false") + f'[[feed]]\nid = "tried"\n{rest}{match}')
    assert "warning: feed.1.match.systems.0: " in vitrine(place.path, "config", "check").stderr


def test_feed_check_tells_what_a_feed_offers_and_hides_what_a_terminal_obeys(place):
    statement = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "software": {"name": "Lab\u001b[2J", "version": "7"},
        "rest": [{"mode": "server", "resource": [{"type": "Observation", "interaction": [{"code": "read"}]}]}],
    }
    base = place.neighbours.odd("stated", lambda connection: connection.sendall(json_answer(statement)))
    place.path.write_text(place.path.read_text() + odd_feed("stated", base))
    done = vitrine(place.path, "feed", "check", "stated")
    told = done.stdout
    assert "warning: stated: no search of Patient, Observation, " in done.stderr
    assert "stated: FHIR 4.0.1, Lab" in told
    assert "\x1b" not in told
    assert "Observation: read" in told
    assert "city-lab" in vitrine(place.path, "feed", "check").stdout


def test_feed_check_says_no_to_a_feed_that_cannot_be_used(place):
    base = place.neighbours.odd("teapot", lambda connection: connection.sendall(http_answer(b"", status="418 Teapot")))
    place.path.write_text(place.path.read_text() + odd_feed("teapot", base))
    done = vitrine(place.path, "feed", "check", code=NO)
    assert "city-lab" in done.stdout
    assert "teapot" in done.stderr
    vitrine(place.path, "feed", "check", "nowhere", code=CANNOT)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, YES),
        ({"aud": "https://elsewhere.example"}, NO),
        ({"exp": 1}, NO),
        ({"fhirUser": None}, NO),
        ({"patient": None}, NO),
    ],
)
def test_token_explain_answers_and_never_shows_the_token(place, claims, code):
    token = place.token(**claims)
    done = vitrine(place.path, "token", "explain", stdin=f"{token}\n", code=code)
    assert "issuer" in done.stdout
    for part in token.split("."):
        assert part not in done.output


def test_token_explain_cannot_tell_without_the_issuer(place):
    issuer = f'issuer = "{place.neighbours.url}"'
    nowhere = 'jwks_uri = "http://127.0.0.1:1/jwks"'  # nothing listens there
    place.path.write_text(place.path.read_text().replace(issuer, f"{issuer}\n  {nowhere}"))
    done = vitrine(place.path, "token", "explain", stdin=place.token(), code=CANNOT)
    assert "cannot be told" in done.stderr


@pytest.mark.parametrize(
    ("given", "code"),
    [(b"", CANNOT), (b" \n", CANNOT), (b"\xff\x00\xfe", NO), (b"a.b.c", NO), (b"x" * 200_000, NO)],
    ids=["nothing", "space", "binary", "no token", "large"],
)
def test_token_explain_outlives_what_is_no_token(place, given, code):
    vitrine(place.path, "token", "explain", stdin=given, code=code)


@pytest.mark.parametrize("command", [("token", "explain"), ("policy", "explain", "--token")], ids=" ".join)
def test_a_closed_stdin_holds_no_token(place, command):
    """It is not known what the answer would be, so it is not no."""
    started = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "plugin.cli", "--config", place.path, *command],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (started.returncode, started.stderr) == (CANNOT, "vitrine: no token on stdin\n")


def test_audit_init_prints_the_public_key_alone_and_never_overwrites(tmp_path, around):
    path = tmp_path / "vitrine.toml"
    vitrine(path, "config", "init")
    done = vitrine(path, "audit", "init")
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.count("+") >= 2
    ledger, key = tmp_path / "ledger" / "vitrine.sqlite", tmp_path / "secrets" / "checkpoint.key"
    made = (Reader(ledger).meta(), Reader(ledger).head(), key.read_bytes())
    again = vitrine(path, "audit", "init", code=NO)
    assert again.stdout == ""
    assert (Reader(ledger).meta(), Reader(ledger).head(), key.read_bytes()) == made
    ledger.unlink()
    vitrine(path, "audit", "init", code=NO)
    assert not ledger.exists()


@pytest.mark.parametrize("command", [("list",), ("show", "0")], ids=lambda command: command[0])
@pytest.mark.parametrize(
    "reason",
    [(), *(("--reason", text) for text in ("", "  ", "\u200b", "\u3164", "\u2066\u2069 ...", "-"))],
    ids=["none", "empty", "blank", "zero width", "filler", "marks", "dash"],
)
def test_the_log_is_not_read_without_a_reason(place, command, reason):
    done = vitrine(place.path, "audit", *command, *reason, code=CANNOT)
    assert "reason" in done.stderr
    assert done.stdout == ""
    assert not bodies(place, "log:read")


@pytest.mark.parametrize(
    "command", [("list", "--first"), ("list", "--last"), ("export", "--first"), ("export", "--last")], ids=" ".join
)
def test_a_position_that_no_log_has_room_for_is_out_of_range(place, command):
    """The log is not at fault, and can be written."""
    done = vitrine(place.path, "audit", *command, str(10**30), *REASON, code=CANNOT)
    assert "is not in the range" in done.stderr
    assert not bodies(place, "log:read")


def test_each_reading_of_the_log_is_recorded_with_its_reason(place):
    for command in (("list",), ("list", "--format", "fhir"), ("show", "0"), ("show", "1")):
        vitrine(place.path, "audit", *command, *REASON)
    read = bodies(place, "log:read")
    assert len(read) == 4
    assert {body["asked"]["log_reason"] for body in read} == {"complaint 17"}
    assert {body["person"]["kind"] for body in read} == {"operator"}


def test_the_log_is_listed_in_three_forms(place):
    assert "ledger:opened" in vitrine(place.path, "audit", "list", *REASON).stdout
    stored = vitrine(place.path, "audit", "list", *REASON, "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line)["position"] for line in stored] == [0, 1]
    assert set(json.loads(stored[0])) == {"position", "header", "body"}
    events = vitrine(place.path, "audit", "list", *REASON, "--format", "fhir").stdout.splitlines()
    assert {json.loads(line)["resourceType"] for line in events} == {"AuditEvent"}
    part = vitrine(place.path, "audit", "list", *REASON, "--format", "ndjson", "--first", "1", "--last", "1").stdout
    assert json.loads(part)["position"] == 1


def test_a_list_without_records_says_so(place):
    """An empty answer to a position beyond the end reads as a log that has nothing to tell."""
    done = vitrine(place.path, "audit", "list", *REASON, "--first", "4711")
    assert (done.stdout, done.stderr) == ("", "0 records\n")


def test_records_are_found_by_position_request_and_record(place):
    vitrine(place.path, "audit", "list", *REASON)
    record = bodies(place, "log:read")[0]
    for name in ("1", record["request"], record["record"]):
        shown = vitrine(place.path, "audit", "show", name, *REASON, "--format", "ndjson").stdout
        assert json.loads(shown)["body"]["record"] == record["record"]
    for name in ("4711", "nobody", "9" * 40, "", "-1"):
        done = CliRunner().invoke(main, ["--config", str(place.path), "audit", "show", *REASON, "--", name])
        assert done.exit_code == NO
        assert done.stdout == ""


EDITS = {
    "a body": "UPDATE records SET body = CAST(replace(body, 'first', 'third') AS BLOB) WHERE position = 0",
    "a column": "UPDATE records SET action = 'x' WHERE position = 0",
    "a deletion": "DELETE FROM records WHERE position = 1",
    "a cut end": "DELETE FROM records WHERE position = (SELECT max(position) FROM records)",
    "a head": "UPDATE head SET size = size - 1",
    "a key": "UPDATE meta SET vkey = 'x'",
}


@pytest.mark.parametrize("edit", EDITS)
def test_verify_says_broken_after_an_edit(place, edit):
    for _ in range(3):
        vitrine(place.path, "audit", "list", *REASON)
    assert "4 records, unbroken since " in vitrine(place.path, "audit", "verify").stdout
    connection = apsw.Connection(str(place.ledger))
    connection.execute("DROP TRIGGER records_are_never_changed; DROP TRIGGER records_are_never_deleted")
    connection.execute(EDITS[edit])
    connection.close()
    for key in ((), ("--key", place.vkey)):
        done = vitrine(place.path, "audit", "verify", *key, code=NO)
        assert "broken" in done.stderr
        assert done.stdout == ""


def test_verify_cannot_tell_without_a_ledger_or_a_key(place):
    vitrine(place.path, "audit", "verify", "--key", "nonsense", code=CANNOT)
    key = place.folder / "secrets" / "checkpoint.key"
    key.chmod(0o644)
    vitrine(place.path, "audit", "verify", code=CANNOT)
    key.unlink()
    vitrine(place.path, "audit", "verify", code=CANNOT)
    vitrine(place.path, "audit", "verify", "--key", place.vkey)
    place.ledger.write_bytes(b"no database at all" * 1000)
    done = CliRunner().invoke(main, ["--config", str(place.path), "audit", "verify", "--key", place.vkey])
    assert done.exit_code in {NO, CANNOT}
    place.ledger.unlink()
    vitrine(place.path, "audit", "verify", "--key", place.vkey, code=CANNOT)


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_the_list_quietly_and_is_no_answer(place):
    """`vitrine audit list … | head -1`: exit 1 would say that the log is broken."""
    recorder = assembly.operational_recorder(load(place.path))
    for number in range(400):
        recorder.operational(AuditAction.GATEWAY_STARTED, f"{number} " + "x" * 500)
    command = " ".join(place.command("audit", "list", "--reason", "x", "--format", "ndjson"))
    line = f"{{ {command}; echo $? >&2; }} | head -1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True, env=place.environment(), timeout=60)
    assert json.loads(done.stdout)["position"] == 0
    assert done.stderr == b"2\n"


def test_help_contacts_nobody_and_needs_no_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in ((), ("audit",), ("audit", "list"), ("serve",)):
        assert "Usage:" in vitrine(None, *command, "--help").stdout
    vitrine(None, "--version")
    vitrine(None, "no-such-command", code=CANNOT)
    assert not list(Path().iterdir())
    assert os.environ.get("PROMETHEUS_MULTIPROC_DIR") is None


def test_what_is_written_is_written_whole_where_python_does_not_buffer(tmp_path, monkeypatch):
    """`python -u` writes to a bare file: what a pipe does not take at once would be lost without a word."""
    place = tmp_path / "out"
    with place.open("wb", buffering=0) as bare:
        given = io.TextIOWrapper(bare, "utf-8", write_through=True)
        monkeypatch.setattr(sys, "stdout", given)
        with pytest.raises(SystemExit):
            main(["--config", str(tmp_path / "none.toml"), "config", "check"])
        assert isinstance(sys.stdout.buffer, io.BufferedIOBase)
        sys.stdout.write("é")
        sys.stdout.flush()
    assert place.read_text(encoding="utf-8").endswith("é")


PRINTING = [
    ("--version",),
    ("config", "check"),
    ("audit", "--help"),
    ("audit", "list", *REASON),
    ("audit", "report", *REASON, "--patient", "hospital/p1", "--lang", "en"),
    ("audit", "report", *REASON, "--patient", "hospital/p1", "--lang", "en", "--format", "json"),
    ("audit", "export", *REASON),
    ("audit", "verify"),
    ("audit", "checkpoint"),
]


@pytest.mark.parametrize("command", PRINTING, ids=lambda command: " ".join(command[:2]))
def test_what_cannot_be_written_is_one_sentence_and_no_answer(place, monkeypatch, capsys, command):
    """Tried again at the end of Python it would be exit 120."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(place.path), *command])
        full.flush()
    assert ended.value.code == CANNOT
    assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]


def test_a_ledger_whose_key_could_not_be_printed_has_its_first_record(place, monkeypatch, capsys):
    """Nobody makes it a second time."""
    place.ledger.unlink()
    (place.folder / "secrets" / "checkpoint.key").unlink()
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(place.path), "audit", "init"])
        full.flush()
    assert (ended.value.code, capsys.readouterr().err) == (CANNOT, "vitrine: No space left on device\n")
    assert [orjson.loads(each.body)["action"] for each in Reader(place.ledger).records()] == ["ledger:opened"]


@pytest.mark.parametrize("command", PRINTING, ids=lambda command: " ".join(command[:2]))
def test_without_a_standard_output_no_command_begins(place, monkeypatch, capsys, command):
    """`>&-`: exit 1 would say that the log is broken, and a reading would be recorded that nobody had."""
    before = place.bodies()
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        main(["--config", str(place.path), *command])
    assert (ended.value.code, capsys.readouterr().err) == (CANNOT, "vitrine: standard output is closed\n")
    assert place.bodies() == before
