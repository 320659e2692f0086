"""Step 10: what is handed over. Labels are added, addresses of the source taken out; clinical content is never altered.

Only `meta`, references under the feed's base or by a fullUrl that is replaced, and an Attachment's url and data change
(design section 5): a value that arrived as `1.50` leaves as `1.50`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fhir_adapters.interface import Tree
from plugin.consultation.attachments import CONTENT, NamedFile, is_attachment
from plugin.consultation.feed_places import relative
from plugin.consultation.findings import File
from policies.labels import confidentiality_of
from policies.vocabulary.consultation import ClinicalConsultation, PageBinding, PagePosition
from policies.vocabulary.security_labels import ACT_CODE, STRICTNESS

HANDLING = (
    ("NOCOLLECT", "no collection"),
    ("NOINTEGRATE", "no integration"),
    ("NOPERSISTP", "no collection beyond purpose of use"),
    ("NORDSCLCD", "no redisclosure without consent directive"),
    ("NOREUSE", "no reuse beyond purpose of use"),
    ("AUDTR", "audit trail"),
    ("DELAU", "delete after use"),
)
"""v3-ActCode labels of everything shown (view_only.md section 1). They tell; only the gateway's refusals enforce."""

BUNDLE_HANDLING = HANDLING[:2]
"""Those that say nothing of the content, so that a Bundle may carry them (DS4P)."""

_KEPT_META = ("lastUpdated", "profile", "security", "tag")
"""versionId invites version probing, source names the system behind the feed."""

_CONTAINERS = (dict, list)


@dataclass(frozen=True, slots=True)
class Shown:
    """One resource, ready to be shown."""

    reference: str
    """`Observation/77` at the feed."""
    resource: Tree
    companion: bool
    """Not asked for; shown because a result refers to it."""
    category: str
    """The kind of health data that it is, as the rules have judged and the record says it."""
    files: tuple[NamedFile, ...] = ()
    """That it carries or names; their content stands in a Release only where one was asked for."""


@dataclass(frozen=True, slots=True)
class Release:
    """A complete answer, in memory, whose record is durable."""

    asked: ClinicalConsultation
    shown: tuple[Shown, ...]
    binding: PageBinding
    next: PagePosition | None
    """Set only when a further kept entry is known."""
    notice: str | None = None
    """`no-qualified-identifier`: why there can be nothing, where that may be told; else None."""
    file: File | None = None
    """Set where a file of the one resource was asked for."""
    reader: str = ""
    """Whom it is shown to, as the credential names them, for a watermark."""

    @property
    def confidentiality(self) -> str | None:
        """The high-water mark: the strictest confidentiality code that a shown resource carries itself."""
        codes = [confidentiality_of(label) for each in self.shown for label in each.resource["meta"]["security"]]
        return max(filter(None, codes), key=STRICTNESS.__getitem__, default=None)


def labels(codes: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Codings of v3-ActCode for `codes`, (code, display) pairs."""
    return [{"system": ACT_CODE, "code": code, "display": display} for code, display in codes]


_OURS = labels(HANDLING)


_NO_ALIASES: Mapping[str, str] = {}


def ready(
    resource: Mapping[str, Any], base: str, aliases: Mapping[str, str] = _NO_ALIASES, *, plain: bool = False
) -> Tree:
    """A copy of `resource` to be shown: labelled, with nothing in it that leads around the gateway.

    `aliases`: what references mean by the fullUrl that a resource bore in the answer, and loses with it. `plain` is
    that of its `Contents`, if no alias stands in it: the walk saw nothing to take out but in its own meta, and so the
    copy shares the rest with it, which is encoded and never changed.
    """
    clean = partial(_clean, base=base, aliases=aliases)
    copy: Tree = dict(resource) if plain else {name: clean(name, value) for name, value in resource.items()}
    own = resource.get("meta")
    meta: Tree = clean("meta", own) if isinstance(own, dict) else {}
    copy["meta"] = meta | {"security": _labelled(meta.get("security"))}
    return copy


def _labelled(theirs: Any) -> list[dict[str, Any]]:
    """The labels of a resource, as far as they are some, with ours."""
    security = [label for label in theirs if isinstance(label, dict)] if isinstance(theirs, list) else []
    if not security:
        return list(_OURS)
    present = [label.get("code") for label in security if label.get("system") == ACT_CODE]
    return security + [label for label in _OURS if label["code"] not in present]


def _clean(name: str, value: Any, base: str, aliases: Mapping[str, str]) -> Any:
    # Most of a resource is text and numbers, for which no call is made: this walk is as long as the answer.
    if isinstance(value, list):
        return [_clean(name, item, base, aliases) if isinstance(item, _CONTAINERS) else item for item in value]
    if not isinstance(value, dict):
        return value
    if name == "meta":
        value = {key: item for key, item in value.items() if key in _KEPT_META}
    left_out = CONTENT if is_attachment(name, value) else frozenset()
    cleaned = {
        key: _clean(key, item, base, aliases) if isinstance(item, _CONTAINERS) else item
        for key, item in value.items()
        if key not in left_out
    }
    reference = cleaned.get("reference")
    if isinstance(reference, str):
        cleaned["reference"] = aliases.get(reference) or relative(base, reference)
    return cleaned
