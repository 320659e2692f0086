"""Where a client learns which authorization server to ask: SMART App Launch 2.2 and RFC 9728. Open, no patient data."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

_PASSED_ON = (
    "authorization_endpoint",
    "token_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "registration_endpoint",
    "management_endpoint",
    "token_endpoint_auth_methods_supported",
    "grant_types_supported",
    "response_types_supported",
)

CAPABILITIES = ("permission-patient", "permission-user", "permission-v1", "permission-v2")
"""What this resource server does by itself. Launches and client types are the authorization server's to announce."""


def scopes(types: Sequence[str]) -> list[str]:
    """The scopes that mean something here: reading and searching, nothing else."""
    return ["patient/*.rs", "user/*.rs", *(f"patient/{each}.rs" for each in types)]


def smart_configuration(issuer: Mapping[str, Any], types: Sequence[str]) -> bytes:
    """The smart-configuration document; `issuer` is the authorization server's own metadata."""
    told = {name: issuer[name] for name in _PASSED_ON if name in issuer}
    told.setdefault("grant_types_supported", ["authorization_code"])
    return orjson.dumps(
        told
        | {
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": scopes(types),
            "capabilities": CAPABILITIES,
        }
    )


def protected_resource(resource: str, title: str, issuers: Sequence[str], types: Sequence[str]) -> bytes:
    """RFC 9728 metadata of the feed's base `resource`."""
    return orjson.dumps(
        {
            "resource": resource,
            "authorization_servers": list(issuers),
            "scopes_supported": scopes(types),
            "bearer_methods_supported": ["header"],
            "resource_name": title,
        }
    )
