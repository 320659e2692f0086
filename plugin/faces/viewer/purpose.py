"""What a clinician may say that the looks are for, in the order of the page; the first one is chosen already."""

from typing import Final

from plugin.faces.pages.wording import Word
from plugin.faces.viewer.words import PURPOSES

CHOICES: Final[tuple[tuple[str, Word], ...]] = tuple(PURPOSES.items())
