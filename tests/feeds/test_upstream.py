"""The socket's own promises, where no feed shows them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.interface import Deadline, FeedAnswerInvalid, FeedLinkRefused, FeedUnavailable
from fhir_adapters.reach import Reach
from fhir_adapters.upstream import UNREADABLE, HttpUpstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\n\r\n{}"


def test_a_form_is_posted_once_only(raw_server: Any) -> None:
    """A POST that failed may have been carried out."""
    server = raw_server(lambda _c, _r: None)
    reach = Reach.of(server.base)
    with pytest.raises(FeedUnavailable):
        HttpUpstream("it", reach).post_form(reach.below("token"), "a=1", deadline=Deadline.after(5))
    assert len(server.requests) == 1
    assert server.requests[0].endswith(b"\r\n\r\na=1")


def test_headers_are_lower_case_and_joined(raw_server: Any) -> None:
    server = raw_server(lambda connection, _: connection.sendall(OK))
    reach = Reach.of(server.base)
    answer = HttpUpstream("it", reach).get(reach.below("a"), deadline=Deadline.after(5))
    assert (answer.status, answer.headers["x-a"], answer.body) == (200, "1, 2", b"{}")
    assert "{}" not in repr(answer)


@pytest.mark.parametrize("value", ["compte rendu opératoire".encode(), "opératoire".encode("latin-1"), b"\xff"])
def test_a_header_that_is_not_ascii_costs_its_own_value_alone(raw_server: Any, value: bytes) -> None:
    """Servers write the file names of documents so, and no error but a FeedError leaves here."""
    headed = OK.replace(b"\r\nX-A: 1", b'\r\nContent-Disposition: attachment; filename="' + value + b'"\r\nX-A: 1')
    server = raw_server(lambda connection, _: connection.sendall(headed))
    reach = Reach.of(server.base)
    answer = HttpUpstream("it", reach).get(reach.below("a"), deadline=Deadline.after(5))
    assert (answer.headers["content-disposition"], answer.headers["x-a"], answer.body) == (UNREADABLE, "1, 2", b"{}")


def test_an_answer_whose_encoding_cannot_be_read_is_refused(raw_server: Any) -> None:
    encoded = OK.replace(b"\r\nX-A: 1", b"\r\nContent-Encoding: br\xff")
    server = raw_server(lambda connection, _: connection.sendall(encoded))
    reach = Reach.of(server.base)
    with pytest.raises(FeedAnswerInvalid):
        HttpUpstream("it", reach).get(reach.below("a"), deadline=Deadline.after(5))


def test_a_smaller_cap_holds(raw_server: Any) -> None:
    server = raw_server(lambda connection, _: connection.sendall(OK))
    reach = Reach.of(server.base)
    with pytest.raises(FeedAnswerInvalid):
        HttpUpstream("it", reach, max_body=1).get(reach.below("a"), deadline=Deadline.after(5))


def test_each_of_several_reaches_is_allowed_and_nothing_else(raw_server: Any) -> None:
    server = raw_server(lambda connection, _: connection.sendall(OK))
    first, second = Reach.of(f"{server.base}/a"), Reach.of(f"{server.base}/b")
    upstream = HttpUpstream("it", first, second)
    for reach in (first, second):
        assert upstream.get(reach.below("x"), deadline=Deadline.after(5)).status == 200
    with pytest.raises(FeedLinkRefused):
        upstream.get(Reach.of(server.base).below("c"), deadline=Deadline.after(5))


FORKING = """
import os, sys
from fhir_adapters.interface import Deadline, FeedUnavailable
from fhir_adapters.reach import Reach
from fhir_adapters.upstream import HttpUpstream

reach = Reach.of(sys.argv[1])
upstream = HttpUpstream("it", reach)
ask = lambda: upstream.get(reach.below("a"), deadline=Deadline.after(5)).status
if sys.argv[2] == "asked-before":
    ask()
child = os.fork()
if child == 0:
    try:
        os._exit(0 if ask() == 200 else 1)
    except FeedUnavailable:
        os._exit(2)
    finally:
        os._exit(3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(("before", "code"), [("built-only", 0), ("asked-before", 2)])
def test_a_feed_made_before_a_fork_works_after_it_unless_it_was_asked(raw_server: Any, before: str, code: int) -> None:
    """Servers load the application and then fork; what cannot work must say so and not hang."""
    server = raw_server(lambda connection, _: connection.sendall(OK))
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FORKING, server.base, before]
    done = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, timeout=60, check=False)
    assert done.returncode == code
