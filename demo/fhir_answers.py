"""FHIR answers of the pretend servers, encoded so that `1.50` stays `1.50`."""

from typing import Any

from flask import Response

from demo.access_tokens import BearerError
from fhir_adapters.resource import encode


def fhir(tree: Any, status: int = 200) -> Response:
    """A FHIR JSON answer."""
    return Response(encode(tree), status, content_type="application/fhir+json")


def outcome(status: int, code: str) -> Response:
    """A refusal or failure: an OperationOutcome with one issue of FHIR's issue-type `code`."""
    return fhir({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}, status)


def unauthorized(error: BearerError) -> Response:
    """The refusal that RFC 6750 describes: no error code where there was no token."""
    response = outcome(error.status, "login" if error.status == 401 else "forbidden")
    detail = "" if error.error is None else f', error="{error.error}"'
    response.headers["WWW-Authenticate"] = f'Bearer realm="demo"{detail}'
    return response
