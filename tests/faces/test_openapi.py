"""The OpenAPI description says what the facade does: no address, parameter, answer or header more, and none less."""

import json
import re
from itertools import product

import pytest

from plugin import errors
from plugin.audit.search import read_parameters
from plugin.audit.search_parameters import PARAMETERS
from plugin.faces.facade.address import target
from plugin.faces.facade.openapi import openapi
from plugin.faces.facade.parameters import wish
from plugin.faces.http import HEADERS
from policies.vocabulary.interactions import CONSULTING
from policies.vocabulary.resource_types import CONSULTABLE
from policies.vocabulary.search_parameters import REFUSED, includes
from tests.world import World, observation

BASE = "https://vitrine.example/fhir/city-lab"
OPEN = {"/metadata", "/.well-known/smart-configuration", "/openapi.json"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
BESIDE = {"_sort", "_count", "_include", "_format", "_pretty", "_page"}
"""Parameters that change how an answer looks or goes on; a CapabilityStatement lists only those that filter."""
SAMPLES = {"token": "a|b,c", "date": "ge2024-02-29T08:00:00+01:00,2025", "reference": "Encounter/e1,e2"}


@pytest.fixture(scope="module")
def described():
    """The description of a feed that offers every type."""
    return json.loads(openapi(BASE, "City laboratory", CONSULTABLE))


def _resolved(described, node):
    if "$ref" not in node:
        return node
    for name in node["$ref"].removeprefix("#/").split("/"):
        described = described[name]
    return described


def test_whatever_looks_is_described_and_nothing_else(described):
    """Both ways: an address that is missing would be unknown to its users, one too many would be refused to them."""
    told = {
        (method.upper(), re.sub(r"\{\w+\}", "x1", path)) for path, item in described["paths"].items() for method in item
    }
    shapes = ["", "x1", "_history", "_search", "$lastn", "metadata", "openapi.json", ".well-known/smart-configuration"]
    shapes += [shape for each in (*CONSULTABLE, "Binary", "Encounter") for shape in _shapes(each)]
    answered = {("GET", path) for path in OPEN}
    for method, path in product(METHODS, shapes):
        meant = target(method, path.split("/") if path else [])
        if meant.interaction in CONSULTING and meant.objection is None:
            answered.add((method, f"/{path}"))
    assert told == answered


def _shapes(resource_type):
    below = ("", "/x1", "/_search", "/x1/_history", "/$lastn", "/x1/x2")
    return [f"{each}{resource_type}{shape}" for each in ("", "Patient/x1/", "Encounter/x1/") for shape in below]


def test_its_parameters_are_those_of_the_capability_statement(world: World):
    """Two descriptions of one table."""
    statement = world.ask("/fhir/city-lab/metadata", token="").json
    described = world.ask("/fhir/city-lab/openapi.json", token="").json
    searched = [each for each in statement["rest"][0]["resource"] if "searchParam" in each]
    assert len(searched) > 1
    for each in searched:
        filtering = {parameter["name"] for parameter in each["searchParam"]}
        operation = described["paths"][f"/{each['type']}"]["get"]
        assert {parameter["name"] for parameter in operation["parameters"]} - BESIDE == filtering
        form = described["paths"][f"/{each['type']}/_search"]["post"]["requestBody"]["content"]
        assert set(form["application/x-www-form-urlencoded"]["schema"]["properties"]) - BESIDE == filtering
    assert f"/{searched[0]['type']}/{{id}}" in described["paths"]


@pytest.mark.parametrize("resource_type", CONSULTABLE)
def test_a_value_of_the_described_form_is_taken(described, resource_type):
    """By the very function that refuses others."""
    for parameter in described["paths"][f"/{resource_type}"]["get"]["parameters"]:
        name, schema = parameter["name"], parameter["schema"]
        if name == "_page":
            continue
        each = schema["items"] if schema["type"] == "array" else schema
        values = each.get("enum") or [
            sample
            for sample in (*SAMPLES.values(), "p1", f"{BASE}/Patient/p1", "7")
            if re.search(each.get("pattern", "^[0-9]+$"), sample)
        ]
        assert values, name
        for value in values:
            wish(resource_type, [(name, value)], None, (BASE,))
    assert not REFUSED & {each["name"] for each in described["paths"][f"/{resource_type}"]["get"]["parameters"]}


def test_includes_are_the_named_pairs(described):
    for each in CONSULTABLE:
        parameters = {p["name"]: p for p in described["paths"][f"/{each}"]["get"]["parameters"]}
        told = parameters["_include"]["schema"]["items"]["enum"] if "_include" in parameters else []
        assert told == list(includes(each))


def _failures(described):
    """(status, reason) of each that is told."""
    told = set()
    for name, response in described["components"]["responses"].items():
        issue = response["content"]["application/fhir+json"]["schema"]["properties"]["issue"]["items"]["properties"]
        reasons = issue["details"]["properties"]["coding"]["items"]["properties"]["code"]["enum"]
        told |= {(int(name.removeprefix("Refused")), reason) for reason in reasons}
        assert issue["code"]["enum"]
    return told


def test_every_way_in_which_a_look_fails_is_described(described):
    """By its status, its issue code and its reason: clients are made from this."""
    told = _failures(described)
    refused = {(status, str(reason)) for reason, (_, status, _) in errors.REFUSALS.items() if status != 409}
    assert refused - told == {(410, "purged")}, "that only the log has"
    for failure in (errors.TokenExpired, errors.FeedTooSlow, errors.RecordUnavailable, errors.ConsultError):
        assert (failure.status, failure.reason) in told
    elsewhere = ("launch-", "view-unknown", "view-over", "form-", "purpose-", "break-glass-")
    assert not [reason for _, reason in told if reason.startswith(elsewhere)], "that only the viewer has"


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("Observation?patient=p1", None, 200),
        ("Observation/o1", None, 200),
        ("Observation/none", None, 404),
        ("Observation?patient=p1&colour=red", None, 400),
        ("Observation?patient=p2", None, 403),
        ("Observation?patient=p1", "", 401),
        ("Observation?patient=p1", "nonsense", 401),
        ("Observation?patient=p1&_format=xml", None, 406),
        ("Observation?patient=p1&_format=json;fhirVersion=5.0", None, 406),
        ("metadata", "", 200),
        (".well-known/smart-configuration", "", 200),
        ("openapi.json", "", 200),
    ],
)
def test_an_answer_is_one_of_those_that_are_described_with_its_headers(world: World, path, token, status):
    world.lab.resources.append(observation("o1"))
    described = world.ask("/fhir/city-lab/openapi.json", token="").json
    answer = world.ask(f"/fhir/city-lab/{path}", token=token)
    assert answer.status == status
    place = re.sub(r"^(\w+)/(?!smart)[^/]+$", r"/\1/{id}", path.partition("?")[0])
    operation = described["paths"]["/" + place.removeprefix("/")]["get"]
    response = _resolved(described, operation["responses"][str(status)])
    assert answer.headers["Content-Type"] in response["content"]
    for name, told in response["headers"].items():
        header = _resolved(described, told)
        if name in answer.headers:
            value, schema = answer.headers[name], header["schema"]
            assert value == schema.get("const", value)
            assert value in schema.get("enum", [value])
            assert re.search(schema.get("pattern", ""), value)
        else:
            assert not header.get("required"), name
    assert set(HEADERS) <= set(response["headers"])


def test_the_log_is_described_by_its_own_parameters(world: World):
    """`/fhir` is a base of its own, with one type."""
    described = world.ask("/fhir/openapi.json", token="").json
    looks = {path for path in described["paths"] if path not in OPEN}
    assert looks == {"/AuditEvent", "/AuditEvent/_search", "/AuditEvent/{id}"}
    told = {parameter["name"] for parameter in described["paths"]["/AuditEvent"]["get"]["parameters"]}
    assert told - BESIDE == set(PARAMETERS)
    assert {(410, "purged"), (503, errors.LogUnreadable.reason)} <= _failures(described)
    for order in ("date", "-date"):
        assert read_parameters([("_sort", order), ("_count", "9" * 17)], ()).newest_first is (order == "-date")


def test_it_is_open_and_names_no_patient_and_no_token(world: World):
    answer = world.ask("/fhir/city-lab/openapi.json", token="")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json["openapi"] == "3.1.0"
    assert world.named() == []
    assert world.ask("/fhir/elsewhere/openapi.json", token="").status == 401
    assert world.ask("/fhir/elsewhere/openapi.json").status == 404
