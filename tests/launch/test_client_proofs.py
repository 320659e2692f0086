"""How the viewer proves itself at an EHR's authorization server: public, by a secret, by a key."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from plugin.authentication.launchable import launchable_ehrs
from plugin.settings.errors import SettingsError
from tests.launch.launching import TOKEN, VIEWER, LaunchWorld, configuration

SECRET = "s3cret of the viewer"


def secret_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "launch-secret"
    file.write_text(text)
    file.chmod(mode)
    return file


def asked(launching: LaunchWorld, path: str) -> tuple[dict[str, str], dict[str, str]]:
    """Form and headers of the one question at `path`."""
    return next((form, headers) for where, form, headers in launching.login.asked if where == path)


def test_a_public_client_says_its_name_and_proves_that_it_began(launching: LaunchWorld) -> None:
    assert launching.launched().status_code == 303
    form, headers = asked(launching, "/token")
    assert form["client_id"] == VIEWER
    assert len(form["code_verifier"]) == 64
    assert "authorization" not in headers


def test_a_confidential_client_shows_its_secret_in_the_header(tmp_path: Path) -> None:
    secret_file(tmp_path, SECRET)
    auth = '{ kind = "client_secret", client_secret_file = "launch-secret" }'
    launching = LaunchWorld(tmp_path, configuration(auth))
    launching.login.claims = {"nonce": "wrong"}
    launching.launched()
    for path in ("/token", "/revoke"):
        form, headers = asked(launching, path)
        pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        assert pair == f"{VIEWER}:s3cret+of+the+viewer"
        assert SECRET not in str(form)


def test_a_client_with_a_key_signs_an_assertion_for_the_token_endpoint(tmp_path: Path) -> None:
    """SMART 2.2, asymmetric authentication; each assertion is good once."""
    key = ECKey.generate_key("P-384", {"kid": "viewer-1"})
    secret_file(tmp_path, json.dumps(key.as_dict(private=True)))
    launching = LaunchWorld(tmp_path, configuration('{ kind = "private_key_jwt", key_file = "launch-secret" }'))
    assert launching.launched().status_code == 303
    form, _ = asked(launching, "/token")
    claims = jwt.decode(form["client_assertion"], key, algorithms=["ES384"]).claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (VIEWER, VIEWER, "https://login.example/token")
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.mark.parametrize(
    ("auth", "text", "mode", "key"),
    [
        ('{ kind = "client_secret", client_secret_file = "launch-secret" }', SECRET, 0o644, "client_secret_file"),
        ('{ kind = "client_secret", client_secret_file = "nowhere" }', SECRET, 0o600, "client_secret_file"),
        ('{ kind = "private_key_jwt", key_file = "launch-secret" }', SECRET, 0o600, "key_file"),
    ],
)
def test_a_secret_that_is_not_usable_stops_the_start(tmp_path: Path, auth: str, text: str, mode: int, key: str) -> None:
    secret_file(tmp_path, text, mode)
    with pytest.raises(SettingsError, match=rf"ehr\.0\.launch\.auth\.{key}"):
        LaunchWorld(tmp_path, configuration(auth))


def test_a_server_that_takes_no_token_back_does_not_hinder_a_logout(launching: LaunchWorld) -> None:
    """RFC 7009 is optional."""
    del launching.login.published["revocation_endpoint"]
    view = launching.launched().headers["Location"].split("/")[2]
    from tests.launch.launching import ORIGIN

    launching.assembled.sessions.close(launching.credential(view), ORIGIN)
    assert launching.login.revoked == []
    assert TOKEN not in str(launching.bodies())


def test_an_ehr_without_a_registration_launches_nothing(world: Any) -> None:
    """Absent: no viewer for it, and no address."""
    assert launchable_ehrs(world.settings) == {}
    assert world.ask("/launch/hospital", token="").status == 404
