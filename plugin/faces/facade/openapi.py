"""The OpenAPI 3.1 description of one feed's base, from the tables that requests are judged by. Open, like metadata.

FHIR's own description of the same is the CapabilityStatement. What this one adds for programs that know no FHIR: the
forms of values, each refusal by its status, and the headers.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from plugin import __version__
from plugin.faces.facade.openapi_answers import given, headers, refusals, responses, schemas
from plugin.faces.facade.openapi_parameters import ID, appearance, form, query, searched
from policies.vocabulary.interactions import SCOPE_LETTERS, Interaction
from policies.vocabulary.resource_types import HANDLED

Schema = dict[str, Any]

MEDIA_TYPE = "application/json"
FORM = "application/x-www-form-urlencoded"

_ABOUT = """\
Consult-only: results are shown, nothing can be stored, changed or exported. Each look concerns one patient, needs a \
person's access token, and leaves one record. On the addresses described here every other method is answered with 405 \
and `Allow`, once it is known who asks; whatever is not described is refused with an OperationOutcome too."""


@lru_cache(maxsize=256)
def openapi(base: str, title: str, types: tuple[str, ...]) -> bytes:
    """The description, as JSON, of the feed at `base`, which offers `types`."""
    smart = {"type": "object", "required": ["capabilities", "scopes_supported", "code_challenge_methods_supported"]}
    found = given(smart, "SMART App Launch 2.2, section 2.", media_type=MEDIA_TYPE)
    paths = {
        **open_documents(),
        "/.well-known/smart-configuration": _open("smart-configuration", "Where to get a token", found),
        **_looks(types, base),
    }
    return document(base, f"Consult-only view of {title}", _ABOUT, paths, responses(), schemas(types))


def document(
    base: str,
    title: str,
    about: str,
    paths: Mapping[str, Schema],
    answers: Mapping[str, Schema],
    shown: Mapping[str, Schema],
) -> bytes:
    """A description as JSON; `answers` and `shown` are what `paths` refer to, beside the headers of all answers."""
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "A SMART access token, in the Authorization header only; RFC 9728 says where it is to be had.",
    }
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": title, "version": __version__, "description": about},
            "servers": [{"url": base}],
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "securitySchemes": {"bearer": bearer},
                "headers": headers(),
                "responses": answers,
                "schemas": shown,
            },
        }
    )


def open_documents() -> dict[str, Schema]:
    """What everybody may read of any base."""
    statement = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"const": "CapabilityStatement"}},
    }
    described = {"type": "object", "required": ["openapi", "info", "paths"]}
    return {
        "/metadata": _open("capabilities", "The CapabilityStatement", given(statement, "What this base offers.")),
        "/openapi.json": _open("openapi", "This description", given(described, "OpenAPI 3.1.", media_type=MEDIA_TYPE)),
    }


def _open(name: str, summary: str, answer: Schema) -> Schema:
    return {
        "get": {"operationId": name, "summary": summary, "security": [], "responses": {"200": answer, **refusals()}}
    }


def _looks(types: Sequence[str], base: str) -> dict[str, Schema]:
    """The consult-only set: read, search, and search below the patient."""
    paths: dict[str, Schema] = {}
    for each in types:
        members = searched(each, base)
        paths[f"/{each}"] = {"get": _search(each, query(members))}
        paths[f"/{each}/_search"] = {"post": _search_by_form(each, searched(each, base, compartment=True))}
        paths[f"/{each}/{{id}}"] = {"get": _read(each)}
        if each != "Patient":
            below = searched(each, base, compartment=True)
            paths[f"/Patient/{{patient_id}}/{each}"] = {"get": _below(_search(each, query(below)))}
            paths[f"/Patient/{{patient_id}}/{each}/_search"] = {"post": _below(_search_by_form(each, below))}
    return paths | {f"/{HANDLED}/{{id}}": {"get": _open_file()}}


def _search(resource_type: str, parameters: list[Schema]) -> Schema:
    return {
        "operationId": f"search-{resource_type}",
        "summary": f"Search {resource_type} of one patient",
        "security": _needs(resource_type, Interaction.SEARCH_TYPE),
        "parameters": parameters,
        "responses": {"200": _found(resource_type), **refusals()},
    }


def _search_by_form(resource_type: str, members: dict[str, Any]) -> Schema:
    return {
        "operationId": f"search-{resource_type}-by-form",
        "summary": f"Search {resource_type} of one patient, whose id then stands in no address",
        "security": _needs(resource_type, Interaction.SEARCH_TYPE),
        "requestBody": {"content": {FORM: form(members)}},
        "responses": {"200": _found(resource_type), **refusals(body=True)},
    }


def _below(operation: Schema) -> Schema:
    """The same search, with the patient in the address."""
    patient = {"name": "patient_id", "in": "path", "required": True, "schema": ID, "description": "The id at the EHR."}
    return {
        **operation,
        "operationId": f"{operation['operationId']}-below-patient",
        "parameters": [patient, *operation.get("parameters", ())],
    }


def _read(resource_type: str) -> Schema:
    said = (
        "The id at the EHR, or the feed's own as a reference of ours has it."
        if resource_type == "Patient"
        else "Its id."
    )
    return {
        "operationId": f"read-{resource_type}",
        "summary": f"Read one {resource_type} of the patient in context",
        "security": _needs(resource_type, Interaction.READ),
        "parameters": [in_path(said), *query(appearance())],
        "responses": {"200": given({"$ref": f"#/components/schemas/{resource_type}"}, "The resource."), **refusals()},
    }


def _open_file() -> Schema:
    """Of the type that it belongs to: which one, only the handle knows."""
    shown = given({"$ref": f"#/components/schemas/{HANDLED}"}, "The file, in FHIR's form.")
    return {
        "operationId": "open-file",
        "summary": "Open a file of a document",
        "parameters": [
            in_path("As the address in the document has it: for whom it was issued, five minutes."),
            *query(appearance()),
        ],
        "responses": {"200": shown, **refusals()},
    }


def in_path(said: str) -> Schema:
    """The parameter `id` of an address."""
    return {"name": "id", "in": "path", "required": True, "schema": ID, "description": said}


def _found(resource_type: str) -> Schema:
    return given({"$ref": f"#/components/schemas/{resource_type}Searchset"}, "What may be shown; perhaps nothing.")


def _needs(resource_type: str, interaction: Interaction) -> list[Schema]:
    return [{"bearer": [f"patient/{resource_type}.{SCOPE_LETTERS[interaction]}"]}]
