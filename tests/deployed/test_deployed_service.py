"""`vitrine serve` as a service: it starts only on sound ground, tells what it does in JSON, survives its workers, and
stops when told, with everything recorded.
"""

import gc
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.request import urlopen

import apsw
import pytest

from plugin import assembly, tallies
from plugin.alerts import AlertKind
from plugin.settings.file import load
from tests.deployed.deployment import Deployment, odd_feed
from tests.deployed.neighbours import http_answer

OBSERVATION = "/fhir/city-lab/Observation/obs-20417-261116-01"
STOP_SECONDS = 10.0

pytestmark = pytest.mark.slow


def actions(deployment):
    return [body["action"] for body in deployment.bodies()]


def refused_start(deployment):
    """What a `serve` that must not start says, in one sentence."""
    done = deployment.run("serve", code=2)
    assert done.stdout == b""
    sentence = done.stderr.decode().splitlines()[-1]
    assert sentence.startswith("vitrine: ")
    return sentence


def test_a_stop_waits_for_requests_and_records_what_is_owed(tmp_path, neighbours):
    """SIGTERM while a feed is slow: the clinician gets her answer, the log its last records, the operator exit 0."""
    asked, go_on = threading.Event(), threading.Event()

    def slow(connection):
        asked.set()
        go_on.wait(30)
        connection.sendall(http_answer(b'{"resourceType": "Bundle", "type": "searchset"}'))

    served = Deployment(tmp_path, neighbours, workers=2, feeds=odd_feed("slow", neighbours.odd("slow", slow)))
    sink = tmp_path / "elsewhere"
    served.path.write_text(f"{served.path.read_text()}\n[ledger]\nsinks = [{{ kind = 'file', path = 'elsewhere' }}]\n")
    answers = []
    try:
        served.prepare().start()
        for _ in range(3):
            served.ask(OBSERVATION, token="")
        request = threading.Thread(target=lambda: answers.append(served.ask("/fhir/slow/Observation")))
        request.start()
        assert asked.wait(30)
        idle = socket.create_connection(("127.0.0.1", served.port))
        threading.Timer(1.0, go_on.set).start()
        code, seconds = served.stop()
        request.join()
        idle.close()
    finally:
        go_on.set()
        served.end()
    assert code == 0
    assert seconds < STOP_SECONDS
    assert answers[0].status == 200
    bodies = served.bodies()
    assert [body["action"] for body in bodies if body["action"].startswith("gateway:")] == [
        "gateway:started",
        "gateway:stopped",
    ]
    assert bodies[-1]["action"] == "gateway:stopped"
    assert answers[0].headers["x-request-id"] in [body.get("request") for body in bodies]
    counted = [body["callers"] for body in bodies if body["action"] == "callers:refused"]
    assert sum(each["count"] for each in counted) == 3
    assert {each["reason"] for each in counted} == {"no-credential"}
    assert served.log_lines()
    assert f"\n{len(bodies)}\n" in sink.read_text(), "the stop's own record is in the last checkpoint delivered"


def test_sinks_that_hang_keep_neither_the_stop_waiting_nor_the_others(deployment):
    """A collector that takes connections and says nothing, three times; the file has the last checkpoint."""
    with ExitStack() as silent:
        ports = [silent.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]
        hanging = [f"{{ kind = 'syslog', address = '127.0.0.1:{port}' }}" for port in ports]
        sinks = ", ".join([*hanging, "{ kind = 'file', path = 'elsewhere' }"])
        deployment.path.write_text(f"{deployment.path.read_text()}\n[ledger]\nsinks = [{sinks}]\n")
        deployment.start()
        sink = deployment.folder / "elsewhere"
        deployment.wait_until(sink.exists)
        code, seconds = deployment.stop()
    assert code == 0
    assert seconds < STOP_SECONDS
    assert f"\n{len(deployment.bodies())}\n" in sink.read_text()


def test_a_ledger_that_was_cut_does_not_start_against_its_sink(deployment):
    """The owner of the machine can cut the log and put an older, well signed state in its place."""
    deployment.path.write_text(
        f"{deployment.path.read_text()}\n[ledger]\nsinks = [{{ kind = 'file', path = 'elsewhere' }}]\n"
    )
    older = deployment.ledger.read_bytes()
    ledger = assembly.open_ledger(load(deployment.path))
    ledger.append({"action": "gateway:started"}, tenant="gateway", retention_class="operation")
    assembly.deliveries(load(deployment.path)).deliver()
    ledger.close()
    for name in ("", "-wal", "-shm", ".checkpoints"):
        deployment.ledger.with_name(deployment.ledger.name + name).unlink(missing_ok=True)
    deployment.ledger.write_bytes(older)
    assert "ledger.sinks" in refused_start(deployment)


