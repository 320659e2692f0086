"""Alerts reach whom `[alerts]` names, hold up nobody, and name nobody."""

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from plugin import alerts as module
from plugin.alerts import UNTOLD, AlertKind, AlertNotTold, Alerts, alerts_of
from plugin.settings.alerts import AlertSettings
from plugin.settings.errors import SettingsError
from plugin.telemetry import ALERTS, ALERTS_NOT_TOLD

BASE = "https://vitrine.example"
PATIENCE = 60.0


class Listener:
    """A receiver with memory, which can be slow or refuse."""

    name = "listener"

    def __init__(self, failures: int = 0) -> None:
        self.heard: list[dict[str, str]] = []
        self.failures = failures
        self.open = threading.Event()
        self.open.set()

    def tell(self, alert: bytes, moment: datetime) -> None:
        assert self.open.wait(PATIENCE)
        if self.failures:
            self.failures -= 1
            raise AlertNotTold("the listener is out")
        self.heard.append(json.loads(alert))


def raised(kind: AlertKind) -> float:
    return ALERTS.labels(kind)._value.get()


def until(happened: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    give_up_at = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < give_up_at
        time.sleep(0.001)


def not_told() -> float:
    return ALERTS_NOT_TOLD._value.get()


def test_each_receiver_is_told_kind_reference_gateway_and_time():
    """Enough to find the record in the log, and no more."""
    listeners, before = [Listener(), Listener()], raised(AlertKind.BREAK_GLASS_OPENED)
    alerts = Alerts(listeners, BASE)
    alerts.raise_(AlertKind.BREAK_GLASS_OPENED, "4f2a.1")
    assert alerts.flush(PATIENCE)
    for listener in listeners:
        (alert,) = listener.heard
        assert set(alert) == {"alert", "reference", "gateway", "time"}
        assert (alert["alert"], alert["reference"], alert["gateway"]) == ("break-glass-opened", "4f2a.1", BASE)
        assert datetime.fromisoformat(alert["time"]).tzinfo is not None
    assert raised(AlertKind.BREAK_GLASS_OPENED) == before + 1


@pytest.mark.parametrize("reference", ["Alma Roy", "https://ehr.example/Patient/1", "é", "", "a\nb", "x" * 129])
def test_what_is_no_name_of_ours_is_withheld(reference):
    """It could be a person or a patient, whoever raised it."""
    listener = Listener()
    alerts = Alerts([listener], BASE)
    alerts.raise_(AlertKind.QUOTA_REACHED, reference)
    assert alerts.flush(PATIENCE)
    assert listener.heard[0]["reference"] == UNTOLD


@given(st.text())
def test_raising_never_fails(reference):
    """It happens in the middle of a request."""
    Alerts([], BASE).raise_(AlertKind.QUOTA_REACHED, reference)


def test_a_receiver_that_hangs_holds_up_nobody_and_its_queue_is_bounded():
    """A flood of alerts behind a dead receiver costs bounded memory; what did not fit is counted. Others are told."""
    listener, well, before = Listener(), Listener(), not_told()
    listener.open.clear()
    alerts = Alerts([listener, well], BASE)
    for number in range(module.MAX_WAITING + 10):
        alerts.raise_(AlertKind.QUOTA_REACHED, f"r.{number}")
        until(lambda told=number + 1: len(well.heard) == told)
    assert not alerts.flush(0.0)
    assert not_told() >= before + 9
    listener.open.set()
    assert alerts.flush(PATIENCE)
    assert len(listener.heard) in {module.MAX_WAITING, module.MAX_WAITING + 1}


def test_an_alert_waits_for_a_receiver_that_is_out_for_a_while():
    """It is tried again, less and less often, and each try that failed is counted; the outage is told once."""
    shaky, well, before = Listener(12), Listener(), not_told()
    alerts = Alerts([shaky, well], BASE, pause=0.0)
    with capture_logs() as lines:
        alerts.raise_(AlertKind.SINK_STALE, "sink-0")
        assert alerts.flush(PATIENCE)
        until(lambda: lines[-1]["event"] == "alerts are delivered again")
    assert (len(shaky.heard), len(well.heard)) == (1, 1)
    assert not_told() == before + 12
    assert [line["event"] for line in lines if line.get("receiver") == "listener"] == [
        "an alert could not be delivered",
        "alerts are delivered again",
    ]


def test_an_alert_that_nobody_takes_for_an_hour_is_given_up(monkeypatch):
    """And is said to be lost. The next one is tried all the same."""
    monkeypatch.setattr(module, "KEEP_SECONDS", 0.0)
    dead = Listener(2)
    alerts = Alerts([dead], BASE, pause=0.0)
    with capture_logs() as lines:
        for number in range(3):
            alerts.raise_(AlertKind.SINK_STALE, f"sink-{number}")
            assert alerts.flush(PATIENCE)
    assert [each["reference"] for each in dead.heard] == ["sink-2"]
    assert sum(line["event"] == "an alert was given up" for line in lines) == 2


def settings(**receiver: object) -> AlertSettings:
    return AlertSettings.model_validate({"receivers": [receiver]})


@pytest.mark.parametrize(("status", "failures"), [(204, 0), (500, 1), (302, 1)])
def test_a_web_server_gets_a_post_of_json_with_the_token(tmp_path, monkeypatch, status, failures):
    """Any 2xx means taken; a redirect is not followed, since it would carry the token elsewhere."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            asked.append((self.path, self.headers["authorization"], json.loads(body)))
            self.send_response(status)
            self.send_header("location", "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(module, "KEEP_SECONDS", 0.0)
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    token.chmod(0o600)
    before = not_told()
    try:
        url = f"http://127.0.0.1:{server.server_port}/hook"
        receivers = [
            module._receiver(each, "x") for each in settings(kind="https", url=url, token_file=token).receivers
        ]
        alerts = Alerts(receivers, BASE, pause=0.0)
        alerts.raise_(AlertKind.LEDGER_BROKEN, "position-7")
        assert alerts.flush(PATIENCE)
    finally:
        server.shutdown()
        server.server_close()
    assert {(path, header) for path, header, _ in asked} == {("/hook", "Bearer s3cret")}
    assert asked[0][2]["alert"] == "ledger-broken"
    assert not_told() == before + failures


def test_a_collector_gets_one_message_of_severity_alert():
    """RFC 5424 over UDP, the text being the same JSON."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(PATIENCE)
        address = f"127.0.0.1:{collector.getsockname()[1]}"
        alerts = alerts_of(settings(kind="syslog", address=address, transport="udp"), BASE)
        alerts.raise_(AlertKind.SPACE_LOW, "ledger")
        message = collector.recv(65_536).decode()
    head, _, text = message.partition(" - alert - ")
    assert head.startswith("<105>1 2")
    assert json.loads(text)["alert"] == "space-low"


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [("s3cret", 0o644, ""), ("s3cret\nof yesterday", 0o600, ": .*: not a bearer token")],
    ids=["others can read it", "it is none"],
)
def test_a_token_that_cannot_be_used_stops_the_start(tmp_path, text, mode, problem):
    """Like every secret; else the first alert would find out, and nobody be told of it or of any other."""
    token = tmp_path / "token"
    token.write_text(text)
    token.chmod(mode)
    with pytest.raises(SettingsError, match=rf"alerts\.receivers\.0\.token_file{problem}"):
        alerts_of(settings(kind="https", url="https://pager.example/hook", token_file=token), BASE)


def test_a_receiver_is_named_without_its_path():
    """The path of a web hook is its secret, and names go to the process log."""
    (receiver,) = [
        module._receiver(each, "x") for each in settings(kind="https", url="https://pager.example/T0/s3cret").receivers
    ]
    assert receiver.name == "https pager.example"
    with pytest.raises(AlertNotTold) as told:
        module.RECEIVER_SECONDS, kept = -1.0, module.RECEIVER_SECONDS
        try:
            receiver.tell(b"{}", datetime.now(UTC))
        finally:
            module.RECEIVER_SECONDS = kept
    assert "s3cret" not in str(told.value)


def test_nothing_runs_until_something_happened():
    """No thread before a fork, and none where nobody is told."""
    before = _threads()
    Alerts([Listener()], BASE)
    Alerts([], BASE).raise_(AlertKind.SINK_STALE, "sink-0")
    assert _threads() == before


def _threads() -> int:
    return sum(thread.name == "alerts" for thread in threading.enumerate())
