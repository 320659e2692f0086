"""Runs the pretend servers in threads of one process; the gateway runs on its own, as it is deployed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from demo.addresses import HOST

POLL_SECONDS = 0.1
"""How often a server looks whether it is to stop: five of them stop one after the other."""
STOP_SECONDS = 2.0


class _SilentHandler(WSGIRequestHandler):
    """Writes no access log: its lines would bury what `run` prints, and name patients."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@contextmanager
def serving(app: Flask, port: int) -> Iterator[None]:
    """Serve `app` on 127.0.0.1 while the block runs."""
    server = make_server(HOST, port, app, threaded=True, request_handler=_SilentHandler)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name=f"port-{port}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(STOP_SECONDS)
