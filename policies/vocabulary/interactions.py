"""What a caller can try on a FHIR server (R4 3.1.0), told apart finely enough to refuse each in its own way.

Only `READ` and `SEARCH_TYPE` look at one patient's results; everything else is named so that the refusal is recorded
under its own name. The codes are those of http://hl7.org/fhir/restful-interaction where it has one.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Interaction(StrEnum):
    """A RESTful interaction, as recorded."""

    READ = "read"
    VREAD = "vread"
    SEARCH_TYPE = "search-type"
    SEARCH_SYSTEM = "search-system"
    HISTORY_INSTANCE = "history-instance"
    HISTORY_TYPE = "history-type"
    HISTORY_SYSTEM = "history-system"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    TRANSACTION = "transaction"  # a batch as well: the body that would tell them apart is never read
    OPERATION = "operation"
    CAPABILITIES = "capabilities"
    UNKNOWN = "unknown"  # a method or a shape of address that FHIR does not define


CONSULTING = frozenset({Interaction.READ, Interaction.SEARCH_TYPE})
"""The consult-only set: all that `Gateway.consult` may answer with a patient's data."""

SCOPE_LETTERS: Final[Mapping[Interaction, str]] = {Interaction.READ: "r", Interaction.SEARCH_TYPE: "s"}
"""What a scope grants by (SMART 2.2), for the interactions that look."""


class Level(StrEnum):
    """Where on the FHIR base an address points; the status of a refusal depends on it (design section 3)."""

    BASE = "base"
    TYPE = "type"
    INSTANCE = "instance"


class Delivery(StrEnum):
    """How a release reaches the person: as a page, or as structured data. Stands in every record."""

    RENDERED = "rendered"
    STRUCTURED = "structured"


OPERATIONS = frozenset(
    [
        "everything",
        "export",
        "bulk-publish",
        "bulk-submit",
        "import",
        "document",
        "lastn",
        "stats",
        "graphql",
        "graph",
        "find",
        "match",
        "snapshot",
        "validate",
        "expand",
        "lookup",
        "translate",
        "subsumes",
        "validate-code",
        "meta",
        "meta-add",
        "meta-delete",
        "convert",
        "transform",
        "apply",
        "questionnaire",
        "questionnairepackage",
        "populate",
        "populatehtml",
        "populatelink",
        "extract",
        "evaluate-measure",
        "care-gaps",
        "collect-data",
        "submit",
        "submit-data",
        "data-requirements",
        "closure",
        "compose",
        "conforms",
        "implements",
        "versions",
        "summary",
        "status",
        "events",
        "docref",
        "diff",
        "merge",
        "get-ws-binding-token",
        "process-message",
        "purge",
        "expunge",
        "reindex",
        "mark-all-resources-for-reindexing",
        "partition-management",
        "add",
        "delete",
        "remove",
        "find-matches",
        "preferred-id",
        "nutrition-order",
    ]
)
"""Operations that R4, its guides or well-known servers define, without the dollar: known, and refused."""
