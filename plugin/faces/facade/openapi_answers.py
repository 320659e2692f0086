"""How OpenAPI says what is answered: what a search and a read give, each refusal by its status, the headers of all."""

from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from plugin import errors
from plugin.faces.facade.operation_outcome import REFUSAL_SYSTEM
from plugin.faces.http import HEADERS, MALFORMED, Malformed
from policies.vocabulary.consultation import Reason
from policies.vocabulary.resource_types import HANDLED

Schema = dict[str, Any]

FHIR_JSON = "application/fhir+json"
_SECURITY: Schema = {
    "type": "object",
    "required": ["security"],
    "properties": {
        "security": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["system", "code"],
                "properties": {"system": {"type": "string", "format": "uri"}, "code": {"type": "string"}},
            },
        }
    },
}
"""`meta` of what is shown: how it must be handled."""

_OF_THE_VIEWER = (
    errors.LaunchMalformed,
    errors.LaunchForeign,
    errors.LaunchMixedUp,
    errors.LaunchForgotten,
    errors.LaunchDenied,
    errors.LaunchUnproven,
    errors.ViewUnknown,
    errors.FormForeign,
)
_FAILURES = tuple(
    each
    for each in vars(errors).values()
    if isinstance(each, type)
    and issubclass(each, errors.ConsultError)
    and not issubclass(each, (errors.Refused, errors.LogUnreadable, *_OF_THE_VIEWER))
)
"""How a look at results fails otherwise than by a refusal."""
_ELSEWHERE = frozenset({Reason.BREAK_GLASS_OPEN, Reason.BREAK_GLASS_NOT_OPEN, Reason.PURPOSE_STATED})
"""Reasons that no request to this face has."""
_OF_BODIES = frozenset({413, 415})
"""Statuses of requests with a body, as POST `_search` alone has one."""
_NO_METHOD = 405

_EXTRA: dict[int, tuple[str, ...]] = {
    400: ("WWW-Authenticate",),
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
}
_RETRIED = frozenset({429, 502, 503, 504})


def headers() -> dict[str, Schema]:
    """`components.headers`: those of every answer, whatever it is, and those of some."""
    fixed = {name: {"required": True, "schema": {"type": "string", "const": value}} for name, value in HEADERS.items()}
    own = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
    return fixed | {
        _SHARING: {"required": True, "schema": {"type": "string", "enum": [HEADERS[_SHARING], "cross-origin"]}},
        "X-Request-Id": {"required": True, "schema": own, "description": "Made by us; the record carries it as well."},
        "WWW-Authenticate": {
            "schema": {"type": "string", "pattern": "^Bearer realm="},
            "description": "RFC 6750 and RFC 9728: why the token is refused, and where a good one is to be had.",
        },
        "Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": "Seconds."},
        "Allow": {"required": True, "schema": {"type": "string"}, "description": "What the address answers."},
    }


def schemas(types: Iterable[str]) -> dict[str, Schema]:
    """`components.schemas`: what a search and a read give, by type, and the OperationOutcome that every refusal is."""
    made: dict[str, Schema] = {
        "OperationOutcome": _outcome({}),
        "Shown": _shown({"pattern": "^[A-Z][A-Za-z]+$"}),
        HANDLED: _file(),
    }
    for each in types:
        made[each] = _shown({"const": each})
        made[f"{each}Searchset"] = _searchset(each)
    return made


def responses(*, of_log: bool = False) -> dict[str, Schema]:
    """`components.responses`: each refusal by its status; `of_log`: with what only the log's base answers."""
    elsewhere = _ELSEWHERE if of_log else _ELSEWHERE | {Reason.PURGED}
    by_status: dict[int, dict[str, tuple[str, str]]] = defaultdict(dict)
    for reason, (issue_code, status, sentence) in errors.REFUSALS.items():
        if reason not in elsewhere:
            by_status[status][str(reason)] = (issue_code, sentence.format(about="…"))
    failures: list[type[errors.ConsultError]] = [*_FAILURES, *([errors.LogUnreadable] if of_log else [])]
    for failure in failures:
        by_status[failure.status][failure.reason] = (failure.issue_code, failure.text)
    for sentence, status, issue_code in MALFORMED:
        _, others = by_status[status].get(Malformed.reason, ("", ""))
        by_status[status][Malformed.reason] = (issue_code, f"{others} {sentence}".strip())
    # On a base nothing is changed either, but there is no other method there to name.
    by_status[403][str(Reason.VIEW_ONLY)] = errors.REFUSALS[Reason.VIEW_ONLY][::2]
    return {_name(status): _response(status, reasons) for status, reasons in sorted(by_status.items())}


def refusals(*, body: bool = False) -> dict[str, Schema]:
    """The refusals that an operation may answer, by status; `body`: it takes a form."""
    found = [HTTPStatus(int(name.removeprefix("Refused"))) for name in responses()]
    fitting = [each for each in found if each != _NO_METHOD and (body or each not in _OF_BODIES)]
    return {str(each.value): {"$ref": f"#/components/responses/{_name(each)}"} for each in fitting}


def given(schema: Schema, description: str, *, media_type: str = FHIR_JSON) -> Schema:
    """An answer with status 200."""
    return {"description": description, "headers": _refer(), "content": {media_type: {"schema": schema}}}


