"""`vitrine config check` says what a start would: by the key, as it stands in the file."""

from datetime import timedelta

import pytest

from plugin import assembly
from plugin.settings.errors import SettingsError
from plugin.settings.file import load
from tests.cli.test_commands import NO, YES, vitrine
from tests.feeds.authority import Authority

CLAIM = 'match = "claim"\n'
SERVER = f'[[feed]]\nid = "lab"\nkind = "fhir-rest"\nbase = "https://lab.example/fhir"\n{CLAIM}'


def secret(place, name, text):
    path = place.folder / name
    path.write_text(text)
    path.chmod(0o600)


def checked(place, added, *, before="", code=NO):
    """What `config check` says with `added` at the end of the file, `before` before its first table."""
    place.path.write_text(before + place.path.read_text() + added)
    return vitrine(place.path, "config", "check", code=code).stderr


@pytest.mark.parametrize(
    ("auth", "key"),
    [
        ('kind = "bearer", token_file = "two-words"', "token_file"),
        ('kind = "bearer", token_file = "nowhere"', "token_file"),
        ('kind = "basic", username = "a:b", password_file = "two-words"', "username"),
        ('kind = "basic", username = "a", password_file = "nowhere"', "password_file"),
        (
            'kind = "private_key_jwt", client_id = "a", token_url = "https://a.example", key_file = "two-words"',
            "key_file",
        ),
        ('kind = "mtls", certificate_file = "nowhere", key_file = "two-words"', "certificate_file"),
    ],
)
def test_what_a_credential_lacks_is_named_with_the_feed_or_ehr_that_it_is_of(place, auth, key):
    """Several have the same keys: without a number nobody would know which file to look at."""
    secret(place, "two-words", "two words")
    asked = f"auth = {{ {auth} }}\n"
    consents = f'consents = {{ kind = "fhir-rest", base = "https://a.example", auth = {{ {auth} }} }}\n'
    good = place.path.read_text()
    assert f"feed.1.auth.{key}: " in checked(place, SERVER + asked)
    for given, found in ((asked, f"ehr.0.auth.{key}: "), (consents, f"ehr.0.consents.auth.{key}: ")):
        place.path.write_text(good.replace("[[ehr]]\n", f"[[ehr]]\n{given}"))
        assert found in checked(place, "")


def test_a_kind_of_feed_that_nobody_brings_is_said_of_its_kind(place):
    assert "feed.1.kind: 'shelf' is no kind" in checked(place, f'[[feed]]\nid = "lab"\nkind = "shelf"\n{CLAIM}')


@pytest.mark.parametrize("key", ["directory", "tables"])
def test_a_folder_of_rules_that_is_not_there_is_said_of_its_key(place, key):
    assert f"policies.{key}: " in checked(place, f'[policies]\n{key} = "nowhere"\n')


def folders(path):
    """A feed and the oppositions of the EHR, both in the folder `path`."""
    return (
        f'[[feed]]\nid = "lab"\nkind = "bundle-folder"\npath = "{path}"\n{CLAIM}',
        f'consents = {{ kind = "bundle-folder", path = "{path}" }}\n',
    )


def test_a_folder_to_read_that_is_a_file_is_refused_by_the_check_and_by_the_start(place):
    """It will never be one."""
    good = place.path.read_text()
    feed, consents = folders("vitrine.toml")
    assert "feed.1.path: " in checked(place, feed)
    with pytest.raises(SettingsError, match=r"feed\.1\.path: "):
        assembly.assemble(load(place.path))
    place.path.write_text(good.replace("[[ehr]]\n", f"[[ehr]]\n{consents}"))
    assert "ehr.0.consents.path: " in checked(place, "")


def test_a_folder_to_read_that_is_not_there_yet_is_a_warning(place):
    """A mount that is late takes nobody else's results away."""
    feed, consents = folders("nowhere")
    place.path.write_text(place.path.read_text().replace("[[ehr]]\n", f"[[ehr]]\n{consents}"))
    said = checked(place, feed, code=YES)
    assert "warning: feed.1.path: " in said
    assert "warning: ehr.0.consents.path: " in said
    assert "feed.0.path" not in said


def test_a_sink_whose_folder_is_not_there_yet_is_a_warning(place):
    """The start says so, too: checkpoints that go nowhere protect nothing."""
    sinks = "{ kind = 'file', path = 'here' }, { kind = 'file', path = 'mount/checkpoints' }"
    said = checked(place, f"[ledger]\nsinks = [{sinks}]\n", code=YES)
    assert "warning: ledger.sinks.1.path: " in said
    assert "ledger.sinks.0" not in said


@pytest.mark.parametrize(("days", "warned"), [(-1, True), (29, True), (40, False)])
def test_a_certificate_of_our_own_that_ends_soon_or_has_ended_is_a_warning(place, days, warned):
    """The server that it is shown to only hangs up, so the feed would be one that cannot be reached."""
    certificate, key = Authority("ours", place.folder).signed("vitrine", until=timedelta(days=days))
    (place.folder / "own.crt").write_text(certificate)
    secret(place, "own.key", key)
    auth = 'auth = { kind = "mtls", certificate_file = "own.crt", key_file = "own.key" }\n'
    said = checked(place, SERVER.replace("lab.example", "127.0.0.1:9") + auth, code=YES)
    feed_said = vitrine(place.path, "feed", "check", "lab", code=NO).stderr
    assert ["warning: feed.1.auth.certificate_file: " in each for each in (said, feed_said)] == [warned, warned]


def test_a_sink_that_is_a_folder_is_refused_by_its_key(place):
    """It would be told only by an alarm, after the first minutes without a checkpoint elsewhere."""
    assert "ledger.sinks.0.path: " in checked(
        place, f"[ledger]\nsinks = [{{ kind = 'file', path = '{place.folder}' }}]\n"
    )


@pytest.mark.parametrize("state", ["vitrine.toml", "vitrine.toml/state"])
def test_a_state_that_could_not_be_made_is_refused_and_none_is_made(place, state):
    assert "state_dir: " in checked(place, "", before=f'state_dir = "{state}"\n')


def test_a_sink_is_examined_before_there_is_a_ledger(tmp_path):
    """Else what `check` called good is refused by the start, after `audit init`."""
    path = tmp_path / "vitrine.toml"
    vitrine(path, "config", "init")
    sinks = 'sinks = [{ kind = "witness", url = "https://witness.example", vkey = "x" }]\n'
    path.write_text(path.read_text().replace("[ledger]\n", f"[ledger]\n{sinks}"))
    assert "ledger.sinks.0.vkey: " in vitrine(path, "config", "check", code=NO).stderr


def test_the_check_makes_no_state(tmp_path):
    path = tmp_path / "vitrine.toml"
    vitrine(path, "config", "init")
    vitrine(path, "config", "check")
    assert not (tmp_path / "state").exists()
