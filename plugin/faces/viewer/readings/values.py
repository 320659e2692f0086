"""What can stand as a value on a page: amounts, ranges, words, times. One `kind` each, for a template to choose by.

Numbers keep their digits: `1.50` is printed `1.50`. A code becomes a Term, which has the source's own text, or the key
of a word of ours (code_words), or, where neither is known, the code itself.
"""

from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct

from plugin.faces.viewer.readings.moment import When
from plugin.faces.viewer.readings.text import ELLIPSIS, Text

MAX_PLACES = 24
"""Digits before or behind the point that are written out; beyond, a number is written with its exponent, since
`1e999999` is JSON and its million digits are not a result."""
MAX_DIGITS = 40
"""Significant digits of a number that are printed. No measurement has twenty."""


class Number(Struct, frozen=True, gc=False):
    """A number as it came."""

    value: Decimal
    text: str
    """Its digits, with a point: `1.50`. A page may write the point as its language does, and nothing else."""
    complete: bool = True
    """False where `text` is cut, which its `…` says too."""

    def __str__(self) -> str:
        return self.text


def number(value: Any) -> Number | None:
    """The number that `value` is; None for anything else, a truth and what is not finite included."""
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    text = str(value)
    if len(text) <= MAX_PLACES and "E" not in text:  # nearly all: written out by itself
        return Number(value, text)
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # finite, see above  # noqa: S101
    if len(digits) > MAX_DIGITS:
        return Number(value, f"{str(value)[:MAX_DIGITS]}{ELLIPSIS}", complete=False)
    written_out = exponent >= -MAX_PLACES and exponent + len(digits) <= MAX_PLACES
    return Number(value, format(value, "f") if written_out else str(value))


class Term(Struct, frozen=True, gc=False):
    """What a code means. Printed as the word for `key` in the reader's language, if there is a key, else as `text`."""

    kind: ClassVar[str] = "term"

    text: Text
    """The source's own words; else its code."""
    key: str | None = None
    """Of code_words.WORDS, for codes that FHIR itself defines and that came without words."""
    is_code: bool = False
    """`text` is the code itself: there are no words for it."""
    translations: tuple[tuple[str, Text], ...] = ()
    """(language tag, words) that the source gives beside `text`."""

    def __str__(self) -> str:
        return self.text.shown


class Amount(Struct, frozen=True, gc=False):
    """A Quantity: `< 5.0 mg/L`."""

    kind: ClassVar[str] = "amount"

    number: Number
    comparator: str = ""
    """`<`, `<=`, `>=`, `>` or nothing."""
    unit: Text | None = None
    """As the source prints it."""
    ucum: str = ""
    """The unit's UCUM code, where the source gives one; for arithmetic, not to be printed."""
    other_unit: Text | None = None
    """Its UCUM code where that says another unit than the printed one: it is not known which of the two counts."""

    @property
    def sign(self) -> str:
        """The comparator as a page prints it."""
        return {"<=": "≤", ">=": "≥"}.get(self.comparator, self.comparator)

    @property
    def is_comparable(self) -> bool:
        """Whether the number can be compared with others."""
        return self.other_unit is None


class Span(Struct, frozen=True, gc=False):
    """A Range; a side that is None is open."""

    kind: ClassVar[str] = "span"

    low: Amount | None
    high: Amount | None


class Ratio(Struct, frozen=True, gc=False):
    """`1 : 128`."""

    kind: ClassVar[str] = "ratio"

    numerator: Amount
    denominator: Amount


class Money(Struct, frozen=True, gc=False):
    """An amount of money."""

    kind: ClassVar[str] = "money"

    number: Number
    currency: str
    """ISO 4217, three capitals; empty where the source does not say."""


class Truth(Struct, frozen=True, gc=False):
    """Yes or no."""

    kind: ClassVar[str] = "truth"

    yes: bool


class Sampled(Struct, frozen=True, gc=False):
    """A series of measurements (an ECG lead): said to be there, not drawn."""

    kind: ClassVar[str] = "sampled"

    count: int | None
    """Points in one dimension of it, where the source says; else None."""
    unit: Text | None


class Absent(Struct, frozen=True, gc=False):
    """There is no value, and the source says why (dataAbsentReason)."""

    kind: ClassVar[str] = "absent"

    reason: Term


class Altered(Struct, frozen=True, gc=False):
    """The source changes the sense of its element by an extension that we do not know (modifierExtension): R4 2.4.2
    forbids to read on, so there may be a value and what it means is not known."""

    kind: ClassVar[str] = "altered"


class Unread(Struct, frozen=True, gc=False):
    """There is something, and it is not in FHIR's form, or of a kind that is not read: an empty place would say that
    there is nothing."""

    kind: ClassVar[str] = "unread"


class Said(Struct, frozen=True, gc=False):
    """A sentence of ours about values of the source: `every 8 hours`."""

    kind: ClassVar[str] = "said"

    key: str
    """Of phrases.PHRASES."""
    values: tuple["Value", ...] = ()
    count: Decimal | None = None
    """What decides between singular and plural, where the sentence has both."""


class Phrase(Struct, frozen=True, gc=False):
    """Several values that belong together, in their order: a dose, its rhythm, its route."""

    kind: ClassVar[str] = "phrase"

    parts: tuple["Value", ...]


Value = Text | Term | Amount | Span | Ratio | Money | Truth | Sampled | Absent | Altered | Unread | Said | Phrase | When