@pytest.mark.parametrize("key", ["listen", "ops_listen"])
def test_a_port_that_is_taken_stops_the_start(deployment, key):
    """Even by a program that would share it: half of the requests would be another's."""
    port = deployment.port if key == "listen" else deployment.ops
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        sentence = refused_start(deployment)
    assert key in sentence
    assert str(port) in sentence
    assert actions(deployment) == ["ledger:opened"]


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_it_listens_where_the_file_says_by_name_or_address(deployment, host):
    """Both keys; the ready answer is of whoever asked the workers' port."""
    text = deployment.path.read_text().replace('listen = "127.0.0.1:', f'listen = "{host}:')
    deployment.path.write_text(text)
    asked = f"http://{host}:{deployment.ops}/readyz"

    def ready():
        with suppress(OSError):
            return urlopen(asked, timeout=5).read().startswith(b"ready")
        return False

    deployment.launch()
    deployment.wait_until(ready)
    assert deployment.stop()[0] == 0


@pytest.mark.parametrize("key", ["listen", "ops_listen"])
def test_an_address_that_this_machine_does_not_know_stops_the_start(deployment, key):
    """In a sentence that names the key, as for a port that is taken."""
    text = deployment.path.read_text()
    deployment.path.write_text(text.replace(f'\n{key} = "127.0.0.1:', f'\n{key} = "nowhere.invalid:'))
    assert f"{key}: cannot listen at nowhere.invalid:" in refused_start(deployment)


def test_without_its_ledger_nothing_starts(deployment):
    deployment.ledger.unlink()
    assert "audit init" in refused_start(deployment)
    assert not deployment.ledger.exists()


def test_on_a_ledger_that_was_edited_nothing_starts(deployment):
    with apsw.Connection(str(deployment.ledger)) as connection:
        connection.execute("DROP TRIGGER records_are_never_changed")
        connection.execute("UPDATE records SET body = CAST(replace(body, 'first', 'third') AS BLOB)")
    assert "ledger" in refused_start(deployment)


def test_with_another_ledgers_key_nothing_starts(deployment, tmp_path_factory, neighbours):
    other = Deployment(tmp_path_factory.mktemp("other"), neighbours).prepare()
    shutil.copy(other.folder / "secrets" / "checkpoint.key", deployment.folder / "secrets" / "checkpoint.key")
    assert "is not the key" in refused_start(deployment)


def test_with_a_key_that_others_can_read_nothing_starts(deployment):
    (deployment.folder / "secrets" / "vitrine.keys").chmod(0o644)
    assert "key_file" in refused_start(deployment)


def test_workers_leave_no_core_dumps(gateway):
    """Results and tokens are in their memory."""
    assert gateway.workers()
    for pid in gateway.workers():
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


def test_health_and_metrics_have_a_port_of_their_own(gateway):
    assert gateway.operations("/healthz").body == b"ok\n"
    assert gateway.operations("/readyz").body == b"ready\n"
    assert gateway.operations("/fhir/city-lab/Observation").status == 404
    assert gateway.operations("/healthz").headers["server"] == "vitrine"  # and no version of Python
    assert gateway.ask("/metrics").status == 404


def test_metrics_count_what_all_workers_did(gateway):
    def counted(name):
        lines = gateway.operations("/metrics").body.decode().splitlines()
        return float(next((line.rpartition(" ")[2] for line in lines if line.startswith(name)), 0))

    released, refused = (
        'vitrine_consultations_total{feed="city-lab",outcome="0"}',
        'vitrine_callers_refused_total{reason="no-credential"}',
    )
    before = counted(released), counted(refused)
    gateway.ask(OBSERVATION)
    gateway.ask(OBSERVATION, token="")
    assert (counted(released), counted(refused)) == (before[0] + 1, before[1] + 1)


def test_each_kind_of_alert_counts_from_0_on(gateway):
    """A series that begins with 1 has no increase: a rule on it would miss the first alert, and often the only one."""
    told = gateway.operations("/metrics").body.decode()
    for kind in AlertKind:
        assert f'vitrine_alerts_total{{kind="{kind}"}} 0.0' in told


def test_a_silent_client_of_the_operations_port_keeps_no_probe_waiting(gateway):
    with socket.create_connection(("127.0.0.1", gateway.ops)):
        assert gateway.operations("/healthz").status == 200


