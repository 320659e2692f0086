"""What the script of a page reports of its reader: that something is printed, or copied. Nothing prevents either."""

from collections.abc import Mapping
from typing import Final

from policies.vocabulary.session import SessionStep

REPORTED: Final[Mapping[str, SessionStep]] = {"print": SessionStep.PRINTING, "copy": SessionStep.COPYING}
"""What the script says -> what is recorded."""
