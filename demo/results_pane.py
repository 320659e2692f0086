"""The EHR's results pane as an OAuth client: SMART's authorization code flow with PKCE, up to the access token.

The EHR's pages use it with a browser in between; `run` plays the browser itself.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from demo.launches import Launches
from demo.loopback_http import post_form
from demo.oauth_clients import OAuthClient

MAX_BEGUN = 1_000
"""Sign-ins that were begun and never finished; the oldest is forgotten then."""
ASKED_SCOPES = "openid fhirUser launch patient/*.rs"


class SignInError(Exception):
    """The authorization server gave no token. The message is one sentence without secrets."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a finished sign-in gives."""

    access_token: str
    patient: str


class ResultsPane:
    """One per EHR. Safe to call from several threads.

    The state of a sign-in is not bound to a browser: this pretend EHR has no sessions of its own.
    """

    def __init__(self, client: OAuthClient, issuer: str, audience: str, launches: Launches) -> None:
        self._client = client
        self._issuer = issuer
        self._audience = audience
        self._launches = launches
        self._lock = threading.Lock()
        self._begun: dict[str, str] = {}

    def begin(self, patient: str) -> str:
        """The address to which a browser goes to sign in for this patient."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        with self._lock:
            self._begun[state] = verifier
            if len(self._begun) > MAX_BEGUN:
                del self._begun[next(iter(self._begun))]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uris[0],
            "scope": ASKED_SCOPES,
            "state": state,
            "aud": self._audience,
            "launch": self._launches.open(patient),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._issuer}/authorize?{urlencode(parameters)}"

    def finish(self, answered: Mapping[str, str]) -> Granted:
        """The token for the parameters with which the browser came back.

        Raises SignInError where they hold no code, or are not the answer of our issuer to a sign-in begun here; and
        UnreachableError.
        """
        with self._lock:
            verifier = self._begun.pop(answered.get("state", ""), None)
        if verifier is None or answered.get("iss") != self._issuer:
            raise SignInError("this is not the answer to a sign-in that was begun here")
        if "code" not in answered:
            raise SignInError("the sign-in was cancelled or refused")
        form = {
            "grant_type": "authorization_code",
            "code": answered["code"],
            "redirect_uri": self._client.redirect_uris[0],
            "code_verifier": verifier,
        }
        pair = base64.b64encode(f"{self._client.client_id}:{self._client.secret}".encode()).decode()
        answer = post_form(f"{self._issuer}/token", form, {"Authorization": f"Basic {pair}"})
        if answer.status != 200:
            raise SignInError(f"the authorization server refused the code (status {answer.status})")
        token = msgspec.json.decode(answer.body, type=dict)
        return Granted(token["access_token"], token["patient"])
