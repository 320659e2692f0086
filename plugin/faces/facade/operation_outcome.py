"""A ConsultError as FHIR says it: an OperationOutcome, a status, and what OAuth wants in the headers."""

from fhir.resources.R4B.operationoutcome import OperationOutcome

from plugin.errors import CallerThrottled, ConsultError, ScopeInsufficient, Unidentified

REFUSAL_SYSTEM = "urn:vitrine:refusal"
"""Code system of our reason keys."""


def outcome(error: ConsultError, request_id: str) -> bytes:
    """OperationOutcome JSON. Diagnostics hold the request id and nothing else."""
    return (
        OperationOutcome.model_validate(
            {
                "issue": [
                    {
                        "severity": "error",
                        "code": error.issue_code,
                        "details": {
                            "coding": [{"system": REFUSAL_SYSTEM, "code": error.reason}],
                            "text": error.text,
                        },
                        "diagnostics": f"request {request_id}",
                    }
                ]
            }
        )
        .model_dump_json()
        .encode()
    )


def challenge(error: ConsultError, metadata_url: str | None) -> str | None:
    """The WWW-Authenticate value that goes with `error` (RFC 6750 section 3, RFC 9728 section 5.1), or None.

    `metadata_url`: None where the address belongs to no feed.
    """
    parts = {"realm": "vitrine"} | ({} if metadata_url is None else {"resource_metadata": metadata_url})
    if isinstance(error, ScopeInsufficient):
        parts |= {"error": "insufficient_scope", "scope": error.needed}
    elif isinstance(error, Unidentified) and not isinstance(error, CallerThrottled):
        if error.oauth_error is not None:
            parts |= {"error": error.oauth_error, "error_description": error.text}
    else:
        return None
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parts.items())
