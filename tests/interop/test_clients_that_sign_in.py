"""Clients that sign in by themselves, at the demonstration's authorization server, and bring its token with them."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.clients import run
from tests.interop.programs import HERE, installed
from tests.interop.sign_in import SignIn, serving_files, signing_in
from tests.interop.site import ids

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]

ALMA = "ehr-1001"
THERE = "lab-20417"
NO = "This gateway gives view-only access; nothing can be stored or changed through it."


@pytest.fixture(scope="module")
def around(tmp_path_factory, neighbours) -> Iterator[SignIn]:
    with signing_in(tmp_path_factory.mktemp("site"), neighbours) as made:
        yield made


@pytest.fixture(scope="module")
def openid_client(around, tmp_path_factory) -> dict[str, Any]:
    """What openid-client's program was given and told."""
    launch = around.launches.open(ALMA)
    identity = (around.issuer, around.pane.client_id, around.pane.secret, around.pane.redirect_uris[0])
    return run("openid_client.mjs", tmp_path_factory.mktemp("client"), around.base, *identity, launch)


def expected(around, token) -> list[str]:
    """The ids of all results, on one page."""
    answer = around.site.ask(f"/fhir/city-lab/Observation?patient={ALMA}&_count=200", token=token)
    return [each.removeprefix("Observation/") for each in ids(answer.json)]


def test_openid_client_finds_its_way_from_the_resource_to_its_server(around, openid_client):
    """RFC 9728, then OpenID Connect Discovery; it compares the issuer character by character."""
    assert openid_client["resource"] == {"gave": {"resource": around.base, "servers": [around.issuer]}}
    assert openid_client["discovery"] == {"gave": around.issuer}
    assert openid_client["sign in"]["gave"]["patient"] == ALMA


def test_openid_client_reads_searches_and_pages_with_its_token(openid_client):
    assert openid_client["read"] == {"gave": THERE}
    assert set(openid_client["search"]["gave"]) == {"718-7"}
    found = openid_client["pages"]["gave"]
    assert len(found) == len(set(found)) > 20


@pytest.mark.parametrize("write", ["create", "update", "delete"])
def test_openid_client_is_told_no_in_our_words(openid_client, write):
    """It gives the answer as it is: 405 is none of OAuth's errors."""
    said = openid_client[write]["gave"]
    assert (said["status"], said["allow"]) == (405, "GET")
    assert said["body"]["issue"][0]["details"]["text"] == NO


@pytest.mark.parametrize("token", ["nonsense", "id_token"])
def test_openid_client_understands_why_a_token_is_refused(around, openid_client, token):
    """It reads WWW-Authenticate by its grammar; what it finds there leads to where a good one is to be had."""
    refused = openid_client[token]
    assert refused["told"]["status"] == 401
    (challenge,) = refused["told"]["challenges"]
    assert challenge["scheme"] == "bearer"
    assert challenge["parameters"]["error"] == "invalid_token"
    metadata = f"{around.site.base}/.well-known/oauth-protected-resource/fhir/city-lab"
    assert challenge["parameters"]["resource_metadata"] == metadata


@pytest.fixture(scope="module")
def in_browser(around, tmp_path_factory, browser) -> Iterator[dict[str, Any]]:
    """What fhirclient's page was given and told in Chromium, after the EHR launched it and somebody signed in."""
    folder = tmp_path_factory.mktemp("pages")
    library = installed("javascript", ".installed") / "node_modules/fhirclient/build/fhir-client.js"
    for each in (library, *(HERE / "clients" / "page").iterdir()):
        shutil.copy(each, folder)
    with serving_files(folder, around.pages):
        context = browser.new_context()
        try:
            page = context.new_page()
            page.set_default_timeout(120_000)
            page.goto(f"{around.pages}/launch.html?iss={around.base}&launch={around.launches.open(ALMA)}")
            page.get_by_role("button", name="Continue").click()
            page.wait_for_function("window.looked")
            looked = page.evaluate("window.looked")
            elsewhere = context.new_page()
            elsewhere.goto(f"{around.pages.replace('127.0.0.1', 'localhost')}/launch.html")
            looked["elsewhere"] = elsewhere.evaluate(
                "([address, token]) => fetch(address, {headers: {Authorization: `Bearer ${token}`}})"
                ".then((answer) => answer.status, (error) => error.message)",
                [f"{around.base}/Patient/{ALMA}", looked["token"]],
            )
            yield looked
        finally:
            context.close()


def test_a_page_that_the_ehr_launches_has_its_patient_in_context(in_browser):
    context = in_browser["steps"]["context"]["gave"]
    assert context["patient"] == ALMA
    assert "Practitioner/" in context["user"]


def test_a_page_reads_searches_and_pages_from_its_own_origin(around, in_browser):
    """Another origin than ours, which the configuration names: the browser lets it see what we answer."""
    steps = in_browser["steps"]
    assert steps["read"] == {"gave": THERE}
    assert set(steps["search"]["gave"]) == {"718-7"}
    assert steps["pages"] == {"gave": expected(around, in_browser["token"])}
    assert steps["in context"] == {"gave": ["DiagnosticReport"]}


def test_a_page_can_read_the_request_id_that_support_asks_for(in_browser):
    assert "x-request-id" in in_browser["steps"]["headers"]["gave"]


def test_a_page_that_creates_is_told_no_in_our_words(around, in_browser):
    told = in_browser["steps"]["create"]["told"]
    assert told["status"] == 405
    assert NO in told["message"]
    refused = [each for each in around.site.bodies() if each["reason"] == "view-only"]
    assert "create" in [each["asked"]["interaction"] for each in refused if each["client"]["id"] == "page"]


def test_a_page_that_updates_is_stopped_by_its_own_browser(in_browser):
    """The preflight for PUT is not granted, so nothing of the result ever leaves the page."""
    assert in_browser["steps"]["update"]["told"] == {"status": None, "message": "Network request failed"}


def test_a_page_of_another_origin_sees_nothing(in_browser):
    """Although it has the token."""
    assert in_browser["elsewhere"] == "Failed to fetch"
