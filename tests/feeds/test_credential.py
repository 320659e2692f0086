"""The gateway's own credential: shown to its feed and to nobody else, in no error, renewed once."""

import base64
import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from fhir_adapters.client_proof import SecretProof
from fhir_adapters.credential import (
    BasicCredential,
    BearerCredential,
    ClientCredentials,
    Credential,
    LaunchToken,
    NoCredential,
)
from fhir_adapters.fhir_rest import FhirRestFeed
from fhir_adapters.interface import (
    Call,
    Deadline,
    FeedAnswerInvalid,
    FeedError,
    FeedRefused,
    FeedTimeout,
    FeedUnavailable,
)
from fhir_adapters.reach import Address
from fhir_adapters.upstream import Answer

READ = {"resourceType": "Observation", "id": "o1"}
SECRET = "s3cret/with:signs"


class FakeUpstream:
    """Hands out tokens t1, t2 … and remembers what it was asked; a feed that accepts the tokens in `accepted`."""

    def __init__(self, **token: Any) -> None:
        self.token = token
        self.forms: list[tuple[str, Mapping[str, str]]] = []
        self.gets: list[Mapping[str, str]] = []
        self.accepted: set[str] | None = None
        self.status = 200

    def post_form(self, address: Address, form: str, headers: Mapping[str, str], *, deadline: Deadline) -> Answer:
        self.forms.append((form, headers))
        tree = {"access_token": f"t{len(self.forms)}", "token_type": "Bearer", "expires_in": 300} | self.token
        return Answer(self.status, {"content-type": "application/json"}, json.dumps(tree).encode())

    def get(self, address: Address, headers: Mapping[str, str], *, deadline: Deadline) -> Answer:
        self.gets.append(headers)
        refused = self.accepted is not None and headers.get("authorization", "")[7:] not in self.accepted
        content = {"content-type": "application/json"}
        return Answer(401, content, b"{}") if refused else Answer(200, content, json.dumps(READ).encode())


def grant(upstream: FakeUpstream) -> ClientCredentials:
    url = "https://login.lab.example/token"
    proof = SecretProof("vitrine", SECRET)
    return ClientCredentials("feed 'city-lab'", url, proof, scope="system/*.rs", upstream=upstream)


def feed_with(credential: Credential, upstream: FakeUpstream) -> FhirRestFeed:
    return FhirRestFeed("city-lab", "https://lab.example/fhir", credential, upstream)


def sent(credential: Credential, call: Call) -> str | None:
    return credential.headers(call).get("authorization")


def test_each_simple_credential_has_its_header(call: Call) -> None:
    basic = "Basic " + base64.b64encode("vitrine:pä:ss".encode()).decode()
    assert sent(NoCredential(), call) is None
    assert sent(BasicCredential("vitrine", "pä:ss"), call) == basic
    assert sent(BearerCredential("abc.def"), call) == "Bearer abc.def"


@pytest.mark.parametrize("token", ["", "two words", "a\r\nX: b", "é"])
def test_a_token_that_would_break_the_header_is_refused(token: str, call: Call) -> None:
    with pytest.raises(ValueError, match="bearer"):
        BearerCredential(token)
    with pytest.raises(FeedRefused):
        LaunchToken().headers(Call(call.deadline, call.record, token))


def test_a_persons_token_reaches_no_external_feed(call: Call) -> None:
    """Only the credential made for the EHR of the launch reads it."""
    upstream = FakeUpstream()
    asked = Call(call.deadline, call.record, bearer="launch-token")
    for credential in (NoCredential(), BasicCredential("a", "b"), BearerCredential("own"), grant(FakeUpstream())):
        feed_with(credential, upstream).read("Observation", "o1", asked)
    assert not [headers for headers in upstream.gets if "launch-token" in str(headers)]
    assert sent(LaunchToken(), asked) == "Bearer launch-token"


def test_a_token_is_fetched_once_and_kept(call: Call) -> None:
    upstream = FakeUpstream()
    credential = grant(upstream)
    assert [sent(credential, call) for _ in range(3)] == ["Bearer t1"] * 3
    [(form, headers)] = upstream.forms
    assert form == "grant_type=client_credentials&scope=system%2F%2A.rs"
    encoded = base64.b64encode(b"vitrine:s3cret%2Fwith%3Asigns").decode()
    assert headers["authorization"] == f"Basic {encoded}"


