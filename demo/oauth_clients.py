"""The applications that the pretend authorization server knows, in the form that Authlib asks for.

What a client may get is listed here; how it gets it is in `authorization_server`.
"""

import secrets
from dataclasses import dataclass, field

from authlib.oauth2.rfc6749 import ClientMixin

RESULTS_PANE = "results-pane"
"""The part of the EHR that shows outside results. Confidential: a public client's id can be borrowed."""
GATEWAY = "vitrine"
"""The gateway's own backend client: at the EHR for the patient match, and at the feed that wants a token."""
INSURER_CLIENT = "vitrine-at-insurer"

VIEWER = "vitrine-viewer"
"""The gateway's viewer, as an application that the EHR launches."""
VIEWER_SCOPES = ("openid", "fhirUser", "launch", "launch/patient", "patient/*.rs")
LAUNCH_SCOPE = "patient/*.rs"

RESULTS_SCOPES = (
    "openid",
    "fhirUser",
    "launch",
    "launch/patient",
    "patient/*.rs",
    "patient/Observation.rs",
    "patient/DiagnosticReport.rs",
    "patient/DocumentReference.rs",
    "patient/ImagingStudy.rs",
    "patient/ExplanationOfBenefit.rs",
)
"""What it may ask for: everything of one patient, or less."""
EHR_SCOPE = "system/Patient.r"
INSURER_SCOPE = "system/*.rs"


@dataclass(frozen=True)
class OAuthClient(ClientMixin):
    """A client: one grant type, and the scopes, audiences and redirect URIs that it may ask for."""

    client_id: str
    grant_type: str
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    """FHIR bases that its tokens may be for. A client without a user has one."""
    redirect_uris: tuple[str, ...] = ()
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    public: bool = False
    """A page that signs in by itself: a secret would be everybody's, so it has none, and PKCE alone binds its code."""

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: SMART has every authorization request name its redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The allowed ones among those asked for, in that order; None if nothing is left (`invalid_scope`)."""
        asked = scope.split() if scope else self.scopes
        return " ".join(word for word in dict.fromkeys(asked) if word in self.scopes) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "none" if self.public else method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and self.grant_type == "authorization_code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == self.grant_type