def test_a_worker_that_is_killed_is_replaced(gateway):
    (old,) = gateway.workers()
    os.kill(old, signal.SIGKILL)
    gateway.wait_until(lambda: old not in gateway.workers() and gateway.workers() and gateway.ready)
    assert gateway.ask(OBSERVATION).status == 200


def test_the_successor_of_a_worker_serves_by_the_settings_of_the_start(deployment):
    """A file that is being edited waits for a restart: it could not be read, or came into force for some looks only."""
    deployment.start()
    deployment.path.write_text(deployment.path.read_text().replace("renders_only = true", "renders_only = ???"))
    (worker,) = deployment.workers()
    os.kill(worker, signal.SIGKILL)
    deployment.wait_until(lambda: deployment.workers() not in ([worker], []) and deployment.ready)
    assert deployment.ask(OBSERVATION).status == 200
    assert "is not TOML" not in deployment.log.read_text()


def test_without_the_process_that_workers_are_forked_from_the_gateway_ends_whole(deployment):
    """Whoever keeps it running starts it anew; a worker left behind would hold its port."""
    deployment.start()
    (worker,) = deployment.workers()
    os.kill(deployment.zygote, signal.SIGKILL)
    assert deployment.ask(OBSERVATION).status == 200
    os.kill(worker, signal.SIGKILL)
    assert deployment.process.wait(30) == 2
    deployment.process = None
    assert actions(deployment)[-1] == "gateway:stopped"
    assert "critical" in {line["level"] for line in deployment.log_lines()}


def test_without_the_process_that_supervises_the_workers_end_and_the_next_start_serves(deployment):
    """Killed for its memory, say: nobody would deliver checkpoints or tell of trouble, and the port would be taken."""
    deployment.start()
    for _ in range(3):
        deployment.ask(OBSERVATION, token="")
    old = [Path(f"/proc/{process}/exe") for process in (deployment.zygote, *deployment.workers())]
    deployment.process.kill()
    deployment.process.wait()
    deployment.process = None
    deployment.wait_until(lambda: not any(process.exists() for process in old))
    assert actions(deployment)[-1] == "callers:refused", "what a worker owes the log is paid"
    deployment.start()
    assert deployment.ask(OBSERVATION).status == 200
    assert "critical" in {line["level"] for line in deployment.log_lines()}


def test_a_stop_leaves_no_process_behind(deployment):
    """systemd kills what is left over once the main process has ended, and says so in the journal at each stop."""
    deployment.start()
    all_of_it = [Path(f"/proc/{process}") for process in (deployment.zygote, *deployment.workers())]
    assert deployment.stop()[0] == 0
    assert not any(each.exists() for each in all_of_it)


def test_who_starts_it_may_ignore_the_ends_of_children(deployment, monkeypatch):
    """To ignore SIGCHLD is inherited; a stop in order ended with "No child processes" then."""
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = deployment.command("serve")
    monkeypatch.setattr(deployment, "command", lambda *_: [command[0], "-c", ignoring, *command])
    deployment.start()
    assert deployment.stop()[0] == 0


def test_a_worker_whose_ledger_fails_ends_and_its_successor_serves(deployment):
    """An I/O error leaves the file in a state that this process cannot know: a new one checks it first.

    It ends by SIGINT, as from a terminal: that is a clean stop too.
    """
    deployment.start()
    assert deployment.ask(OBSERVATION).status == 200
    (old,) = deployment.workers()
    # From here on no file of this process grows beyond what the ledger's newest one has already: an EFBIG for SQLite.
    reached = deployment.ledger.with_name(f"{deployment.ledger.name}-wal").stat().st_size
    _, hard = resource.prlimit(old, resource.RLIMIT_FSIZE)
    resource.prlimit(old, resource.RLIMIT_FSIZE, (reached, hard))
    answer = deployment.ask(OBSERVATION)
    assert answer.status == 503
    assert answer.issue["code"] == "no-store"
    deployment.wait_until(lambda: old not in deployment.workers() and deployment.workers() and deployment.ready)
    assert deployment.ask(OBSERVATION).status == 200
    lost = answer.headers["x-request-id"]
    deployment.wait_until(lambda: {"ledger:gap", "release:withdrawn"} & set(actions(deployment)))
    assert not [body for body in deployment.bodies() if body.get("request") == lost and body.get("released")]
    os.killpg(deployment.process.pid, signal.SIGINT)
    assert deployment.process.wait(30) == 0
    deployment.process = None
    assert actions(deployment)[-1] == "gateway:stopped"
    assert "critical" in {line["level"] for line in deployment.log_lines()}


