"""Bodies of a POST `_search` are read within bounds: of bytes, of readers, and for identified callers only."""

import io
import threading

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from plugin.faces.facade.form import MAX_BYTES, FormReader, FormTooLarge, FormUnreadable
from tests.world import World


class Silent(io.RawIOBase):
    """A client that has announced a body and sends nothing until it hangs up."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.hung_up = threading.Event()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.asked.set()
        self.hung_up.wait(60)
        return b""


def request(stream: io.IOBase, length: int | None = None) -> Request:
    environ = EnvironBuilder(path="/", method="POST").get_environ()
    environ |= {"wsgi.input": stream, "wsgi.input_terminated": True}
    return Request(environ | ({} if length is None else {"CONTENT_LENGTH": str(length)}))


def test_a_body_is_read_whole() -> None:
    """Up to the bound, its last byte included."""
    assert FormReader().read(request(io.BytesIO(b"patient=p1"))) == b"patient=p1"
    assert len(FormReader().read(request(io.BytesIO(b"x" * MAX_BYTES)))) == MAX_BYTES
    assert FormReader().read(request(io.BytesIO(b""))) == b""


@pytest.mark.parametrize("length", [None, MAX_BYTES + 1, 1 << 40])
def test_a_large_body_is_refused(length: int | None) -> None:
    """By its announced length unread, and by its bytes where nothing was announced."""
    with pytest.raises(FormTooLarge):
        FormReader().read(request(io.BytesIO(b"x" * (MAX_BYTES + 1)), length))


@pytest.mark.parametrize(
    ("arrived", "said"),
    [
        (b"patient=p1&code=21", {"CONTENT_LENGTH": "22"}),
        (b"", {"CONTENT_LENGTH": "22"}),
        (b"", {"HTTP_TRANSFER_ENCODING": "chunked"}),
    ],
)
def test_a_body_that_broke_off_is_no_search(arrived: bytes, said: dict[str, str]) -> None:
    """Half of what was asked would show more than the whole of it, or nothing where there is something."""
    cut = Request(request(io.BytesIO(arrived)).environ | said)
    with pytest.raises(FormUnreadable):
        FormReader().read(cut)


def test_silent_clients_hold_a_bounded_number_of_threads() -> None:
    """Beyond it nobody's body is read until one of them hangs up; reading by address goes on."""
    reader, clients = FormReader(readers=2), [Silent(), Silent()]
    threads = [threading.Thread(target=reader.read, args=(request(client),)) for client in clients]
    for thread in threads:
        thread.start()
    for client in clients:
        assert client.asked.wait(10)
    with pytest.raises(FormUnreadable):
        reader.read(request(io.BytesIO(b"patient=p1")))
    clients[0].hung_up.set()
    threads[0].join(10)
    assert reader.read(request(io.BytesIO(b"patient=p1"))) == b"patient=p1"
    clients[1].hung_up.set()
    threads[1].join(10)


def test_nobodys_body_is_read_but_that_of_an_identified_caller(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged token costs a look at its head, and holds no thread."""

    def read(self: FormReader, request: Request) -> bytes:
        raise AssertionError("a body was read")

    monkeypatch.setattr(FormReader, "read", read)
    for token in ("", "forged.forged.forged", world.token(exp=1)):
        answer = world.ask("/fhir/city-lab/Observation/_search", method="POST", token=token, data=b"patient=p1")
        assert answer.status == 401


def test_a_client_that_hangs_up_has_sent_no_body() -> None:
    """Whatever a server makes of it."""

    class Gone(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(FormUnreadable):
        FormReader().read(request(Gone()))


def test_a_body_that_never_came_is_a_400_under_the_persons_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One record, as for every refusal."""

    def gone(self: FormReader, request: Request) -> bytes:
        raise FormUnreadable

    monkeypatch.setattr(FormReader, "read", gone)
    answer = world.ask("/fhir/city-lab/Observation/_search", method="POST")
    assert (answer.status, answer.issue, answer.reason) == (400, "value", "invalid-value")
    assert world.last()["reason"] == "invalid-value"
    assert world.lab.queries == []