@pytest.mark.parametrize(("life", "fetched"), [(30, 3), (29, 3), (31, 1), ("300", 1), (None, 1), (0, 1), (10**12, 1)])
def test_a_token_is_not_used_in_its_last_half_minute(call: Call, life: Any, fetched: int) -> None:
    upstream = FakeUpstream(expires_in=life)
    credential = grant(upstream)
    for _ in range(3):
        credential.headers(call)
    assert len(upstream.forms) == fetched


def test_threads_that_find_no_token_fetch_one_together() -> None:
    upstream = FakeUpstream()
    credential = grant(upstream)
    threads = [
        threading.Thread(target=credential.headers, args=(Call(Deadline.after(5), "req-1.1"),)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(upstream.forms) == 1


def test_a_refused_token_is_renewed_once(call: Call) -> None:
    upstream = FakeUpstream()
    upstream.accepted = {"t2"}
    assert feed_with(grant(upstream), upstream).read("Observation", "o1", call) == READ
    assert len(upstream.forms) == len(upstream.gets) == 2


def test_a_feed_that_refuses_every_token_is_asked_twice(call: Call) -> None:
    upstream = FakeUpstream()
    upstream.accepted = set()
    with pytest.raises(FeedRefused):
        feed_with(grant(upstream), upstream).read("Observation", "o1", call)
    assert len(upstream.gets) == 2


def test_a_fixed_credential_is_not_tried_again(call: Call) -> None:
    upstream = FakeUpstream()
    upstream.accepted = set()
    with pytest.raises(FeedRefused):
        feed_with(BearerCredential("own"), upstream).read("Observation", "o1", call)
    assert len(upstream.gets) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, FeedRefused),
        (401, FeedRefused),
        (302, FeedAnswerInvalid),
        (500, FeedAnswerInvalid),
        (503, FeedUnavailable),
    ],
)
def test_a_token_endpoint_that_says_no_is_an_error_of_the_family(
    call: Call, status: int, error: type[FeedError]
) -> None:
    upstream = FakeUpstream()
    upstream.status = status
    with pytest.raises(FeedError) as caught:
        grant(upstream).headers(call)
    assert type(caught.value) is error
    assert "token endpoint of feed 'city-lab'" in str(caught.value)


@pytest.mark.parametrize(
    "token", [{"access_token": None}, {"access_token": "a b"}, {"token_type": "mac"}, {"access_token": "a\nb"}]
)
def test_an_unusable_token_is_invalid(call: Call, token: dict[str, Any]) -> None:
    with pytest.raises(FeedAnswerInvalid):
        grant(FakeUpstream(**token)).headers(call)


def test_waiting_for_a_token_ends_at_ones_own_deadline(call: Call) -> None:
    credential = grant(FakeUpstream())
    with credential._lock, pytest.raises(FeedTimeout):
        credential.headers(Call(Deadline.after(0.01), "req-1.1"))


def test_secrets_stand_in_no_repr() -> None:
    shown = repr([BasicCredential("a", SECRET), BearerCredential("tok3n"), grant(FakeUpstream())])
    assert SECRET not in shown
    assert "tok3n" not in shown


def test_a_token_endpoint_elsewhere_is_asked_over_http(small_server: Any, httpserver: Any, call: Call) -> None:
    """The endpoint is another place than the feed: it gets the secret, the feed gets the token."""
    seen: list[Request] = []

    def token(request: Request) -> Response:
        seen.append(request)
        return Response('{"access_token":"t1","token_type":"bearer"}', content_type="application/json")

    httpserver.expect_request("/token", method="POST").respond_with_handler(token)
    credential = ClientCredentials("feed 'city-lab'", httpserver.url_for("/token"), SecretProof("vitrine", SECRET))
    assert FhirRestFeed("city-lab", small_server.base, credential).read("Observation", "o1", call) is not None
    assert dict(seen[0].form) == {"grant_type": "client_credentials"}
    assert small_server.questions[0].headers["Authorization"] == "Bearer t1"
