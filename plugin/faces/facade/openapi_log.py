"""The OpenAPI 3.1 description of the log's base (`audit_log`), from the table of its search parameters."""

from functools import lru_cache
from typing import Any

from plugin.audit.search import MAX_COUNT, MAX_DIGITS, MAX_PARAMETERS, MAX_VALUE, ORDERS
from plugin.audit.search_parameters import PARAMETERS
from plugin.faces.facade.audit_log import SCOPES, TYPE
from plugin.faces.facade.openapi import FORM, document, in_path, open_documents
from plugin.faces.facade.openapi_answers import given, log_schemas, refusals, responses
from plugin.faces.facade.openapi_parameters import Member, appearance, form, query
from plugin.faces.facade.page_link import PARAMETER
from policies.vocabulary.log_search import DEFAULT_COUNT

Schema = dict[str, Any]

_ABOUT = """\
The audit log, for auditors (IHE ITI-81). It is searched and read; nothing is added, changed or deleted through it. \
Each look needs the token of a person with the role of an auditor and a purpose of oversight, and leaves a record."""


@lru_cache(maxsize=1)
def log_openapi(base: str) -> bytes:
    """The description, as JSON; `base` is `<public_base>/fhir`."""
    members = _searched()
    found = given({"$ref": f"#/components/schemas/{TYPE}Searchset"}, "The events that were found; perhaps none.")
    looks = {
        f"/{TYPE}": {"get": _look("search", "Search the log", found, parameters=query(members))},
        f"/{TYPE}/_search": {
            "post": _look("search-by-form", "Search the log", found, requestBody={"content": {FORM: form(members)}})
        },
        f"/{TYPE}/{{id}}": {
            "get": _look(
                "read",
                "Read one event",
                given({"$ref": f"#/components/schemas/{TYPE}"}, "The event."),
                parameters=[in_path("Its position in the log."), *query(appearance())],
            )
        },
    }
    paths = open_documents() | looks
    return document(base, "The audit log", _ABOUT, paths, responses(of_log=True), log_schemas(TYPE))


def _look(name: str, summary: str, found: Schema, **asked: Any) -> Schema:
    return {
        "operationId": f"{name}-{TYPE}",
        "summary": summary,
        "security": [{"bearer": list(SCOPES)}],
        **asked,
        "responses": {"200": found, **refusals(body="requestBody" in asked)},
    }


def _searched() -> dict[str, Member]:
    value = {"type": "string", "minLength": 1, "maxLength": MAX_VALUE}
    several = {"type": "array", "items": value, "maxItems": MAX_PARAMETERS}
    size = {"type": "integer", "minimum": 1, "maximum": 10**MAX_DIGITS - 1}
    return {
        **{name: (several, f"{kind.documentation} ({kind.type})") for name, kind in PARAMETERS.items()},
        "_sort": ({"type": "string", "enum": sorted(ORDERS)}, "By time; the newest first without it."),
        "_count": (
            size,
            f"Events on a page; {DEFAULT_COUNT} without it, {MAX_COUNT} at most, larger wishes are clamped.",
        ),
        **appearance(),
        PARAMETER: (
            {"type": "string", "minLength": 1},
            "Where a search goes on, as a next link has it; beside it only _format and _pretty.",
        ),
    }
