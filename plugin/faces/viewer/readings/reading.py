"""What all types share: the resource under the reader's eye, its status, the links it makes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from plugin.faces.viewer.readings.beside import Beside
from plugin.faces.viewer.readings.elements import (
    Pair,
    Tree,
    coded,
    left_out,
    record,
    records,
    term,
    word,
)
from plugin.faces.viewer.readings.moment import when
from plugin.faces.viewer.readings.result import Attachment, Detail, Link, Origin, Standing, anchor
from plugin.faces.viewer.readings.text import Text, line
from plugin.faces.viewer.readings.values import Term, Value

_STANDINGS: Final[Mapping[str, Standing]] = {
    "registered": Standing.AWAITED,
    "partial": Standing.PRELIMINARY,
    "preliminary": Standing.PRELIMINARY,
    "final": Standing.FINAL,
    "corrected": Standing.CORRECTED,
    "amended": Standing.AMENDED,
    "appended": Standing.AMENDED,
    "cancelled": Standing.CANCELLED,
    "superseded": Standing.SUPERSEDED,
    "entered-in-error": Standing.MISTAKEN,
}
CONTAINED_RESULT: Final = "Observation"
"""The type of what stands inside a report or panel and has a row of its own."""
_VERIFIED_SYSTEMS = (
    "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
)


class Page(Struct, frozen=True):
    """One resource to be read, and what stands beside it."""

    tree: Tree
    origin: Origin
    beside: Beside

    @property
    def status(self) -> Term | None:
        """Its `status`, in words."""
        return coded("status", self.tree.get("status"))

    @property
    def standing(self) -> Standing:
        """What its `status` means."""
        return standing_of(self.tree.get("status"))

    def performers(self, *names: str) -> tuple[Text, ...]:
        """The names of those whom the elements `names` refer to: a Reference, a list of them, or a list of objects with
        `actor`."""
        found: list[Text | None] = []
        for name in names:
            value = self.tree.get(name)
            for each in records(value) or [record(value)]:
                found.append(self.beside.name(each.get("actor", each), self.tree))
        return tuple(dict.fromkeys([each for each in found if each is not None]))

    @property
    def grounds(self) -> Iterator[tuple[str, Value | None]]:
        """Why it is asked for, given or done: in codes, and as what else names it here in other words."""
        codes = terms(self.tree.get("reasonCode"))
        words = {each.text for each in codes}
        names = self.beside.names(self.tree.get("reasonReference"), self.tree)
        return several("reason", [*codes, *(each for each in names if each not in words)])

    def links(self, references: Any) -> tuple[Link, ...]:
        """The results that a list of References names, those that stand inside this resource too."""
        return tuple(self._links(references))

    def _links(self, references: Any) -> Iterator[Link]:
        for each in records(references):
            name = word(each.get("reference")).partition("/_history/")[0]
            if name in ("", "#"):
                continue
            found = self.beside.resource(each, self.tree)
            is_shown = found is not None
            if name.startswith("#"):
                name = f"{self.origin.container}{name}"
                is_shown = found is not None and found.get("resourceType") == CONTAINED_RESULT
            title = None if found is None else term(found.get("code")) or term(found.get("type"))
            display = line(each.get("display"))
            if title is None and display is not None:
                title = Term(display)
            yield Link(name, anchor(self.origin.feed, name), title, is_shown)

    def left_out(self, *names: str) -> int:
        """How many entries of the lists at `names` are beyond the bound."""
        return left_out(*[self.tree.get(name) for name in names])

    @property
    def has_narrative(self) -> bool:
        """Whether it has a text of its own."""
        return bool(word(record(self.tree.get("text")).get("div")).strip())


def standing_of(status: Any) -> Standing:
    """What a status code means for a reader."""
    if not isinstance(status, str) or not status:
        return Standing.UNSTATED
    return _STANDINGS.get(status, Standing.OTHER)


def verified_standing(tree: Tree, standing: Standing) -> Standing:
    """`standing`, unless the verificationStatus says that the entry is an error."""
    codings = records(record(tree.get("verificationStatus")).get("coding"))
    wrong = any(
        each.get("code") == "entered-in-error" and each.get("system") in (*_VERIFIED_SYSTEMS, None) for each in codings
    )
    return Standing.MISTAKEN if wrong else standing


def details(*told: tuple[str, Value | None]) -> tuple[Detail, ...]:
    """Those of `told` that say something."""
    return tuple([Detail(name, value) for name, value in told if value is not None])


def several(name: str, values: Iterable[Value | None]) -> Iterator[tuple[str, Value | None]]:
    """`values`, each a detail of the same name."""
    return ((name, value) for value in values)


def terms(value: Any) -> list[Term]:
    """What a list of CodeableConcepts says, or a single one."""
    concepts = records(value) or [record(value)]
    return [each for each in map(term, concepts) if each is not None]


def references(value: Any) -> frozenset[str]:
    """The literal references of a Reference or a list of them."""
    named = records(value) or [record(value)]
    return frozenset([name for each in named if (name := word(each.get("reference")).partition("/_history/")[0])])


def identifiers(tree: Tree) -> frozenset[Pair]:
    """Business identifiers with a system; without one they are no more than numbers."""
    found = records(tree.get("identifier"))
    return frozenset(
        [
            (system, value)
            for each in found
            if (system := word(each.get("system"))) and (value := word(each.get("value")))
        ]
    )


def attachments(found: Iterable[Any]) -> tuple[Attachment, ...]:
    """Attachments, numbered as they come."""
    read = []
    for place, each in enumerate(found):
        tree = record(each)
        size = tree.get("size")
        read.append(
            Attachment(
                place,
                line(tree.get("title")),
                media_type(tree.get("contentType")),
                size if type(size) is int and 0 <= size < MAX_SIZE else None,
                when(tree.get("creation")),
            )
        )
    return tuple(read)


MAX_SIZE = 1 << 40
"""Of an attachment, in bytes, as stated; a terabyte is a mistake."""
_MAX_MEDIA_TYPE = 100


def media_type(value: Any) -> str:
    """`text/plain` of `Text/Plain; charset=utf-8`; "" of what is no media type."""
    name = word(value)[: 2 * _MAX_MEDIA_TYPE].partition(";")[0].strip().lower()
    known = name.isascii() and name.isprintable() and name.count("/") == 1 and " " not in name
    return name if known and len(name) <= _MAX_MEDIA_TYPE else ""
