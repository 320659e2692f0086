"""docs/deploying.md as it stands: the gateway behind a real nginx with the shipped recipe, and the unit as systemd
reads it."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.deployed.deployment import CHECKOUT, PATIENCE, PATIENT, Deployment, free_port
from tests.feeds.authority import Authority

pytestmark = pytest.mark.slow

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
ANALYZE = shutil.which("systemd-analyze")
NAME = "vitrine.hospital.example"
SEARCH = f"/fhir/city-lab/Observation?patient={PATIENT}"
CALLER = "127.0.0.77"
"""Where the browser is; all of 127/8 is loopback."""


class Front:
    """nginx with the shipped file, its ports and paths put into a folder."""

    def __init__(self, folder: Path, gateway: Deployment, authority: Authority) -> None:
        self.folder = folder
        self.port = free_port()
        self.context = ssl.create_default_context(cadata=authority.pem)
        self.log, self.error_log = folder / "access.log", folder / "error.log"
        certificate, key = authority.signed(NAME)
        (folder / "fullchain.pem").write_text(certificate)
        (folder / "key.pem").write_text(key)
        recipe = (CHECKOUT / "deploy" / "nginx.conf").read_text()
        for ours, here in {
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "127.0.0.1:8080": f"127.0.0.1:{gateway.port}",
            "/etc/vitrine/tls": str(folder),
            "/var/log/nginx/vitrine.log": str(self.log),
            "/var/log/nginx/vitrine.error.log": str(self.error_log),
        }.items():
            assert ours in recipe
            recipe = recipe.replace(ours, here)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "\n".join(f"{kind}_temp_path {folder}/temporary-{kind};" for kind in kinds)
        # As Debian's own nginx.conf has them: whatever the recipe does not say goes there.
        self.others = folder / "others.log"
        temporary += f"\naccess_log {self.others};\nerror_log {self.others};"
        main = folder / "main.conf"
        main.write_text(
            f"daemon off; pid {folder}/pid; user root; worker_processes 1;\n"
            f"events {{ worker_connections 64; }}\nhttp {{\n{temporary}\n{recipe}\n}}\n"
        )
        assert NGINX is not None
        self.process = subprocess.Popen(
            [NGINX, "-p", str(folder), "-e", str(folder / "start.log"), "-c", str(main)], stdin=subprocess.DEVNULL
        )
        until = time.monotonic() + PATIENCE
        while True:
            assert self.process.poll() is None, (folder / "start.log").read_text()
            assert time.monotonic() < until
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def ask(
        self, path: str, headers: dict[str, str], *, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """The answer, in JSON."""
        status, answered, content = self.read(path, headers, method=method, body=body)
        return status, answered, json.loads(content)

    def read(
        self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Over TLS, from CALLER, by the name that the certificate has for loopback."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=PATIENCE, context=self.context, source_address=(CALLER, 0)
        )
        connection.sock = self.shaken(NAME)
        try:
            connection.request(method, path, body, {"Host": NAME, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def shaken(self, name: str) -> ssl.SSLSocket:
        """A connection that was made for `name`."""
        bare = socket.create_connection(("127.0.0.1", self.port), PATIENCE, (CALLER, 0))
        # The test's certificate is for the loopback address; that it is asked for by name is what nginx looks at.
        self.context.check_hostname = False
        return self.context.wrap_socket(bare, server_hostname=name)

    def shake(self, name: str) -> None:
        """A handshake for `name`, and no request."""
        self.shaken(name).close()


@pytest.fixture(scope="module")
def behind(tmp_path_factory, neighbours):
    """The gateway as docs/deploying.md configures it, and nginx in front."""
    if NGINX is None:
        pytest.skip("there is no nginx; Debian has it as nginx-light")
    made = Deployment(tmp_path_factory.mktemp("gateway"), neighbours)
    text = made.path.read_text()
    text = re.sub(r'public_base = ".*"', f'public_base = "https://{NAME}"\ntrusted_proxies = ["127.0.0.1/32"]', text)
    made.path.write_text(text)
    front = None
    try:
        made.prepare().start()
        folder = tmp_path_factory.mktemp("nginx")
        front = Front(folder, made, Authority("Hospital", folder))
        yield made, front
    finally:
        if front is not None:
            front.close()
        made.end()


def bearer(gateway: Deployment) -> dict[str, str]:
    return {"Authorization": f"Bearer {gateway.token(aud=f'https://{NAME}/fhir')}"}


def test_a_look_through_nginx_is_recorded_with_the_callers_address(behind):
    """And what the caller says of the address, in either spelling, is not believed."""
    gateway, front = behind
    forged = {"X-Forwarded-For": "203.0.113.9", "X_Forwarded_For": "203.0.113.10"}
    status, headers, bundle = front.ask(SEARCH, {**bearer(gateway), **forged})
    assert status == 200
    assert bundle["entry"][0]["fullUrl"].startswith(f"https://{NAME}/fhir/city-lab/")
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["cache-control"] == "no-store"
    record = json.dumps(gateway.last())
    assert headers["x-request-id"] in record
    assert CALLER in record
    assert "203.0.113" not in record


def test_refusals_are_the_gateways_own_and_in_fhirs_form(behind):
    """What nginx would shorten, split or cut comes through as it was sent, and is judged there."""
    gateway, front = behind
    long = {"Authorization": "Bearer " + "x" * 20_000}
    for path, headers, expected in (
        ("/fhir/city-lab/$export", bearer(gateway), (403, 404)),
        ("/fhir/city-lab/../imaging/Observation", bearer(gateway), (400, 404)),
        ("/fhir//city-lab/Observation", bearer(gateway), (400, 404)),
        ("/fhir/city-lab/Observation%2fx", bearer(gateway), (400, 404)),
        (SEARCH, {}, (401,)),
        (SEARCH, long, (401,)),
    ):
        status, answered, outcome = front.ask(path, headers)
        assert (path, status in expected, outcome["resourceType"]) == (path, True, "OperationOutcome")
        assert "x-request-id" in answered
    form = {**bearer(gateway), "Content-Type": "application/x-www-form-urlencoded"}
    status, _, outcome = front.ask("/fhir/city-lab/Observation/_search", form, method="POST", body=b"x" * 200_000)
    assert (status, outcome["resourceType"]) == (413, "OperationOutcome")


def test_a_refused_write_does_not_break_the_looks_that_follow(behind):
    """The gateway does not read what it refuses, and ends the connection that nginx keeps for the next."""
    gateway, front = behind
    token = bearer(gateway)

    def write_and_look(seen: list[int]) -> None:
        for method in ("PUT", "PATCH", "DELETE") * 4:
            seen.append(front.read("/fhir/city-lab/Observation/o1", token, method=method, body=b"x" * 400_000)[0])
            seen.append(front.read(SEARCH, token)[0])

    answers: list[list[int]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=write_and_look, args=(each,)) for each in answers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert answers == [[405, 200] * 12] * 4


def test_nginx_keeps_nothing_of_a_patient(behind):
    """No temporary file, and logs without path, query, token."""
    gateway, front = behind
    token = bearer(gateway)
    for _ in range(3):
        assert front.ask(f"{SEARCH}&_count=200", token)[0] == 200
    form = {**token, "Content-Type": "application/x-www-form-urlencoded"}
    body = f"patient={PATIENT}&_count=20".encode()
    status, headers, _ = front.ask("/fhir/city-lab/Observation/_search", form, method="POST", body=body)
    assert status == 200
    assert not [each for each in front.folder.glob("temporary-*/**/*") if each.is_file()]
    wait_for(lambda: headers["x-request-id"] in front.log.read_text())
    logs = front.log.read_text() + front.error_log.read_text()
    assert CALLER in logs
    for private in (PATIENT, "Observation", "city-lab", token["Authorization"].rpartition(".")[2]):
        assert private not in logs


def test_the_newest_tls_is_spoken(behind):
    """nginx takes the versions of the server that is there for other names, and its own default has no 1.3."""
    _, front = behind
    with front.shaken(NAME) as connection:
        assert connection.version() == "TLSv1.3"


def test_another_name_gets_no_answer(behind):
    """Nothing of ours is shown to whoever scans addresses."""
    _, front = behind
    front.shake(NAME)
    with pytest.raises(ssl.SSLError):
        front.shake("other.example")


@pytest.mark.parametrize(
    "line",
    [
        f"GET {SEARCH} HTTP/1.1\r\nHost: other.example",
        f"GET https://other.example{SEARCH} HTTP/1.1\r\nHost: {NAME}",
        f"GET {SEARCH} HTTP/1.0",
    ],
    ids=["host", "absolute", "none"],
)
def test_another_name_within_our_connection_gets_no_answer_and_is_logged_nowhere(behind, line):
    """The certificate was asked for by our name, the request is for none of ours: it names a patient all the same."""
    _, front = behind
    with front.shaken(NAME) as connection:
        connection.sendall(f"{line}\r\n\r\n".encode())
        assert connection.recv(65_536) == b""
    status, headers, _ = front.read("/nowhere")
    assert status == 404
    wait_for(lambda: headers["x-request-id"] in front.log.read_text())
    assert front.others.read_text() == ""


def test_while_the_gateway_is_down_nginx_says_so_in_fhirs_form(behind, tmp_path):
    """A client is to come again, and reads no HTML, which is for people; no error log quotes what was asked."""
    gateway, _ = behind
    (tmp_path / "nginx").mkdir()
    down = type("Down", (), {"port": free_port()})
    front = Front(tmp_path / "nginx", down, Authority("Hospital", tmp_path))
    try:
        status, headers, outcome = front.ask(SEARCH, bearer(gateway))
        assert (status, outcome["issue"][0]["code"]) == (503, "transient")
        assert (headers["retry-after"], headers["cache-control"]) == ("5", "no-store")
        assert headers["content-type"] == "application/fhir+json"
        assert headers["strict-transport-security"] == "max-age=31536000"
        status, headers, page = front.read("/view/some-view/")
        assert headers["strict-transport-security"] == "max-age=31536000"
        assert (status, headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert "La consultation est momentanément indisponible".encode() in page
        assert PATIENT not in front.log.read_text() + front.error_log.read_text()
    finally:
        front.close()


def wait_for(true: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_systemd_understands_the_unit_and_finds_it_closed(tmp_path):
    """A mistyped option would be ignored with a warning, and protect nothing."""
    if ANALYZE is None:
        pytest.skip("there is no systemd-analyze; Debian has it in systemd")
    unit = tmp_path / "vitrine.service"
    program = Path(sys.executable).with_name("vitrine")
    unit.write_text(
        (CHECKOUT / "deploy" / "vitrine.service").read_text().replace("/opt/vitrine/bin/vitrine", str(program))
    )
    verified = subprocess.run(
        [ANALYZE, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    ours = [line for line in verified.stderr.splitlines() if "vitrine.service" in line]
    assert (verified.returncode, ours) == (0, [])
    closed = subprocess.run(
        [ANALYZE, "security", "--offline=true", "--threshold=30", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert closed.returncode == 0, closed.stdout + closed.stderr
