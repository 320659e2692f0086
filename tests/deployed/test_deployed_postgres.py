"""The gateway with its ledger in PostgreSQL: looks over HTTP, several processes, and a server that goes away."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.databased import TABLE, DatabaseDeployment
from tests.postgres_server import DATABASE, GATEWAY

OBSERVATION = "/fhir/city-lab/Observation/obs-20417-261116-01"
WHY = ("--reason", "a complaint")

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path, neighbours):
    """Two workers, and all that is for people who may see the hashes."""
    made = DatabaseDeployment(tmp_path, neighbours, workers=2, table=TABLE.replace("sinks", "public = true\nsinks"))
    made.prepare()
    yield made
    made.end()


def actions(served: DatabaseDeployment) -> list[str]:
    return [each["action"] for each in served.bodies()]


def reasons(served: DatabaseDeployment) -> set[str]:
    """Why records were not taken, as the process log says."""
    return {line["problem"] for line in served.log_lines() if line["event"].startswith("the ledger did not take")}


def test_each_look_leaves_its_record_whichever_process_it_came_to(served):
    """One sequence; `bodies` verifies the whole of it."""
    served.start()
    with ThreadPoolExecutor(8) as several:
        statuses = list(several.map(lambda _: served.ask(OBSERVATION).status, range(40)))
    assert statuses == [200] * 40
    assert served.ask(OBSERVATION, token="").status == 401
    assert served.ask("/fhir/city-lab/Observation/obs-x?_format=xml").status >= 400
    assert actions(served).count("consultation:released") == 40
    assert {"consultation:released", "callers:refused"} <= set(actions(served))
    assert served.ask("/ledger/checkpoint", token="").body.decode().startswith(served.reader.meta().origin)
    assert served.ask("/ledger/proof/1", token="").body.startswith(b"c2sp.org/tlog-proof")
    assert served.operations("/readyz").status == 200
    code, _ = served.stop()
    assert code == 0
    assert actions(served)[-1] == "gateway:stopped"
    newest = (served.folder / "elsewhere" / "checkpoints").read_text()
    assert served.reader.head().checkpoint.splitlines()[2] in newest
    assert b"unbroken" in served.run("audit", "verify").stdout
    assert served.log_lines()


def test_while_the_server_is_away_nothing_is_released_and_then_what_is_owed_is_recorded(served):
    """503 and no data; once it is back the gateway serves again, and says what it could not write."""
    served.start()
    assert served.ask(OBSERVATION).status == 200
    served.server.stop()
    try:
        answer = served.ask(OBSERVATION)
        assert answer.status == 503
        assert answer.issue["code"] == "no-store"
        assert b"718-7" not in answer.body
        assert served.operations("/readyz").status == 503
        assert b"vitrine_ledger_refused_total 1.0" in served.operations("/metrics").body
        assert served.ask(OBSERVATION).status == 503
        (why,) = reasons(served)
        assert why.startswith("PostgreSQL: ")
        served.wait_until(
            lambda: [line["problem"] for line in served.log_lines() if "not recorded yet" in line["event"]]
        )
    finally:
        served.server.start()
    served.wait_until(lambda: served.ask(OBSERVATION).status == 200)
    served.wait_until(lambda: served.ready)
    served.wait_until(lambda: "ledger:gap" in actions(served))
    assert served.stop()[0] == 0


def owed(served: DatabaseDeployment) -> list[int]:
    """Records that the gaps name, and how many more they count: of each worker that takes over there is one."""
    notes = [str(body["note"]) for body in served.bodies() if body["action"] == "ledger:gap"]
    told = [
        re.match(r"(\d+) records could not be written; .* for them(?:, nor for (\d+) more)?", note) for note in notes
    ]
    return [sum(int(each[group] or 0) for each in told if each is not None) for group in (1, 2)]


def test_what_a_stop_during_an_outage_leaves_owing_is_recorded_by_the_next_start(served):
    """Who finds the database away restarts the gateway, too."""
    served.start()
    served.server.stop()
    try:
        for token in ("", "", None, None):
            assert served.ask(OBSERVATION, token=token).status in {401, 503}
        assert served.stop()[0] == 0
    finally:
        served.server.start()
    served.start()
    served.wait_until(lambda: owed(served) == [2, 2])
    assert served.stop()[0] == 0
    assert not list((served.folder / "state" / "owed").iterdir())


def test_a_table_that_an_administrator_locked_holds_up_neither_a_probe_nor_the_stop(served):
    """Readers wait a minute for a search; who asks how things stand, and who stops, does not."""
    served.start()
    with psycopg.connect(served.server.dsn(DATABASE)) as administrator:
        administrator.execute("LOCK TABLE ledger.head IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        assert served.operations("/readyz").status == 503
        assert time.monotonic() - began < 6
        assert served.ask(OBSERVATION).status == 503
        code, seconds = served.stop()
    assert (code, seconds < 10) == (0, True)
    assert "the stop took too long; what it still waited for was left" in {each["event"] for each in served.log_lines()}
    assert "gateway:stopped" not in actions(served)


def test_rights_that_the_role_is_given_stop_the_next_start_and_a_lost_right_releases_nothing(served):
    """What the role may not write is not released."""
    served.start()
    assert served.ask(OBSERVATION).status == 200
    served.server.execute(DATABASE, f"REVOKE INSERT ON ledger.records FROM {GATEWAY}")
    try:
        assert served.ask(OBSERVATION).status == 503
    finally:
        served.server.execute(DATABASE, f"GRANT INSERT ON ledger.records TO {GATEWAY}")
    assert reasons(served) == {"PostgreSQL: InsufficientPrivilege (42501)"}, "however soon it was over"
    served.wait_until(lambda: served.ask(OBSERVATION).status == 200)
    assert served.stop()[0] == 0
    served.server.execute(DATABASE, f"GRANT UPDATE ON ledger.records TO {GATEWAY}")
    assert b"could change or delete" in served.run("serve", code=2).stderr


def test_a_gateway_whose_records_are_not_taken_is_not_ready_until_they_are(served):
    """Though the log can be read. Nobody need ask for it to be ready again: what is owed is tried by itself."""
    served.start()
    served.server.execute(DATABASE, f"REVOKE INSERT ON ledger.records FROM {GATEWAY}")
    try:
        assert served.ask(OBSERVATION).status == 503
        assert served.ready, "it may have been one lost connection"
        served.wait_until(lambda: served.operations("/readyz").body == b"the ledger takes no records\n")
    finally:
        served.server.execute(DATABASE, f"GRANT INSERT ON ledger.records TO {GATEWAY}")
    served.wait_until(lambda: served.ready)
    assert served.stop()[0] == 0


def test_an_operator_reads_verifies_and_purges_while_it_serves(served):
    """By commands in processes of their own."""
    served.start()
    for _ in range(3):
        assert served.ask(OBSERVATION).status == 200
    assert b"unbroken" in served.run("audit", "verify").stdout
    assert served.run("audit", "search", "--person", "nobody", *WHY).stdout == b""
    assert served.run("audit", "export", *WHY).stdout.count(b'{"resourceType":"AuditEvent"') >= 4
    assert b"0 records were purged" in served.run("audit", "purge", *WHY).stderr
    assert served.ask(OBSERVATION).status == 200
    assert served.stop()[0] == 0
