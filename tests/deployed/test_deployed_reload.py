"""New rules while people look: every worker takes them over, no request is dropped, and a bad set changes nothing."""

import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from plugin.cli.worker import LEAST_LIFE
from plugin.ledger.verify import verify
from tests.deployed.deployment import Deployment

OBSERVATION = "/fhir/city-lab/Observation/obs-20417-261116-01"
WORKERS = 2
CLIENTS = 3
TAKEN_OVER = "this worker decides by another set of rules"

CLOSED = '@id("{}") @en("E.") @fr("F.")\nforbid (principal, action in Action::"consult", resource);\n'
DOCUMENTS = (
    '@id("documents") @en("E.") @fr("F.")\n'
    'forbid (principal, action == Action::"show", resource) when { context.document };\n'
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def served(tmp_path, neighbours):
    """Two workers, and a folder of site policies with one that is about documents."""
    made = Deployment(tmp_path, neighbours, workers=WORKERS)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.cedar").write_text(DOCUMENTS)
    made.path.write_text(made.path.read_text() + '\n[policies]\ndirectory = "site"\n')
    yield made.prepare().start()
    made.end()


def lines(served, event):
    """What the process log says of `event`."""
    found = [json.loads(line) for line in served.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def digest_of(served):
    return served.run("policy", "check").stdout.split()[4].decode()


def taken_over(served, digest):
    return [line["digest"] for line in lines(served, TAKEN_OVER)].count(digest)


class Load:
    """Clients that ask without pause; every answer is kept."""

    def __init__(self, served):
        self._served = served
        self._ended = threading.Event()
        self.answers = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self):
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for each in self._threads:
            each.join()

    def _ask(self):
        while not self._ended.is_set():
            # A person of its own each time: the quota of one is 600 an hour.
            token = self._served.token(sub=f"dr-{os.urandom(6).hex()}")
            try:
                answer = self._served.ask(OBSERVATION, token=token)
                # Of any other answer, what it says: a test that fails tells why.
                self.answers.append(answer.status if answer.status in (200, 403) else answer.body)
            except OSError as error:
                self.answers.append(repr(error))

    def wait(self, count):
        """Until so many more answers have come."""
        wanted = len(self.answers) + count
        self._served.wait_until(lambda: len(self.answers) >= wanted)


def test_every_worker_takes_new_rules_over_and_drops_no_request(served):
    """By the command, and by a signal; each change is one record, and each record names the set that judged it."""
    site = served.folder / "site" / "b.cedar"
    opened = digest_of(served)
    with Load(served) as load:
        load.wait(20)
        site.write_text(CLOSED.format("closed"))
        closed = digest_of(served)
        done = served.run("policy", "reload")
        assert done.stdout.decode() == f"in force: {closed}\n"
        served.wait_until(lambda: taken_over(served, closed) == WORKERS)
        assert {served.ask(OBSERVATION).status for _ in range(10)} == {403}
        load.wait(20)
        site.unlink()
        served.process.send_signal(signal.SIGHUP)
        served.wait_until(lambda: taken_over(served, opened) == WORKERS)
        assert {served.ask(OBSERVATION).status for _ in range(10)} == {200}
        load.wait(20)
    assert set(load.answers) == {200, 403}
    served.stop()
    records = served.bodies()
    changes = [body["rule_set"] for body in records if body["action"] == "policy:loaded"]
    assert changes == [{"before": opened, "after": closed}, {"before": closed, "after": opened}]
    looks = [body for body in records if body["action"].startswith("consultation:")]
    assert len(looks) == len(load.answers) + 20
    by_set = Counter((body["gateway"]["policies"], body["action"]) for body in looks)
    assert set(by_set) == {(opened, "consultation:released"), (closed, "consultation:denied")}
    assert {tuple(body["rules"]) for body in looks if body["action"] == "consultation:denied"} == {("closed",)}
    assert verify(served.ledger, served.vkey).problem is None


def test_a_bad_set_changes_nothing_not_even_for_the_successor_of_a_worker(served):
    """The signal is answered by file and line; who comes after a killed worker decides by the accepted set."""
    before = digest_of(served)
    (served.folder / "site" / "b.cedar").write_text(CLOSED.format("closed").replace("forbid", "forbidd"))
    served.process.send_signal(signal.SIGHUP)
    served.wait_until(lambda: lines(served, "the rules were not reloaded, the set before stays in force"))
    [line] = lines(served, "the rules were not reloaded, the set before stays in force")
    assert "site/b.cedar:2" in line["problem"]
    assert served.run("policy", "reload", code=1).stdout == b""
    time.sleep(LEAST_LIFE)
    old = served.workers()
    os.kill(old[0], signal.SIGKILL)
    served.wait_until(
        lambda: len(set(served.workers()) - set(old)) == 1 and all(map(ignores_hangups, served.workers()))
    )
    for _ in range(10):
        served.wait_until(lambda: answers(served))
    served.stop()
    records = served.bodies()
    assert [body for body in records if body["action"] == "policy:loaded"] == []
    assert {body["gateway"]["policies"] for body in records if body["action"] != "ledger:opened"} == {before}


def test_a_hangup_of_the_whole_group_ends_nobody(served):
    """A terminal that closes signals every process of its group."""
    served.wait_until(lambda: len(served.workers()) == WORKERS and all(map(ignores_hangups, served.workers())))
    pids = served.workers()
    os.killpg(served.process.pid, signal.SIGHUP)
    served.wait_until(lambda: lines(served, "the rules were read anew and are the same"))
    assert served.ask(OBSERVATION).status == 200
    assert served.workers() == pids


def ignores_hangups(pid):
    """Which it does from the moment on that it is our application."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored.split()[1], 16) & (1 << (signal.SIGHUP - 1)))


def answers(served):
    try:
        return served.ask(OBSERVATION).status == 200
    except OSError:
        return False
