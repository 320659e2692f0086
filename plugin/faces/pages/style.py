"""The EHR's colours, as far as they are safe: `smart_style_url` names six-digit colours, and contrast is kept.

A colour of somebody else's page could be any text, and could make ours unreadable: what is not `#rrggbb`, or would not
be read on the background that we give it, is left out. Fonts, sizes and radii stay ours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
READABLE = 4.5
"""WCAG 2.2, 1.4.3: the contrast of text on its background."""

_ACCENT_KEY = "color_highlight"
"""Of SMART's style: the EHR's own colour of links and buttons (App Launch 2.2, `smart_style_url`)."""
_LIGHT, _DARK = "#ffffff", "#171d24"
"""The card on which text stands, light and dark; those of pages.css."""


@dataclass(frozen=True, slots=True)
class Style:
    """Colours taken from an EHR; by default none."""

    accent: str | None = None
    """Readable on the light card."""
    dark_accent: str | None = None
    """Readable on the dark card."""

    @property
    def css(self) -> str:
        """A rule for each colour that there is."""
        light = f"@media (prefers-color-scheme:light){{:root{{--accent:{self.accent};--accent-ink:{_LIGHT}}}}}"
        dark = f"@media (prefers-color-scheme:dark){{:root{{--accent:{self.dark_accent};--accent-ink:{_DARK}}}}}"
        return (light if self.accent else "") + (dark if self.dark_accent else "")


PLAIN = Style()


def style_of(colours: Mapping[str, object] | None) -> Style:
    """What of an EHR's style we take."""
    colour = (colours or {}).get(_ACCENT_KEY)
    if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
        return PLAIN
    return Style(
        colour if contrast(colour, _LIGHT) >= READABLE else None,
        colour if contrast(colour, _DARK) >= READABLE else None,
    )


def contrast(one: str, other: str) -> float:
    """Of two `#rrggbb` colours, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
