"""What the demonstration writes is a configuration as a deployer would write it, and it removes only what it made."""

import socket
import stat

import pytest

from demo.addresses import HOST, Addresses, PortError
from demo.configuration import FolderError, fresh_folder, write_configuration
from plugin.settings.file import load
from plugin.settings.secret import read_secret


@pytest.fixture
def written(tmp_path, hospital):
    fresh_folder(tmp_path / "run")
    return write_configuration(tmp_path / "run", Addresses(), hospital.credentials)


def test_the_gateway_accepts_the_file_and_its_secrets(written, hospital):
    """The keys are those of the public surface, to the letter."""
    settings = load(written)
    (ehr,) = settings.ehr
    assert (settings.public_base, settings.demo, settings.workers) == ("http://127.0.0.1:8080", True, 1)
    assert (ehr.id, ehr.fhir_base) == ("hospital", "http://127.0.0.1:8081/fhir")
    assert [(client.id, client.renders_only, client.default_purpose) for client in ehr.client] == [
        ("results-pane", True, "TREAT")
    ]
    assert [(feed.id, feed.auth.kind) for feed in settings.feed] == [
        ("city-lab", "basic"),
        ("imaging", "none"),
        ("insurer", "client_credentials"),
    ]
    assert read_secret(ehr.auth.client_secret_file, "auth") == hospital.credentials.ehr.secret
    assert read_secret(settings.feed[0].auth.password_file, "auth") == hospital.credentials.city_lab_password


def test_nobody_else_on_the_machine_can_read_the_state(written):
    """Other users of a shared computer must not be able to act as the gateway."""
    folder = written.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700
    for secret in (folder / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_second_start_begins_with_an_empty_folder(written):
    """A ledger of yesterday's keys would not open."""
    fresh_folder(written.parent)
    assert [path.name for path in written.parent.iterdir()] == [".vitrine-demo"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    """`--state ~` must not empty a home."""
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FolderError):
        fresh_folder(tmp_path)
    with pytest.raises(FolderError):
        fresh_folder(tmp_path / "letter.txt")
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_a_taken_port_is_named_with_what_needs_it():
    """The newcomer has something else on 8080 more often than not."""
    addresses = Addresses.free(range(27_500, 28_500, 10))  # below those that the system gives to whoever asks for any
    with socket.socket() as taken:
        taken.bind((HOST, addresses.ports["the feed city-lab"]))
        taken.listen()
        with pytest.raises(PortError, match=r"port \d+ .* the feed city-lab .* --port-base"):
            addresses.require_free()