_SHARING = "Cross-Origin-Resource-Policy"


def _name(status: int) -> str:
    return f"Refused{int(status)}"


def _refer(*more: str) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*HEADERS, "X-Request-Id", *more)}


def _response(status: int, reasons: dict[str, tuple[str, str]]) -> Schema:
    told = "".join(f"\n- `{reason}`: {sentence}" for reason, (_, sentence) in sorted(reasons.items()))
    more = (*_EXTRA.get(status, ()), *(("Retry-After",) if status in _RETRIED else ()))
    more += ("Allow",) if status == _NO_METHOD else ()
    codes = sorted({code for code, _ in reasons.values()})
    schema = _outcome({"code": {"enum": codes}}, reasons=sorted(reasons))
    return {
        "description": f"{HTTPStatus(status).phrase}. Nothing is shown:{told}",
        "headers": _refer(*more),
        "content": {FHIR_JSON: {"schema": schema}},
    }


def _outcome(issue: Schema, reasons: Iterable[str] = ()) -> Schema:
    code: Schema = {"type": "string", **({"enum": list(reasons)} if reasons else {})}
    coding = {
        "type": "object",
        "required": ["system", "code"],
        "properties": {"system": {"const": REFUSAL_SYSTEM}, "code": code},
    }
    details = {
        "type": "object",
        "required": ["coding", "text"],
        "properties": {
            "coding": {"type": "array", "items": coding, "minItems": 1, "maxItems": 1},
            "text": {"type": "string"},
        },
    }
    members = {
        "severity": {"enum": ["error", "information"]},
        "code": {"type": "string"},
        "details": details,
        "diagnostics": {"type": "string", "pattern": "^request [0-9a-f]{32}$"},
        **issue,
    }
    one = {"type": "object", "required": ["severity", "code", "details"], "properties": members}
    return {
        "type": "object",
        "required": ["resourceType", "issue"],
        "properties": {
            "resourceType": {"const": "OperationOutcome"},
            "issue": {"type": "array", "items": one, "minItems": 1, "maxItems": 1},
        },
    }


def _shown(resource_type: Schema) -> Schema:
    """A resource as it is given out; what else is in it is FHIR R4's."""
    return {
        "type": "object",
        "required": ["resourceType", "id", "meta"],
        "properties": {
            "resourceType": {"type": "string", **resource_type},
            "id": {"type": "string"},
            "meta": _SECURITY,
        },
    }


def log_schemas(resource_type: str) -> dict[str, Schema]:
    """`components.schemas` of the log: its events are ours, and need no labels of handling."""
    event = {
        "type": "object",
        "required": ["resourceType", "id"],
        "properties": {"resourceType": {"const": resource_type}, "id": {"type": "string", "pattern": "^[0-9]+$"}},
    }
    entries = [_entry("match", {"$ref": f"#/components/schemas/{resource_type}"}, addressed=True)]
    return {
        "OperationOutcome": _outcome({}),
        resource_type: event,
        f"{resource_type}Searchset": _bundle(entries, labelled=False),
    }


def _file() -> Schema:
    """A file of a document, in base64."""
    of_document = {"type": "object", "required": ["reference"], "properties": {"reference": {"type": "string"}}}
    shown = _shown({"const": HANDLED})
    members = {
        "contentType": {"type": "string"},
        "securityContext": of_document,
        "data": {"type": "string", "contentEncoding": "base64"},
    }
    return {**shown, "required": [*shown["required"], *members], "properties": {**shown["properties"], **members}}


def _searchset(resource_type: str) -> Schema:
    entries = [
        _entry("match", {"$ref": f"#/components/schemas/{resource_type}"}, addressed=True),
        _entry("include", {"$ref": "#/components/schemas/Shown"}, addressed=True),
        _entry("outcome", {"$ref": "#/components/schemas/OperationOutcome"}, addressed=False),
    ]
    return _bundle(entries, labelled=True)


def _bundle(entries: list[Schema], *, labelled: bool) -> Schema:
    link = {
        "type": "object",
        "required": ["relation", "url"],
        "properties": {"relation": {"enum": ["self", "next"]}, "url": {"type": "string", "format": "uri"}},
    }
    return {
        "type": "object",
        "required": ["resourceType", "type", "link", *(["meta"] if labelled else [])],
        "properties": {
            "resourceType": {"const": "Bundle"},
            **({"meta": _SECURITY} if labelled else {}),
            "type": {"const": "searchset"},
            "total": False,
            "link": {"type": "array", "items": link, "minItems": 1, "maxItems": 2},
            "entry": {"type": "array", "minItems": 1, "items": {"oneOf": entries}},
        },
    }


def _entry(mode: str, resource: Schema, *, addressed: bool) -> Schema:
    return {
        "type": "object",
        "required": ["resource", "search", *(["fullUrl"] if addressed else [])],
        "properties": {
            "fullUrl": {"type": "string", "format": "uri"},
            "resource": resource,
            "search": {"type": "object", "required": ["mode"], "properties": {"mode": {"const": mode}}},
        },
        "additionalProperties": False,
    }
