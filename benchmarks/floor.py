"""The floor: the least that a gateway in Python can cost. One ES256 check, one upstream call, the bytes unchanged.

It protects nobody: any token opens anything. What Vitrine costs is stated as a multiple of it.
"""

import os
import threading
import time
from pathlib import Path

import orjson
from flask import Flask, Response, request
from joserfc import jwt
from joserfc.jwk import KeySet
from pyreqwest.client import SyncClient, SyncClientBuilder

UPSTREAM_VARIABLE = "FLOOR_UPSTREAM"
JWKS_VARIABLE = "FLOOR_JWKS"


def application() -> Flask:
    """The WSGI application of a worker: `/fhir/<feed>/…` is passed to `…` at the upstream."""
    upstream = os.environ[UPSTREAM_VARIABLE]
    keys = KeySet.import_key_set(orjson.loads(Path(os.environ[JWKS_VARIABLE]).read_bytes()))
    app = Flask(__name__, static_folder=None)
    clients: list[SyncClient] = []
    making = threading.Lock()

    def client() -> SyncClient:
        with making:
            if not clients:
                clients.append(SyncClientBuilder().follow_redirects(False).no_proxy().build())
            return clients[0]

    @app.get("/fhir/<feed>/<path:path>")
    def pass_on(feed: str, path: str) -> Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
        if claims["exp"] < time.time():
            return Response(status=401)
        url = f"{upstream}/{path}"
        if query := request.query_string.decode("ascii"):
            url = f"{url}?{query}"
        answer = client().get(url).build().send()
        return Response(bytes(answer.bytes()), answer.status, content_type=answer.headers["content-type"])

    return app
