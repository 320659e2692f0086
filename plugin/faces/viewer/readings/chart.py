"""A series as an SVG image: reference band, one marker shape per source, what is abnormal ringed, limits with arrows.

Positions across are in per cent, so that letters and markers keep their size from 380 px up; colours are the page's
(classes only, no style of its own). Every text goes through `escape`. The table beside it says the same in words.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from markupsafe import Markup, escape
from msgspec import Struct

from plugin.faces.viewer.readings.axes import Heights, Tick, Times, heights, times
from plugin.faces.viewer.readings.moment import Precision, When
from plugin.faces.viewer.readings.result import Standing
from plugin.faces.viewer.readings.trend import LOCAL_SHAPE, Band, Entry, Series

HEIGHT = 252
"""Of a chart, in pixels."""
_TOP, _BOTTOM = 16, 204
"""Where the highest and the lowest value stand; below, the arrow of a limit has room before the dates."""
_LEFT, _WIDTH = 15.0, 81.0
"""In per cent: numbers of the axis stand left of the values, on the band's side."""
_AT_THE_END = 0.9
"""Of the axis: a date beyond ends at its place rather than in the middle of it, so that it stays in the image."""
_LETTER = 2.2
"""In per cent: the width of a letter of a date on the narrowest chart, some 330 px."""
_WIDEST, _LONGEST = 1e7, 6
"""Of a number at the axis: seven digits before the point, six behind it, as many as fit left of the values."""
MAX_TITLED = 60
"""Markers that a mouse can ask for their value; more only make the page heavy, and the table says it."""

MAX_LARGE = 150
"""Markers of full size; more are drawn half as large, so that they do not cover each other."""

SHAPES = (
    "M-6-6H6V6H-6Z",  # the EHR's own: a square
    "M0-6A6 6 0 1 1-.01-6Z",  # a circle
    "M0-7.5L7 5H-7Z",  # a triangle
    "M0-8L7 0 0 8-7 0Z",  # a diamond
    "M0 7.5L7-5H-7Z",  # a triangle on its tip
    "M-2-7H2V-2H7V2H2V7H-2V2H-7V-2H-2Z",  # a cross
    "M-7-4L0-7.5 7-4V4L0 7.5-7 4Z",  # a hexagon
)
"""Paths of the markers around 0 0. With more sources than shapes, the last ones share theirs, and the table tells."""

_HOLLOW = (Standing.PRELIMINARY, Standing.AWAITED)


@dataclass(frozen=True, slots=True)
class Labels:
    """What a chart says in the reader's language."""

    title: str
    """`Creatinine, mg/dL`"""
    description: str
    """What it shows, in a sentence or two, and that a table follows."""
    number: Callable[[str], str]
    """A number of the axis, its digits as text -> as the language writes it."""
    date: Callable[[Tick], str]
    """A date of the axis."""
    point: Callable[[Entry], str]
    """One value, in full."""


def chart(series: Series, labels: Labels) -> Markup:
    """The image of what a series can draw; empty where that is nothing."""
    drawn = series.drawn
    if not drawn:
        return Markup()
    zone = _zone(drawn)
    spans = [_span(entry, zone) for entry in drawn]
    middles = [first if last is first else first + (last - first) / 2 for first, last in spans]
    values = [float(entry.plotted) for entry in drawn if entry.plotted is not None]
    distinct = list(set(values))  # a laboratory's digits are few: the same value comes again and again
    bands = _bands(drawn, middles)
    limits = [float(each) for band, _, _ in bands for each in (band.low, band.high) if each is not None]
    up = heights(distinct, limits)
    first, last = min([first for first, _ in spans]), max([last for _, last in spans])
    along = times([_shown(first, zone), _shown(last, zone)])
    height_of = dict(zip(distinct, map(_down, up.all_at(distinct)), strict=True))
    points = [
        _Point(entry, entry.comparator, span, across, height_of[value])
        for entry, span, across, value in zip(drawn, spans, along.all_at(middles), values, strict=True)
    ]
    shapes = {source.feed: min(source.shape, len(SHAPES) - 1) for source in series.sources}
    key = series.key
    parts = [
        _head(key, labels),
        _band_marks(bands, up, along),
        _axis(up, labels),
        _dates(along.ticks, labels),
        *_courses(series, points, shapes),
        _definitions(key, sorted(set(shapes.values())), is_dense=len(points) > MAX_LARGE),
        _markers(series, points, along, shapes, labels),
        "</svg>",
    ]
    return Markup("".join(parts))  # noqa: S704 - made of our own marks, numbers, and texts that were escaped


def marker(shape: int) -> Markup:
    """A source's marker, for the legend and the table."""
    path = SHAPES[min(shape, len(SHAPES) - 1)]
    kind = "chart-local" if shape == LOCAL_SHAPE else "chart-outside"
    return Markup(  # noqa: S704 - numbers and names of ours
        f'<svg class="chart-key" viewBox="-9 -9 18 18" width="18" height="18" aria-hidden="true">'
        f'<path class="{kind}" d="{path}"/></svg>'
    )


