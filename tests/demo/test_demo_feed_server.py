"""The sample feeds answer over HTTP as the servers would that they stand for, each with its own habits."""

import base64
from urllib.parse import urlsplit

import pytest

CITY_LAB, IMAGING, INSURER, AUTHORIZATION_SERVER = 8083, 8084, 8085, 8082


@pytest.fixture
def basic(hospital):
    pair = f"vitrine:{hospital.credentials.city_lab_password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def bundle(client, address, headers=None):
    answer = client.get(address, headers=headers or {})
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/fhir+json"
    return answer.get_json()


def link(page, relation):
    return next((row["url"] for row in page["link"] if row["relation"] == relation), None)


def test_next_links_are_absolute_and_lead_through_every_match_once(server_at, basic):
    """The gateway follows them as they are; a page lost or repeated would be a result lost or repeated."""
    client, address, seen = server_at(CITY_LAB), "/fhir/Observation?category=laboratory&_count=50", []
    while address:
        page = bundle(client, address, basic)
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        following = link(page, "next")
        assert following is None or following.startswith("http://127.0.0.1:8083/fhir/Observation?category=laboratory&")
        address = following and urlsplit(following)._replace(scheme="", netloc="").geturl()
    assert len(seen) > 50
    assert len(set(seen)) == len(seen) == page["total"]


def test_a_number_keeps_the_digits_that_the_laboratory_wrote(server_at, basic):
    """1.50 is a measurement to two places; 1.5 is another statement."""
    text = server_at(CITY_LAB).get("/fhir/Observation?_count=50", headers=basic).text
    assert '"value":0.80' in text


def test_the_laboratory_asks_for_a_password(server_at, basic):
    """401 with the scheme to use, and nothing else."""
    for headers in ({}, {"Authorization": "Basic dml0cmluZTp4"}, {"Authorization": "Bearer x"}):
        answer = server_at(CITY_LAB).get("/fhir/Observation", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert server_at(CITY_LAB).get("/fhir/Observation/nothing", headers=basic).status_code == 404


def test_imaging_asks_for_nothing_and_writes_no_full_urls(server_at):
    """Servers of this kind exist; references must then be resolved without them."""
    page = bundle(server_at(IMAGING), "/fhir/DiagnosticReport")
    assert page["entry"]
    assert not any("fullUrl" in entry for entry in page["entry"])
    assert page["total"] == len(page["entry"])


def test_a_file_is_named_by_its_address_at_the_server_that_has_it(server_at):
    """As any server writes its own: an address of elsewhere would not be opened by the gateway."""
    found = server_at(IMAGING).get("/fhir/DocumentReference/doc-50361-4").json["content"][0]["attachment"]["url"]
    base, _, name = found.partition("/fhir/")
    assert base.startswith("http://127.0.0.1:")
    assert server_at(IMAGING).get(f"/fhir/{name}").json["resourceType"] == "Binary"


def test_the_insurer_wants_a_token_for_itself_and_tells_no_total(hospital, server_at):
    """A token for the EHR, from the same issuer, opens nothing here."""
    tokens = []
    for client in (hospital.credentials.ehr, hospital.credentials.insurer):
        form = {"grant_type": "client_credentials"}
        answer = server_at(AUTHORIZATION_SERVER).post("/token", data=form, auth=(client.client_id, client.secret))
        tokens.append({"Authorization": f"Bearer {answer.get_json()['access_token']}"})
    insurer = server_at(INSURER)
    assert insurer.get("/fhir/ExplanationOfBenefit").status_code == 401
    assert insurer.get("/fhir/ExplanationOfBenefit", headers=tokens[0]).status_code == 401
    page = bundle(insurer, "/fhir/ExplanationOfBenefit?_count=2", tokens[1])
    assert len(page["entry"]) == 2
    assert "total" not in page


def test_an_empty_answer_has_no_entry_member(server_at):
    """FHIR JSON knows no empty arrays."""
    assert "entry" not in bundle(server_at(IMAGING), "/fhir/DiagnosticReport?patient=nobody")


@pytest.mark.parametrize("address", ["/fhir/Observation?_count=x", "/fhir/Observation?_offset=-1", "/fhir/Patient?x=1"])
def test_what_a_feed_does_not_understand_it_refuses(server_at, address):
    """An ignored parameter would widen the answer."""
    answer = server_at(IMAGING).get(address)
    assert answer.status_code == 400
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_a_feed_is_read_only_and_says_what_it_is(server_at):
    """`vitrine feed check` reads this."""
    statement = server_at(IMAGING).get("/fhir/metadata").get_json()
    assert statement["fhirVersion"] == "4.0.1"
    assert {code["code"] for row in statement["rest"][0]["resource"] for code in row["interaction"]} == {
        "read",
        "search-type",
    }
    for method in ("post", "put", "patch", "delete"):
        assert getattr(server_at(IMAGING), method)("/fhir/Patient/p1").status_code == 405
