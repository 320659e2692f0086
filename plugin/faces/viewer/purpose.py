"""What a clinician may say that the looks are for, in the order of the page; the first one is chosen already."""

from collections.abc import Collection, Sequence
from typing import Final

from plugin.faces.pages.wording import Word
from plugin.faces.viewer.words import PURPOSES

CHOICES: Final[tuple[tuple[str, Word], ...]] = tuple(PURPOSES.items())


def choices(offered: Collection[str]) -> Sequence[tuple[str, Word]]:
    """Those that rules could permit a look for; all, where none: somebody may be helped by emergency access alone."""
    return [each for each in CHOICES if each[0] in offered] or CHOICES