_Span = tuple[datetime, datetime]
"""The first and the last moment that a date can mean: one and the same unless only a month, a year or a period is
known."""


class _Point(Struct, frozen=True):
    entry: Entry
    comparator: str
    span: _Span
    across: float
    """From 0 to 1: the middle of its span."""
    y: str


def _zone(drawn: Sequence[Entry]) -> tzinfo:
    """One clock for the axis: that of the newest value that states one."""
    zones = (each.when.at.tzinfo for each in reversed(drawn) if each.when is not None and each.when.zoned)
    return next((zone for zone in zones if zone is not None), UTC)


def _span(entry: Entry, zone: tzinfo) -> _Span:
    """In UTC, whose moments are quickly compared; a date without a time keeps its day on the axis's clock."""
    moment = entry.when
    assert moment is not None  # drawn entries are dated  # noqa: S101
    # Nearly all: told with their zone, or days of which none has one, which stand in UTC already.
    if moment.until is None and (moment.zoned or (zone is UTC and moment.precision is Precision.DAY)):
        return entry.order, entry.order
    first = last = _on(moment, zone)
    if moment.precision in (Precision.YEAR, Precision.MONTH):
        last = first + timedelta(days=(moment.last_day - moment.at.date()).days)
    if moment.until is not None and moment.until.is_dated:
        last = max(first, _on(moment.until, zone))
    return first, last


def _on(moment: When, zone: tzinfo) -> datetime:
    return moment.order if moment.zoned else moment.at.replace(tzinfo=zone)


def _shown(moment: datetime, zone: tzinfo) -> datetime:
    """The moment on the axis's clock."""
    try:
        return moment.astimezone(zone)
    except OverflowError:  # the calendar's first or last day
        return moment.replace(tzinfo=zone)


def _across(share: float) -> str:
    return f"{_LEFT + _WIDTH * share:.2f}%"


def _down(share: float) -> str:
    return f"{_BOTTOM - (_BOTTOM - _TOP) * share:.1f}"


def _head(key: str, labels: Labels) -> str:
    return (
        f'<svg class="chart" role="img" aria-labelledby="t{key} d{key}" width="100%" height="{HEIGHT}">'
        f'<title id="t{key}">{escape(labels.title)}</title><desc id="d{key}">{escape(labels.description)}</desc>'
    )


_BandMark = tuple[Band, datetime | None, datetime | None]
"""A range with the first and last moment that it was printed for; None: it holds for the whole chart."""


def _bands(drawn: Sequence[Entry], middles: Sequence[datetime]) -> list[_BandMark]:
    """One range for all where all agree; else each for the time of its own values."""
    found: dict[Band, list[datetime]] = {}
    told = 0
    last: Band | None = None
    moments: list[datetime] = []
    for entry, middle in zip(drawn, middles, strict=True):
        band = entry.band
        if band is None or (band.low is None and band.high is None):
            continue
        if band != last:  # most have the one before them
            last, moments = band, found.setdefault(band, [])
        moments.append(middle)
        told += 1
    if len(found) == 1 and told == len(drawn):
        return [(next(iter(found)), None, None)]
    return [(band, min(moments), max(moments)) for band, moments in found.items()]


def _band_marks(bands: Sequence[_BandMark], up: Heights, along: Times) -> str:
    parts = []
    for band, first, last in bands:
        top = 1.0 if band.high is None else up.at(float(band.high))
        bottom = 0.0 if band.low is None else up.at(float(band.low))
        if top <= bottom:
            continue
        left = 0.0 if first is None else max(0.0, along.at(first) - 0.01)
        right = 1.0 if last is None else min(1.0, along.at(last) + 0.01)
        whole = first is None
        x = "0" if whole else _across(left)
        width = "100%" if whole else f"{_WIDTH * (right - left):.2f}%"
        height = (top - bottom) * (_BOTTOM - _TOP)
        parts.append(f'<rect class="chart-band" x="{x}" width="{width}" y="{_down(top)}" height="{height:.1f}"/>')
        for side in (band.low, band.high):
            if side is not None and up.low <= float(side) <= up.high:
                y = _down(up.at(float(side)))
                end = "100%" if whole else _across(right)
                parts.append(f'<line class="chart-limit" x1="{x}" x2="{end}" y1="{y}" y2="{y}"/>')
    return "".join(parts)


def _axis(up: Heights, labels: Labels) -> str:
    parts = []
    for tick in up.ticks:
        y = _down(up.at(tick))
        number = escape(labels.number(_tick_text(tick, up.decimals)))
        parts.append(
            f'<line class="chart-rule" x1="0" x2="100%" y1="{y}" y2="{y}"/><text x="2" y="{y}" dy="-3">{number}</text>'
        )
    return "".join(parts)


