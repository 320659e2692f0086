"""What a client is told about its token (RFC 6750, RFC 9728), and how scopes bound what it sees."""

import time
from typing import Any

import pytest

from tests.world import CLIENT, LAB_BASE, PUBLIC_BASE, World, observation

PATH = "/fhir/city-lab/Observation?patient=p1"
METADATA = f'resource_metadata="{PUBLIC_BASE}/.well-known/oauth-protected-resource/fhir/city-lab"'
PLAIN = f'Bearer realm="vitrine", {METADATA}'
LABORATORY = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"


def test_without_a_credential_the_challenge_names_no_error(world: World) -> None:
    """RFC 6750 3.1: who presented nothing did nothing wrong."""
    answer = world.ask(PATH, token="")
    assert (answer.status, answer.issue) == (401, "login")
    assert answer.headers["WWW-Authenticate"] == PLAIN


def test_a_place_of_no_feed_has_no_metadata_to_point_at(world: World) -> None:
    """RFC 9728: the metadata is that of the resource asked."""
    answer = world.ask("/fhir/elsewhere/Observation", token="")
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="vitrine"')


def test_another_scheme_is_answered_by_saying_which_one_is_spoken(world: World) -> None:
    """RFC 6750 3.1, for an authentication method that is not supported."""
    answer = world.ask(PATH, token="", headers={"Authorization": "Basic ZHI6cm95"})
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, PLAIN)


@pytest.mark.parametrize(
    ("claims", "issue"),
    [
        ({"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200}, "expired"),
        ({"aud": "https://elsewhere.example"}, "unknown"),
        ({"iss": "https://elsewhere.example"}, "unknown"),
        ({"cnf": {"jkt": "x"}}, "unknown"),
    ],
    ids=["expired", "another audience", "another issuer", "bound to a key"],
)
def test_a_token_that_is_no_good_is_401_invalid_token(world: World, claims: dict[str, Any], issue: str) -> None:
    """The client should fetch another one."""
    answer = world.ask(PATH, token=world.token(**claims))
    assert (answer.status, answer.issue) == (401, issue)
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(f'{PLAIN}, error="invalid_token", error_description="')
    description = challenge.partition('error_description="')[2].removesuffix('"')
    assert description.isascii()
    assert not {'"', "\\"} & set(description)
    assert world.named() == []


def test_a_forged_token_is_401_invalid_token(world: World) -> None:
    """Nothing of it is repeated."""
    token = world.token()
    forged = token[:-8] + ("AAAAAAAA" if not token.endswith("AAAAAAAA") else "BBBBBBBB")
    answer = world.ask(PATH, token=forged)
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert token[:40].encode() not in answer.data


@pytest.mark.parametrize("where", ["query", "query and header", "form", "two headers", "joined headers", "no scheme"])
def test_a_token_in_the_wrong_place_is_400_invalid_request(world: World, where: str) -> None:
    """It stands in logs then; or it is not clear whose the request is. Read from nowhere but the one header."""
    token = world.token()
    search = "/fhir/city-lab/Observation/_search"
    form = {"method": "POST", "content_type": "application/x-www-form-urlencoded"}
    if where == "query":
        answer = world.ask(f"{PATH}&access_token={token}", token="")
    elif where == "query and header":
        answer = world.ask(f"{PATH}&access_token={token}", token=token)
    elif where == "form":
        answer = world.ask(search, token=token, data=f"patient=p1&access_token={token}", **form)
    elif where == "two headers":
        headers = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
        response = world.client.get(PATH, headers=headers)
        assert response.status_code == 400
        return
    elif where == "joined headers":
        answer = world.ask(PATH, token="", headers={"Authorization": f"Bearer {token}, Bearer {token}"})
    else:
        answer = world.ask(PATH, token="", headers={"Authorization": token})
    if where == "no scheme":
        assert answer.status in (400, 401)
    else:
        assert (answer.status, answer.reason) == (400, "credential-malformed")
        assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]
    assert token.encode() not in answer.data
    assert world.named() == []
    assert world.lab.queries == []


def test_a_token_in_a_form_without_the_header_is_never_read(world: World) -> None:
    """Nobody's body is read before they show a credential."""
    answer = world.ask(
        "/fhir/city-lab/Observation/_search",
        token="",
        method="POST",
        data=f"access_token={world.token()}",
        content_type="application/x-www-form-urlencoded",
    )
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, PLAIN)


@pytest.mark.parametrize(
    ("scope", "path", "needed"),
    [
        ("patient/Immunization.rs", "Observation", "patient/Observation.s"),
        ("patient/Observation.r", "Observation", "patient/Observation.s"),
        ("patient/Observation.s", "Observation/o1", "patient/Observation.r"),
        ("patient/Observation.cud", "Observation", "patient/Observation.s"),
        ("patient/Observation.write", "Observation", "patient/Observation.s"),
        ("openid fhirUser", "Observation", "patient/Observation.s"),
        ("patient/Observation.rs?date=2026", "Observation", "patient/Observation.s"),
        ("patient/*.rs?_security=R", "Observation/o1", "patient/Observation.r"),
        ("patient/Observation.rs", "Patient/p1", "patient/Patient.r"),
    ],
)
def test_a_scope_that_is_too_small_is_403_and_says_what_is_needed(
    world: World, scope: str, path: str, needed: str
) -> None:
    """RFC 6750: the client can ask its authorization server for more."""
    answer = world.ask(f"/fhir/city-lab/{path}", token=world.token(scope=scope))
    assert (answer.status, answer.issue, answer.reason) == (403, "forbidden", "insufficient-scope")
    assert answer.headers["WWW-Authenticate"] == f'{PLAIN}, error="insufficient_scope", scope="{needed}"'
    assert world.last()["reason"] == "insufficient-scope"
    assert world.lab.queries == []


