"""Exact conversions between UCUM units that differ by powers of ten alone: mg/dL and g/L, 10*9/L and 10*3/uL.

A small table rather than a library: those for Python calculate in floating point and convert what a chart must not
mix. A substance amount is never turned into a mass (that takes a molar mass), a fraction never into another (HbA1c in
% and in mmol/mol are two scales, whatever UCUM says of their dimensions), arbitrary units only into themselves.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

MAX_CODE = 40
"""Characters of a unit's code that is read; the longest of UCUM's common units has some twenty."""

_PREFIXES: Final[Mapping[str, int]] = {
    "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15,
}  # fmt: skip
"""Of UCUM table 1, as powers of ten; those beyond are no laboratory's."""

_METRIC: Final[Mapping[str, str]] = {
    "g": "g", "L": "L", "l": "L", "mol": "mol", "m": "m", "s": "s", "Pa": "Pa", "U": "U", "kat": "kat", "eq": "eq",
    "osm": "osm", "[IU]": "[iU]", "[iU]": "[iU]", "V": "V", "Hz": "Hz", "J": "J", "W": "W", "m[Hg]": "m[Hg]",
    "cal": "cal", "Cel": "Cel",
}  # fmt: skip
"""Units that take prefixes -> the one name of each."""

_MOLES: Final[Mapping[str, str]] = {"eq": "mol", "osm": "mol"}
_PLAIN: Final = frozenset({"g", "L", "mol", "m", "s"})
"""Of these two different ones are surely two units. Enzyme and arbitrary units are printed `U` both, and pressure,
energy and power have several names for one."""

_LITRE_FROM_CUBIC_METRE = 3
"""1 m3 = 10^3 L, by definition."""

_TERM = re.compile(r"(?P<unit>10[*^]|[^0-9+\-./*^()]+(?:\[[^\]]*\]|\{[^}]*\})*)(?P<exponent>[+-]?[0-9]{1,2})?")
_WHOLE = re.compile(r"[./]?[^./]+(?:[./][^./]+)*")
_PART = re.compile(r"([./]?)([^./]+)")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit taken apart: `parts` tell what is measured, `scale` by how many powers of ten."""

    parts: tuple[tuple[str, int], ...]
    """(name, how often) above and, under a name that begins with `/`, below the line; sorted, nothing cancelled out."""
    scale: int


@lru_cache(maxsize=512)  # codes of units only, never what was measured; few hundred are in use
def unit(code: str) -> Unit | None:
    """The unit that a UCUM code names; None for codes that this table does not take apart."""
    if not code or len(code) > MAX_CODE or _WHOLE.fullmatch(code) is None or ("{" in code and "." in code):
        return None
    parts: Counter[str] = Counter()
    scale = 0
    for operator, term in _PART.findall(code):
        read = _term(term)
        if read is None:
            return None
        name, exponent, power = read
        below = operator == "/"
        if name:
            parts[f"/{name}" if below else name] += exponent
        scale += -power if below else power
    return Unit(tuple(sorted(parts.items())), scale)


def shift(from_code: str, to_code: str) -> int | None:
    """By how many powers of ten a value in `from_code` grows in `to_code`; None: they are not the same exactly."""
    if from_code == to_code:
        return 0
    mine, theirs = unit(from_code), unit(to_code)
    if mine is None or theirs is None or mine.parts != theirs.parts or not mine.parts:
        return None
    return mine.scale - theirs.scale


@lru_cache(maxsize=512)
def contradict(printed: str, code: str) -> bool:
    """Whether a unit as it is printed and its UCUM code are two units. When in doubt they are not: what is printed is
    often only another spelling (`mmol/l`, `G/L`, `UI/L`, `mg/24h`)."""
    written = printed.replace("\u00b5", "u").replace("\u03bc", "u")
    mine, small, theirs = unit(written), unit(written.lower()), unit(code)
    if mine is None or theirs is None or theirs in (mine, small):
        return False
    mine_parts, their_parts = _judged(mine), _judged(theirs)
    if mine_parts == their_parts:
        return bool(mine_parts) and mine.scale != theirs.scale
    return mine_parts.keys() <= _PLAIN and their_parts.keys() <= _PLAIN


def _judged(read: Unit) -> Mapping[str, int]:
    """How often each thing stands in a unit: below the line counts against above, equivalents are moles (UCUM)."""
    found: Counter[str] = Counter()
    for name, exponent in read.parts:
        bare = name.removeprefix("/")
        found[_MOLES.get(bare, bare)] += exponent if bare == name else -exponent
    return {name: count for name, count in found.items() if count}


def shifted(value: Decimal, powers: int) -> Decimal:
    """`value` times ten to `powers`, with every digit that it has, however many: no context rounds it."""
    if powers == 0:  # nearly always: sources of one country print one unit
        return value
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return value
    return Decimal((sign, digits, exponent + powers))


def _term(term: str) -> tuple[str, int, int] | None:
    """(name, exponent, power of ten) of one unit with its exponent."""
    if term == "1":
        return "", 1, 0
    found = _TERM.fullmatch(term)
    if found is None:
        return None
    exponent = int(found["exponent"] or 1)
    if found["unit"] in ("10*", "10^"):
        return ("", 1, exponent) if found["exponent"] else None
    if exponent < 1:
        return None
    name, power = _prefixed(found["unit"])
    if name == "m" and exponent == 3:
        return "L", 1, power * 3 + _LITRE_FROM_CUBIC_METRE
    return name, exponent, power * exponent


def _prefixed(text: str) -> tuple[str, int]:
    """(name, power of ten); a unit that the table does not have is itself, without a prefix."""
    if text in _METRIC:
        return _METRIC[text], 0
    for length in (1, 2):
        prefix, rest = text[:length], text[length:]
        if prefix in _PREFIXES and rest in _METRIC:
            return _METRIC[rest], _PREFIXES[prefix]
    return text, 0
