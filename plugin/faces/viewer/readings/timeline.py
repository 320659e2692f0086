"""Twelve months of reimbursements as an SVG image: a column a month, care, medicines and sick leave told by their mark.

As with charts, positions across are in per cent and colours are the page's; the table beside it says the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup, escape

from plugin.faces.viewer.readings.benefits import Nature
from plugin.faces.viewer.readings.reimbursement_months import History, Month

HEIGHT = 168
_BASE = 132
"""Where the columns stand, in pixels from the top."""
_TOP = 12
_MAX_MARK = 14
"""Of one line's mark, in pixels; where a month has many, they are flatter."""
_GAP = 2
_INNER = 0.7
"""Of the width of a month, what its column takes."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What a timeline says in the reader's language."""

    title: str
    description: str
    month: Callable[[Month], str]
    """The short name of a month, `déc.`."""
    full: Callable[[Month], str]
    """A month and what is in it, in words."""


def timeline(history: History, labels: Labels) -> Markup:
    """The image; empty where the months have nothing."""
    if not history.busiest:
        return Markup()
    months = tuple(reversed(history.months))
    width = 100 / len(months)
    step = min(_MAX_MARK + _GAP, (_BASE - _TOP) / history.busiest)
    parts = [
        f'<svg class="chart" role="img" aria-labelledby="tlt tld" width="100%" height="{HEIGHT}">'
        f'<title id="tlt">{escape(labels.title)}</title><desc id="tld">{escape(labels.description)}</desc>'
        f'<line class="chart-limit" x1="0" x2="100%" y1="{_BASE}" y2="{_BASE}"/>'
    ]
    for place, month in enumerate(months):
        parts.append(_column(month, place * width, width, step, labels))
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - our own marks, numbers, and texts that were escaped


def mark(nature: Nature) -> Markup:
    """The mark of one nature, for the legend and the table."""
    return Markup(  # noqa: S704 - names of ours
        f'<svg class="chart-key" width="18" height="18" aria-hidden="true">{_mark(nature, "2", "14", 4, 10)}</svg>'
    )


def _column(month: Month, left: float, width: float, step: float, labels: Labels) -> str:
    x, wide = f"{left + width * (1 - _INNER) / 2:.2f}%", f"{width * _INNER:.2f}%"
    parts = [f"<g><title>{escape(labels.full(month))}</title>"]
    y = float(_BASE)
    for nature in (Nature.MEDICINE, Nature.CARE, Nature.SICK_LEAVE):
        for _ in range(month.count(nature)):
            y -= step
            parts.append(_mark(nature, x, wide, y, max(1.0, step - min(_GAP, step / 3))))
    name = escape(labels.month(month))
    parts.append(f'<text x="{left + width / 2:.2f}%" y="{_BASE + 18}" text-anchor="middle">{name}</text></g>')
    return "".join(parts)


def _mark(nature: Nature, x: str, width: str, y: float, height: float) -> str:
    return f'<rect class="care-{nature}" x="{x}" width="{width}" y="{y:.1f}" height="{height:.1f}"/>'