def test_a_log_that_went_back_under_a_gateway_that_serves_is_not_gone_on_with(deployment):
    """Cut, or a standby that lagged: the worker that saw more ends, and no successor takes the rest for the whole."""
    deployment.start()
    older = apsw.Connection(str(deployment.folder / "older"))
    with closing(apsw.Connection(str(deployment.ledger))) as live:
        with older.backup("main", live, "main") as copying:
            copying.step()
        assert deployment.ask(OBSERVATION).status == 200
        with live.backup("main", older, "main") as copying:
            copying.step()
    older.close()
    assert deployment.ask(OBSERVATION).status == 503
    deployment.wait_until(lambda: str(deployment.log_lines()).count("of the checkpoint that file") >= 2)
    assert not [body for body in deployment.bodies() if body.get("released")]
    deployment.end()
    assert refused_start(deployment).startswith("vitrine: ledger: "), "it is kept here; no sink is configured"


WITHOUT_FLOORS = """
[ledger]
space_floor_mb = 0
anonymous_space_floor_mb = 0
"""


def filled(disk: Path) -> Path:
    """Leave no room there; the file that takes it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    return filler


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes for the ledger."""
    place = tmp_path / "ledger"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_releases_nothing_and_hurts_nothing(small_disk, deployment):
    """Nothing released without its record; and the gateway goes on by itself once there is room. Without a floor."""
    deployment.path.write_text(f"{deployment.path.read_text()}\n{WITHOUT_FLOORS}")
    deployment.start()
    filler = filled(small_disk)
    answers = [deployment.ask(OBSERVATION) for _ in range(20)]
    refused = [each for each in answers if each.status != 200]
    assert refused, "the log file of SQLite had more room than expected"
    for each in refused:
        assert each.status == 503
        assert each.issue["code"] == "no-store"
    filler.unlink()
    deployment.wait_until(lambda: deployment.ask(OBSERVATION).status == 200)
    recorded = {body.get("request") for body in deployment.bodies() if body.get("released")}
    for each in answers:
        assert (each.headers["x-request-id"] in recorded) == (each.status == 200)


def test_a_worker_that_ends_while_the_disk_is_full_has_a_successor_that_serves_once_there_is_room(
    small_disk, deployment
):
    """Also what the gateway counts lies on that disk, and is written through memory."""
    deployment.path.write_text(f'state_dir = "ledger/state"\n{deployment.path.read_text()}\n{WITHOUT_FLOORS}')
    deployment.start()
    filler = filled(small_disk)
    assert {deployment.ask(OBSERVATION).status for _ in range(10)} <= {200, 503}
    (ended,) = deployment.workers()
    os.kill(ended, signal.SIGKILL)
    deployment.wait_until(lambda: deployment.workers() and ended not in deployment.workers())
    deployment.wait_until(lambda: deployment.ready)
    assert deployment.ask(OBSERVATION, token="").status == 401
    assert deployment.ask(OBSERVATION).status == 503
    filler.unlink()
    deployment.wait_until(lambda: deployment.ask(OBSERVATION).status == 200)
    kinds = {file.name.rpartition("_")[0] for file in (small_disk / "state" / "metrics").iterdir()}
    assert kinds == set(tallies.KINDS), "what the library counts in was not reserved"
    assert deployment.stop()[0] == 0


def test_on_a_disk_that_cannot_be_written_nothing_starts(small_disk, deployment):
    gc.collect()  # `prepare` worked in this process: its connections are gone now
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "ledger" in refused_start(deployment)


def test_a_stop_before_the_start_is_recorded_is_a_clean_one(tmp_path, neighbours):
    """Whoever supervises must not read a change of mind as a gateway that was killed."""
    served = Deployment(tmp_path, neighbours).prepare()
    served.path.unlink()
    os.mkfifo(served.path)
    with ExitStack() as kept:
        kept.callback(served.end)

        def reads_its_configuration() -> bool:
            with suppress(OSError):  # nobody has opened it for reading yet
                kept.callback(os.close, os.open(served.path, os.O_WRONLY | os.O_NONBLOCK))
                return True
            return False

        served.launch()
        served.wait_until(reads_its_configuration)
        code, _ = served.stop()
    assert code == 0
    assert served.log.read_bytes() == served.output.read_bytes() == b""
    assert actions(served) == ["ledger:opened"]
