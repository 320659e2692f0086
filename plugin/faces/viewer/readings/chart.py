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
_LEFT, _RIGHT = 15.0, 96.0
"""In per cent: numbers of the axis stand left of the values, on the band's side."""
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
    points = [_point(entry, zone) for entry in drawn]
    bands = _bands(points)
    limits = [float(each) for band, _, _ in bands for each in (band.low, band.high) if each is not None]
    up = heights([point.value for point in points], limits)
    first, last = min([point.first for point in points]), max([point.last for point in points])
    along = times([_shown(first, zone), _shown(last, zone)])
    across = along.all_at([point.middle for point in points])
    y = [_down(share) for share in up.all_at([point.value for point in points])]
    placed = list(map(_Placed, points, across, y))
    shapes = {source.feed: min(source.shape, len(SHAPES) - 1) for source in series.sources}
    key = series.key
    parts = [
        _head(key, labels),
        _band_marks(bands, up, along),
        _axis(up, labels),
        _dates(along.ticks, labels),
        *_courses(series, placed, shapes),
        _definitions(key, sorted(set(shapes.values())), is_dense=len(points) > MAX_LARGE),
        _markers(key, placed, along, shapes, labels),
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


class _Point(Struct, frozen=True):
    entry: Entry
    comparator: str
    value: float
    first: datetime
    last: datetime
    """Equal to `first` unless only a month, a year or a period is known."""
    middle: datetime


class _Placed(Struct, frozen=True):
    point: _Point
    across: float
    """From 0 to 1."""
    y: str


def _zone(drawn: Sequence[Entry]) -> tzinfo:
    """One clock for the axis: that of the newest value that states one."""
    zones = (each.when.at.tzinfo for each in reversed(drawn) if each.when is not None and each.when.zoned)
    return next((zone for zone in zones if zone is not None), UTC)


def _point(entry: Entry, zone: tzinfo) -> _Point:
    moment = entry.when
    assert moment is not None  # drawn entries are dated  # noqa: S101
    assert entry.plotted is not None  # and have a number  # noqa: S101
    comparator, value = entry.comparator, float(entry.plotted)
    first = _on(moment, zone)
    if moment.precision is Precision.TIME and moment.until is None:
        return _Point(entry, comparator, value, first, first, first)
    last = first
    if moment.precision in (Precision.YEAR, Precision.MONTH):
        last = first + timedelta(days=(moment.last_day - moment.at.date()).days)
    if moment.until is not None and moment.until.is_dated:
        last = max(first, _on(moment.until, zone))
    return _Point(entry, comparator, value, first, last, first + (last - first) / 2)


def _on(moment: When, zone: tzinfo) -> datetime:
    """The moment; a date without a time keeps its day on the axis's clock."""
    return moment.at if moment.zoned else moment.at.replace(tzinfo=zone)


def _shown(moment: datetime, zone: tzinfo) -> datetime:
    """The moment on the axis's clock."""
    try:
        return moment.astimezone(zone)
    except OverflowError:  # the calendar's first or last day
        return moment.replace(tzinfo=zone)


def _across(share: float) -> str:
    return f"{_LEFT + (_RIGHT - _LEFT) * share:.2f}%"


def _down(share: float) -> str:
    return f"{_BOTTOM - (_BOTTOM - _TOP) * share:.1f}"


def _head(key: str, labels: Labels) -> str:
    return (
        f'<svg class="chart" role="img" aria-labelledby="t{key} d{key}" width="100%" height="{HEIGHT}">'
        f'<title id="t{key}">{escape(labels.title)}</title><desc id="d{key}">{escape(labels.description)}</desc>'
    )


_BandMark = tuple[Band, datetime | None, datetime | None]
"""A range with the first and last moment that it was printed for; None: it holds for the whole chart."""


def _bands(points: Sequence[_Point]) -> list[_BandMark]:
    """One range for all where all agree; else each for the time of its own values."""
    found: dict[Band, list[datetime]] = {}
    told = 0
    last: Band | None = None
    moments: list[datetime] = []
    for point in points:
        band = point.entry.band
        if band is None or (band.low is None and band.high is None):
            continue
        if band != last:  # most have the one before them
            last, moments = band, found.setdefault(band, [])
        moments.append(point.middle)
        told += 1
    if len(found) == 1 and told == len(points):
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
        width = "100%" if whole else f"{(_RIGHT - _LEFT) * (right - left):.2f}%"
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
    for tick in ticks:
        x = _across(tick.x)
        anchor = "end" if tick.x > 0.9 else "middle"
        parts.append(
            f'<line class="chart-rule" x1="{x}" x2="{x}" y1="{_BOTTOM}" y2="{_BOTTOM + 26}"/>'
            f'<text x="{x}" y="{_BOTTOM + 40}" text-anchor="{anchor}">{escape(labels.date(tick))}</text>'
        )
    return "".join(parts)


def _courses(series: Series, placed: Sequence[_Placed], shapes: Mapping[str, int]) -> Iterator[str]:
    """The lines through the values of each source."""
    missing: dict[str, list[datetime]] = {feed: [] for feed in shapes}
    for entry in series.entries:
        if entry.plotted is None:
            missing[entry.feed].append(entry.order)
    own: dict[str, list[_Placed]] = {feed: [] for feed in shapes}
    for each in placed:
        own[each.point.entry.feed].append(each)
    return (_course(own[feed], missing[feed], shape) for feed, shape in shapes.items())


def _course(placed: Sequence[_Placed], missing: Sequence[datetime], shape: int) -> str:
    """The line through one source's values. It breaks where a value is only a limit, or where a result had none."""
    runs: list[list[_Placed]] = [[]]
    before = None
    for each in placed:
        entry = each.point.entry
        comparator = each.point.comparator
        if comparator or (missing and before is not None and _has_gap(missing, before.order, entry.order)):
            runs.append([])
        if not comparator:
            runs[-1].append(each)
        before = entry
    drawn = "".join(
        f'<polyline points="{" ".join([f"{each.across * 1000:.1f},{each.y}" for each in run])}"/>'
        for run in runs
        if len(run) > 1
    )
    if not drawn:
        return ""
    return (
        f'<svg class="chart-course chart-course-{shape}" x="{_LEFT}%" width="{_RIGHT - _LEFT}%" height="{HEIGHT}" '
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


def _markers(key: str, placed: Sequence[_Placed], along: Times, shapes: Mapping[str, int], labels: Labels) -> str:
    titled = len(placed) <= MAX_TITLED
    marks = {feed: f'href="#m{key}{shape}"' for feed, shape in shapes.items()}
    parts = []
    for each in placed:
        point, y = each.point, each.y
        entry = point.entry
        comparator = point.comparator
        at = f'x="{_across(each.across)}" y="{y}"'
        if point.last is not point.first and point.last > point.first:
            ends = f'x1="{_across(along.at(point.first))}" x2="{_across(along.at(point.last))}"'
            parts.append(f'<line class="chart-span" {ends} y1="{y}" y2="{y}"/>')
        if entry.flag.is_abnormal:
            kind = "chart-critical" if entry.level.startswith("critical") else "chart-abnormal"
            parts.append(f'<use class="{kind}" href="#m{key}r" {at}/>')
        if comparator:
            parts.append(f'<use class="chart-arrow" href="#m{key}{"d" if comparator[0] == "<" else "u"}" {at}/>')
        kind = "chart-local" if entry.is_local else "chart-outside"
        if comparator or entry.standing in _HOLLOW:
            kind += " chart-hollow"
        name = f"<title>{escape(labels.point(entry))}</title>" if titled else ""
        parts.append(f'<use class="{kind}" {marks[entry.feed]} {at}>{name}</use>')
    return "".join(parts)
