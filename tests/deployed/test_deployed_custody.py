"""What an operator does to the ledger while the gateway serves: a new key, and a purge."""

from http.client import HTTPException

import pytest

from tests.deployed.deployment import Deployment

OBSERVATION = "/fhir/city-lab/Observation/obs-20417-261116-01"
WHY = ("--reason", "yearly")

pytestmark = pytest.mark.slow


def test_a_gateway_that_serves_goes_on_with_the_new_key(tmp_path, neighbours):
    """A worker that has the old key releases nothing, ends, and its successor serves; what both signed verifies."""
    served = Deployment(tmp_path, neighbours, workers=2)
    try:
        served.prepare().start()
        assert served.ask(OBSERVATION).status == 200
        new = served.run("audit", "rotate", *WHY).stdout.decode().strip()
        statuses = set()

        def status() -> int:
            try:
                return served.ask(OBSERVATION).status
            except (OSError, HTTPException):  # the worker ended before it could say so
                return 503

        def recovered() -> bool:
            found = {status() for _ in range(4)}
            statuses.update(found)
            return found == {200}

        served.wait_until(recovered)
        assert statuses <= {200, 503}
        assert served.stop()[0] == 0
    finally:
        served.end()
    for vkey in (served.vkey, new):
        assert b"unbroken" in served.run("audit", "verify", "--key", vkey).stdout


def test_a_purge_beside_a_gateway_that_serves_disturbs_no_look(tmp_path, neighbours):
    """What is past its period goes in small pieces; looks are recorded in between."""
    served = Deployment(tmp_path, neighbours)
    text = served.path.read_text()
    served.path.write_text(f'{text}\n[ledger.retention]\nconsultation = "1 days"\n')
    try:
        served.prepare().start()
        for _ in range(3):
            assert served.ask(OBSERVATION).status == 200
        assert b"0 records were purged" in served.run("audit", "purge", *WHY).stderr
        served.run("audit", "hold", "add", "--tenant", "hospital", *WHY)
        assert served.ask(OBSERVATION).status == 200
        assert served.stop()[0] == 0
    finally:
        served.end()
    assert b"unbroken" in served.run("audit", "verify").stdout