def test_a_patient_scope_needs_a_patient_in_context(world: World) -> None:
    """`patient/` scopes mean the patient that was chosen at the launch."""
    answer = world.ask(PATH, token=world.token(without=("patient",)))
    assert (answer.status, answer.reason) == (403, "insufficient-scope")


def test_other_refusals_carry_no_challenge(world: World) -> None:
    """Another token would not help."""
    for token in (world.token(client_id="importer"), world.token(patient="p2")):
        answer = world.ask(PATH, token=token)
        assert answer.status == 403
        assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(
    "scope",
    [
        "patient/Observation.rs",
        "patient/Observation.read",
        "patient/*.read",
        "patient/*.*",
        "patient/Observation.cruds",
        "user/Observation.rs",
        "user/*.read",
        "http://smarthealthit.org/fhir/scopes/patient/Observation.rs",
    ],
)
def test_scopes_of_both_versions_are_understood(world: World, scope: str) -> None:
    """SMART v1 and v2."""
    world.lab.resources.append(observation("o1"))
    token = world.token(scope=f"openid launch {scope}")
    assert world.ask(PATH, token=token).references == ["Observation/o1"]
    assert world.ask("/fhir/city-lab/Observation/o1", token=token).json["id"] == "o1"
    assert world.last()["token"]["scopes"] == ["openid", "launch", scope]


@pytest.mark.parametrize("ignores", [False, True], ids=["a feed that obeys", "a feed that ignores parameters"])
def test_a_restricted_scope_narrows_the_search_and_the_answer(world: World, ignores: bool) -> None:
    """The restriction is said to the feed, and not believed to have been heard."""
    world.lab.ignores_parameters = ignores
    vital = {"category": [{"coding": [{"system": LABORATORY.partition("|")[0], "code": "vital-signs"}]}]}
    world.lab.resources += [observation("o1"), observation("v1", **vital)]
    token = world.token(scope=f"patient/Observation.rs?category={LABORATORY}")
    answer = world.ask(PATH, token=token)
    assert answer.references == ["Observation/o1"]
    assert b"vital-signs" not in answer.data
    assert f"category={LABORATORY}" in world.lab.queries[-1]
    assert world.last()["withheld"] == [{"reference": "Observation/v1", "rule": "scope"}]


def test_two_restrictions_are_a_union(world: World) -> None:
    """Which no search can say in one question: it is enforced on what comes back."""
    other = {"code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}, "category": []}
    world.lab.resources += [
        observation("o1"),
        observation("o2", **other),
        observation("o3", status="preliminary", **other),
    ]
    scope = (
        f"patient/Observation.s?category={LABORATORY} patient/Observation.s?code=http://loinc.org|2345-7&status=final"
    )
    assert world.ask(PATH, token=world.token(scope=scope)).references == ["Observation/o1", "Observation/o2"]


def test_a_read_outside_a_restricted_scope_is_absent(world: World) -> None:
    """As if it were not there: the restriction tells nothing of what it keeps back."""
    world.lab.resources += [observation("o1"), observation("v1", category=[])]
    token = world.token(scope=f"patient/Observation.rs?category={LABORATORY}")
    assert world.ask("/fhir/city-lab/Observation/o1", token=token).status == 200
    hidden, absent = (world.ask(f"/fhir/city-lab/Observation/{each}", token=token) for each in ("v1", "none"))
    assert (hidden.status, hidden.issue, hidden.reason) == (404, "not-found", "not-found")
    assert hidden.data.replace(hidden.headers["X-Request-Id"].encode(), b"") == absent.data.replace(
        absent.headers["X-Request-Id"].encode(), b""
    )
    assert list(hidden.headers.keys()) == list(absent.headers.keys())


def test_an_address_that_has_failed_too_often_is_429_without_a_challenge(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for credentials again would invite what is being slowed down."""
    monkeypatch.setattr(world.assembled.strangers, "admits", lambda address: False)
    answer = world.ask(PATH)
    assert (answer.status, answer.issue, answer.reason) == (429, "throttled", "caller-throttled")
    assert int(answer.headers["Retry-After"]) > 0
    assert "WWW-Authenticate" not in answer.headers
    assert world.lab.queries == []


def test_no_answer_names_the_source_or_the_person(world: World) -> None:
    """Diagnostics hold a request id, and texts are ours."""
    answers = [world.ask(PATH, token=world.token(client_id="importer")), world.ask(f"{PATH}&_elements=secret")]
    for answer in answers:
        for private in (b"dr-roy", CLIENT.encode(), LAB_BASE.encode(), b"p1", b"secret"):
            assert private not in answer.data
