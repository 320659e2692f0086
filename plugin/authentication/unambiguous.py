"""JSON of tokens, issuers and EHRs, as long as no two readers could read it differently."""

from typing import Any

import jiter


def parsed(text: bytes) -> Any:
    """The value. Raises ValueError: not JSON in UTF-8, nested too deeply, with a doubled key, NaN or an infinity."""
    return jiter.from_json(
        text,
        catch_duplicate_keys=True,
        allow_inf_nan=False,
        cache_mode="none",  # the parser's cache of strings would keep parts of tokens in memory
    )
