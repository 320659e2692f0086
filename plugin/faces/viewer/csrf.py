"""Forms are taken only from pages of the same view: a token that the view's own secret makes, and the browser's word.

A page elsewhere can send a form with the clinician's cookie, but can neither read this token nor make one.
"""

import hashlib
import hmac
from collections.abc import Sequence

from flask import Request

from plugin.authentication.credential import LaunchSession
from plugin.sealing import derived

FIELD = "form"
"""The hidden field of each form; also of what the page's script reports."""


class FormTokens:
    """Makes and checks tokens. Keeps nothing."""

    def __init__(self, keys: Sequence[bytes], origin: str) -> None:
        """`keys`: those of `key_file`, the current one first; `origin`: that of our pages, as browsers send it."""
        self._keys = derived(keys, "viewer-forms")
        self._origin = origin

    def token(self, credential: LaunchSession) -> str:
        """For the forms of this view."""
        return _token(self._keys[0], credential)

    def accepts(self, request: Request, credential: LaunchSession) -> bool:
        """Whether a form was sent from a page of this view."""
        # Browsers say "null" for our own forms too: our pages give no referrer. The token tells them apart.
        if request.headers.get("Origin", "null") not in ("null", self._origin):
            return False
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return False
        given = request.form.get(FIELD, "")
        return any(hmac.compare_digest(_token(key, credential), given) for key in self._keys if given.isascii())


def _token(key: bytes, credential: LaunchSession) -> str:
    told = f"{credential.view}\n{credential.secret}".encode()
    return hmac.new(key, told, hashlib.sha256).hexdigest()
