"""What stands around the gateway, on one loopback port: the issuer, the EHR with the sample patients, and feeds.

`/ehr/…` and the issuer's documents behave. Below `/odd/<manner>/…` a feed answers its Patient as it should, and
everything else in the manner that `manners` gives by name: with bytes, well formed or not.
"""

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

Manner = Callable[[socket.socket], None]
"""Writes an answer, or whatever takes its place, to the connection."""


class Neighbours:
    """A small server of bytes: it must be able to break every rule of HTTP."""

    def __init__(self, samples: Path) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
        self.manners: dict[str, Manner] = {}
        self.asked: list[str] = []
        """Requests: `GET /path` and headers, as they came."""
        self._patients = {
            entry["resource"]["id"]: entry["resource"]
            for entry in json.loads((samples / "ehr" / "patients.json").read_text())["entry"]
        }
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def token(self, **claims: Any) -> str:
        """An access token signed by this issuer; `claims` are added or replace. None leaves one out."""
        now = int(time.time())
        content = {
            "iss": self.url,
            "sub": "dr-roy",
            "client_id": "results-pane",
            "iat": now,
            "exp": now + 600,
            "jti": uuid4().hex,
            "scope": "openid fhirUser launch patient/*.rs",
            "fhirUser": "Practitioner/dr-roy",
            **claims,
        }
        content = {name: value for name, value in content.items() if value is not None}
        return jwt.encode({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}, content, self.key)

    def odd(self, manner: str, answer: Manner) -> str:
        """The base of a feed that answers in this manner."""
        self.manners[manner] = answer
        return f"{self.url}/odd/{manner}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the gateway hangs up on some of these, as it should
            self._answer(connection, _request(connection))

    def _answer(self, connection: socket.socket, request: str) -> None:
        if not request:
            return
        self.asked.append(request)
        path = request.split(" ")[1].partition("?")[0]
        if path.startswith("/odd/"):
            _, _, manner, *rest = path.split("/")
            if rest[:1] == ["Patient"]:
                connection.sendall(json_answer({"resourceType": "Patient", "id": rest[1], "birthDate": "1980-01-12"}))
            else:
                self.manners[manner](connection)
            return
        connection.sendall(self._document(path))

    def _document(self, path: str) -> bytes:
        if path == "/.well-known/openid-configuration":
            endpoints = {f"{name}_endpoint": f"{self.url}/{name}" for name in ("authorization", "token")}
            return json_answer({"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **endpoints})
        if path == "/jwks":
            return json_answer(KeySet([self.key]).as_dict(private=False))
        patient = self._patients.get(path.removeprefix("/ehr/Patient/"))
        return json_answer(patient) if patient else http_answer(b"", status="404 Not Found")


def http_answer(body: bytes, kind: str = "application/fhir+json", status: str = "200 OK", more: str = "") -> bytes:
    """A well formed answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return f"{head}{more}\r\n".encode() + body


def json_answer(tree: Any) -> bytes:
    return http_answer(json.dumps(tree).encode())


def searchset(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": each} for each in resources]}


def _request(connection: socket.socket) -> str:
    said = b""
    while b"\r\n\r\n" not in said:
        part = connection.recv(65_536)
        if not part:
            return ""
        said += part
    return said.decode("latin-1")
