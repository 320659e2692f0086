"""Resources whose sense an extension changes that we do not know (R4 2.4.2): who they are of and when is told, no more.

No modifier extension is known to us, nor any rules that a resource was made under (`implicitRules`). An extension may
stand in a resource and in its backbone elements, never in a data type.
"""

from typing import Final

from msgspec.structs import replace

from plugin.faces.viewer.readings.elements import Tree, record, records
from plugin.faces.viewer.readings.result import Flag, Result
from plugin.faces.viewer.readings.values import Altered

_BACKBONES: Final = frozenset({
    "accident", "addItem", "adjudication", "benefitBalance", "careTeam", "collection", "component", "container",
    "content", "context", "detail", "diagnosis", "dispenseRequest", "dosage", "dosageInstruction", "education",
    "evidence", "financial", "focalDevice", "ingredient", "initialFill", "instance", "insurance", "item", "media",
    "payee", "payment", "performer", "procedure", "processing", "processNote", "protocolApplied", "reaction",
    "referenceRange", "related", "relatesTo", "series", "stage", "subDetail", "substitution", "supportingInfo",
    "timing", "total",
})  # fmt: skip
"""Elements of R4's consultable types that are backbone elements, Dosage and Timing in some of them at least."""
_DEEPEST: Final = 5
"""Levels of them: `item.detail.subDetail.adjudication` of a claim is the fourth."""


def is_altered(tree: Tree, levels: int = _DEEPEST) -> bool:
    """Whether a modifier extension stands in a resource or in one of its parts, or rules that it was made under."""
    if tree.get("modifierExtension") or tree.get("implicitRules"):
        return True
    if levels == 0:
        return False
    return any(is_altered(each, levels - 1) for name in tree.keys() & _BACKBONES for each in _parts(tree[name]))


def altered(result: Result) -> Result:
    """`result` without what the extension may change. Its files and its narrative are for people to read, and stay."""
    return replace(result, value=Altered(), value_codes=(), flag=Flag(), ranges=(), parts=(), notes=(), details=())


def _parts(value: object) -> list[Tree]:
    return records(value) if isinstance(value, list) else [record(value)]