def _tick_text(value: float, decimals: int) -> str:
    """`1.50`; with an exponent where it would not fit beside the chart."""
    plain = abs(value) < _WIDEST and decimals <= _LONGEST
    return f"{value:.{decimals}f}" if plain else f"{value:.3g}"


def _dates(ticks: Sequence[Tick], labels: Labels) -> str:
    parts = []
    free = 0.0
    for tick in ticks:
        x, told, is_last = _across(tick.x), labels.date(tick), tick.x > _AT_THE_END
        parts.append(f'<line class="chart-rule" x1="{x}" x2="{x}" y1="{_BOTTOM}" y2="{_BOTTOM + 26}"/>')
        width = len(told) * _LETTER
        left = _LEFT + _WIDTH * tick.x - (width if is_last else width / 2)
        if left < free:
            continue  # it would lie over the one before it
        free = left + width + _LETTER
        anchor = "end" if is_last else "middle"
        parts.append(f'<text x="{x}" y="{_BOTTOM + 40}" text-anchor="{anchor}">{escape(told)}</text>')
    return "".join(parts)


def _courses(series: Series, points: Sequence[_Point], shapes: Mapping[str, int]) -> Iterator[str]:
    """The lines through the values of each source."""
    missing: dict[str, list[datetime]] = {feed: [] for feed in shapes}
    for entry in series.entries:
        if entry.plotted is None:
            missing[entry.feed].append(entry.order)
    own: dict[str, list[_Point]] = {feed: [] for feed in shapes}
    for point in points:
        own[point.entry.feed].append(point)
    return (_course(own[feed], missing[feed], shape) for feed, shape in shapes.items())


def _course(points: Sequence[_Point], missing: Sequence[datetime], shape: int) -> str:
    """The line through one source's values. It breaks where a value is only a limit, or where a result had none."""
    runs: list[list[str]] = [[]]
    before = None
    for point in points:
        if point.comparator:
            runs.append([])
        else:
            if missing and before is not None and _has_gap(missing, before.entry.order, point.entry.order):
                runs.append([])
            runs[-1].append(f"{point.across * 1000:.1f},{point.y}")
        before = point
    drawn = "".join([f'<polyline points="{" ".join(run)}"/>' for run in runs if len(run) > 1])
    if not drawn:
        return ""
    return (
        f'<svg class="chart-course chart-course-{shape}" x="{_LEFT}%" width="{_WIDTH}%" height="{HEIGHT}" '
        f'viewBox="0 0 1000 {HEIGHT}" preserveAspectRatio="none">{drawn}</svg>'
    )


def _has_gap(missing: Sequence[datetime], before: datetime, after: datetime) -> bool:
    return any(before < gap < after for gap in missing)


def _definitions(key: str, shapes: Sequence[int], *, is_dense: bool) -> str:
    small = ' transform="scale(.5)"' if is_dense else ""
    marks = "".join(f'<path id="m{key}{shape}" d="{SHAPES[shape]}"{small}/>' for shape in shapes)
    return (
        f'<defs>{marks}<path id="m{key}d" d="M0 9V24M-4 19L0 25 4 19"/>'
        f'<path id="m{key}u" d="M0-9V-24M-4-19L0-25 4-19"/><circle id="m{key}r" r="{5.5 if is_dense else 11}"/></defs>'
    )


def _markers(series: Series, points: Sequence[_Point], along: Times, shapes: Mapping[str, int], labels: Labels) -> str:
    key, titled = series.key, len(points) <= MAX_TITLED
    kinds = {source.feed: "chart-local" if source.is_local else "chart-outside" for source in series.sources}
    full = {feed: f'<use class="{kinds[feed]}" href="#m{key}{shape}"' for feed, shape in shapes.items()}
    hollow = {feed: f'<use class="{kinds[feed]} chart-hollow" href="#m{key}{shape}"' for feed, shape in shapes.items()}
    parts = []
    for point in points:
        entry, comparator, y = point.entry, point.comparator, point.y
        at = f'x="{_across(point.across)}" y="{y}"'
        first, last = point.span
        if last is not first and last > first:
            ends = f'x1="{_across(along.at(first))}" x2="{_across(along.at(last))}"'
            parts.append(f'<line class="chart-span" {ends} y1="{y}" y2="{y}"/>')
        if entry.flag.is_abnormal:
            kind = "chart-critical" if entry.flag.level.startswith("critical") else "chart-abnormal"
            parts.append(f'<use class="{kind}" href="#m{key}r" {at}/>')
        if comparator:
            parts.append(f'<use class="chart-arrow" href="#m{key}{"d" if comparator[0] == "<" else "u"}" {at}/>')
        marks = hollow if comparator or entry.standing in _HOLLOW else full
        name = f"<title>{escape(labels.point(entry))}</title>" if titled else ""
        parts.append(f"{marks[entry.feed]} {at}>{name}</use>")
    return "".join(parts)
