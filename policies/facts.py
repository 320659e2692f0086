"""The facts that a rule may ask about, in words for people: each name of the schema, its values, where it comes from.

The schema (`rules/vitrine.cedarschema`) decides; a test holds this table and docs/policies/facts.md to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from policies.vocabulary.r4_types import R4_TYPES
from policies.vocabulary.security_labels import SENSITIVITIES, STRICTNESS

CATEGORIES = (
    "patient-summary",
    "prescription",
    "dispensation",
    "imaging",
    "test-results",
    "discharge-report",
    "reimbursement",
    "other",
    "unclassified",
)
"""EHDS Article 14, and what stands beside it (design section 4)."""

PURPOSES = frozenset({"TREAT", "COC", "TREATDS", "ETREAT", "ERTREAT", "BTG"})
"""Those that the core leaves to other rules; any other code of v3-ActReason can stand in a token."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One name of the schema."""

    name: str
    kind: type
    """`str`, `bool`, `int`, or `list` for a set of texts."""
    source: str
    source_fr: str
    values: frozenset[str] | None = None
    """All that it can be; None: open."""
    optional: bool = False
    """May be absent, and is then absent for a rule as well."""


def _text(name: str, source: str, source_fr: str, *values: str, optional: bool = False) -> Fact:
    return Fact(name, str, source, source_fr, frozenset(values) or None, optional)


def _truth(name: str, source: str, source_fr: str) -> Fact:
    return Fact(name, bool, source, source_fr)


_TOKEN, _TOKEN_FR = "the token", "le jeton"
_SETTING, _SETTING_FR = "the configuration", "la configuration"
_REQUEST, _REQUEST_FR = "the request", "la demande"
_STATE, _STATE_FR = "what operators and clinicians have recorded", "ce qu'exploitants et soignants ont enregistré"
_RESULT, _RESULT_FR = "labels and codes of the result", "les étiquettes et codes du résultat"

_PERSON = (
    _text("subject", _TOKEN, _TOKEN_FR, "professional", "patient", "machine", "operator"),
    Fact("roles", list, _TOKEN, _TOKEN_FR),
    _text("organisation", _TOKEN, _TOKEN_FR, optional=True),
    _text("client", _TOKEN, _TOKEN_FR),
    _text("ehr", "issuer and client of the token", "l'émetteur et le logiciel du jeton"),
    _text("delivery", "the face that was used", "la voie d'accès", "rendered", "structured"),
    _text(
        "network_zone",
        "the caller's address, in [policies.network_zones]",
        "l'adresse de l'appelant, dans [policies.network_zones]",
        optional=True,
    ),
    _text(
        "care_relation",
        "the launch context, or the person's own declaration with a reason",
        "le contexte de lancement, ou la déclaration motivée de la personne",
        "launch",
        "declared",
        optional=True,
    ),
    Fact("hour", int, "the clock, UTC", "l'horloge, UTC"),
    _truth("break_glass", _STATE, _STATE_FR),
)

LOOK: Mapping[str, Fact] = MappingProxyType(
    {
        fact.name: fact
        for fact in (
            *_PERSON,
            _text("assurance", "the token's login (acr)", "la connexion du jeton (acr)", optional=True),
            _truth("client_renders_only", _SETTING, _SETTING_FR),
            _truth("suspended", _STATE, _STATE_FR),
            _text(
                "purpose",
                "the token, the person, or the client's default",
                "le jeton, la personne, ou le réglage du logiciel",
                optional=True,
            ),
            _text(
                "purpose_source",
                "who said the purpose",
                "qui a dit la finalité",
                "claim",
                "declared",
                "client-default",
                "operator",
                optional=True,
            ),
            _text("type", _REQUEST, _REQUEST_FR, *R4_TYPES, optional=True),
            _truth("type_offered", _SETTING, _SETTING_FR),
            _text(
                "patient",
                "the request beside the token",
                "la demande et le jeton",
                "launch",
                "other",
                "named",
                optional=True,
            ),
            _text(
                "opposition",
                "the patient's consents at the configured source",
                "les consentements du patient à la source configurée",
                "none",
                "part",
                "all",
                "unknown",
                optional=True,
            ),
            _truth("patient_informed", "the clinician's confirmation", "la confirmation du soignant"),
            _truth("feed_wants_informed", _SETTING, _SETTING_FR),
        )
    }
)
"""Facts of a look, and of an attempt at anything else."""

SHOW: Mapping[str, Fact] = MappingProxyType(
    {
        fact.name: fact
        for fact in (
            *_PERSON,
            _text(
                "purpose",
                "the token, the person, or the client's default",
                "le jeton, la personne, ou le réglage du logiciel",
            ),
            _truth(
                "opposed", "the patient's consents, for this result", "les consentements du patient, pour ce résultat"
            ),
            _text("type", "the result", "le résultat", *R4_TYPES),
            _text("category", _RESULT, _RESULT_FR, *CATEGORIES),
            _text("confidentiality", _RESULT, _RESULT_FR, *STRICTNESS, optional=True),
            Fact("sensitivity", list, _RESULT, _RESULT_FR, SENSITIVITIES),
            _truth("document", "the result", "le résultat"),
            _truth("labelled", _RESULT, _RESULT_FR),
        )
    }
)
"""Facts of showing one result."""

LOG: Mapping[str, Fact] = MappingProxyType(
    {
        fact.name: fact
        for fact in (
            LOOK["subject"],
            LOOK["suspended"],
            _truth("auditor", "`auditors` of the [[ehr]]", "`auditors` de l'[[ehr]]"),
            LOOK["purpose"],
            _truth("reason_given", "the command line", "la ligne de commande"),
        )
    }
)
"""Facts of reading the log."""


class FactInvalid(Exception):
    """A fact that the schema does not have, or a value that it cannot have. One sentence."""


def checked(known: Mapping[str, Fact], name: str, value: Any) -> Any:
    """`value` if fact `name` can be that. Raises FactInvalid."""
    fact = known.get(name)
    if fact is None:
        raise FactInvalid(f"there is no fact '{name}' here; there are {', '.join(sorted(known))}")
    if not _is(value, fact.kind) or (fact.kind is list and not all(isinstance(each, str) for each in value)):
        raise FactInvalid(f"fact '{name}' is {_KINDS[fact.kind]}")
    named = value if isinstance(value, list) else [value]
    if fact.values is not None and (strange := [each for each in named if each not in fact.values]):
        raise FactInvalid(f"fact '{name}' is never '{strange[0]}'; it can be {_told(fact.values)}")
    if name == "hour" and not 0 <= value <= 23:
        raise FactInvalid("fact 'hour' is from 0 to 23")
    return value


def _is(value: object, kind: type) -> bool:
    """Exactly: a truth is no number here."""
    return type(value) is kind


_KINDS = {str: "a text", bool: "true or false", int: "a whole number", list: "a list of texts"}


def _told(values: frozenset[str]) -> str:
    shown = sorted(values)
    return ", ".join(shown[:12]) + (" …" if len(shown) > 12 else "")
