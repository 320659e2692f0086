"""The CapabilityStatement of one feed's base, made from the tables that requests are judged by (R4 5.1)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from plugin import __version__
from policies.vocabulary.resource_types import HANDLED
from policies.vocabulary.search_parameters import includes, naming_the_patient, offered

SINCE = "2026-11-25"
"""The day of the last change to what is offered."""

_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_URIS = {"authorize": "authorization_endpoint", "token": "token_endpoint", "introspect": "introspection_endpoint"}


def capability_statement(
    base: str, title: str, types: Sequence[str], issuer: Mapping[str, Any] | None, *, cors: bool
) -> bytes:
    """CapabilityStatement JSON for the feed at `base`; `issuer` is its discovery document, None if it cannot be had."""
    uris = tuple((name, issuer[key]) for name, key in _URIS.items() if issuer and key in issuer)
    return _made(base, title, tuple(types), uris, cors=cors)


@lru_cache(maxsize=256)
def _made(base: str, title: str, types: tuple[str, ...], uris: tuple[tuple[str, str], ...], *, cors: bool) -> bytes:
    """Made once for each feed and issuer: checking it against its model takes some milliseconds, and it is open."""
    security: dict[str, Any] = {
        "cors": cors,
        "service": [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}],
        "description": "SMART scopes, one patient in context, a purpose of use; every look is recorded.",
    }
    if uris:
        parts = [{"url": name, "valueUri": uri} for name, uri in uris]
        security["extension"] = [{"url": _OAUTH_URIS, "extension": parts}]
    return (
        CapabilityStatement.model_validate(
            {
                "status": "active",
                "date": SINCE,
                "kind": "instance",
                "software": {"name": "Vitrine", "version": __version__},
                "implementation": {"description": f"Consult-only view of {title}", "url": base},
                "fhirVersion": "4.0.1",
                "format": ["json", "application/fhir+json"],
                "rest": [
                    {
                        "mode": "server",
                        "documentation": "View only: results are shown, nothing can be stored, changed or exported.",
                        "security": security,
                        "resource": [*(_resource(each) for each in types), _FILES],
                    }
                ],
            }
        )
        .model_dump_json()
        .encode()
    )


_FILES = {
    "type": HANDLED,
    "documentation": "A file of a document: only at the address that the document gives, for five minutes.",
    "interaction": [{"code": "read"}],
    "versioning": "no-version",
}


def _resource(resource_type: str) -> dict[str, Any]:
    parameters = dict.fromkeys(naming_the_patient(resource_type), "reference") | offered(resource_type)
    return {
        "type": resource_type,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "conditionalCreate": False,
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        **({"searchInclude": included} if (included := list(includes(resource_type))) else {}),
        "searchParam": [{"name": name, "type": kind} for name, kind in parameters.items()],
    }
