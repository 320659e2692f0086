"""Gives schemathesis a token for each of its requests: one person may not ask as often as it does.

It reads them from the file that the variable TOKENS names, one a line, and begins anew at the end.
"""

import itertools
import os
from pathlib import Path

import schemathesis

_tokens = itertools.cycle(Path(os.environ["TOKENS"]).read_text(encoding="ascii").split())


@schemathesis.auth(refresh_interval=None)
class Persons:
    """A bearer token of somebody else each time."""

    def get(self, case, context):
        return next(_tokens)

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
