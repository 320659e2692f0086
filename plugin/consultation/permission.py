"""Step 2: from verdicts, scopes and the shape of a request to a permission, or to the one refusal that fits.

The order tells as little as it can: a program learns that it is one before anything about addresses, and a person is
told what was wrong with the request before what the token lacks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from plugin.attempt import Attempt
from plugin.errors import Refused, ScopeInsufficient, ShapeRefused
from policies.vocabulary.consultation import ClinicalConsultation, PageBinding, Reason
from policies.vocabulary.identity import Identity
from policies.vocabulary.interactions import CONSULTING, SCOPE_LETTERS, Interaction, Level
from policies.vocabulary.resource_types import HANDLED
from policies.vocabulary.scopes import Ceiling
from policies.vocabulary.verdict import Deny, Permit

Rules = tuple[str, ...]
"""Their ids."""
Granted = TypeVar("Granted")
"""What a step gives with its permission."""

_SHAPE_RULES = {"view-only", "one-patient", "patient-in-context", "allowed-types"}
"""Core rules that speak of the request; all others speak of the person, the client or the purpose."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the token's scopes allow for this look, and for types that come with it."""

    identity: Identity
    letter: str
    _ceilings: dict[str, Ceiling] = field(default_factory=dict, repr=False)

    def ceiling(self, resource_type: str) -> Ceiling:
        """For `resource_type`, with the letter of what was asked; found once, since each result asks for it."""
        if resource_type not in self._ceilings:
            self._ceilings[resource_type] = self.identity.grants.ceiling(
                resource_type, self.letter, launch_patient=self.identity.launch_patient is not None
            )
        return self._ceilings[resource_type]


def permission(identity: Identity, asked: ClinicalConsultation, core: Permit | Deny) -> Scope:
    """The scope within which the look may go on. Raises Refused: by rule, by shape, or for want of a scope."""
    rules = core.rules if isinstance(core, Deny) else ()
    personal = tuple(rule for rule in rules if rule not in _SHAPE_RULES)
    if personal:
        raise Refused(Reason.ACCESS_DENIED, rules=rules)
    if asked.objection is not None and asked.objection.reason is Reason.METHOD_OVERRIDE:
        raise ShapeRefused(asked.objection)
    if asked.interaction not in CONSULTING:
        raise _view_only(asked, rules)
    if asked.objection is not None:
        raise ShapeRefused(asked.objection)
    if asked.binding is not None and not _is_for(identity, asked.binding):
        raise Refused(Reason.PAGE_LINK_FOREIGN, rules=("page-link",))
    if asked.resource_type == HANDLED:
        raise Refused(Reason.NOT_FOUND, rules=("handle",))  # one that means nothing to this person
    if "allowed-types" in rules or asked.resource_type is None:
        raise Refused(Reason.UNKNOWN_TYPE, rules=rules)
    if "one-patient" in rules:
        raise Refused(Reason.PATIENT_REQUIRED, rules=rules)
    if "patient-in-context" in rules:
        # A read of somebody else's address tells no more than an absence; a search that names somebody is refused.
        raise Refused(Reason.NOT_FOUND if asked.interaction is Interaction.READ else Reason.ACCESS_DENIED, rules=rules)
    scope = Scope(identity, SCOPE_LETTERS[asked.interaction])
    if not scope.ceiling(asked.resource_type).allowed:
        raise ScopeInsufficient(f"patient/{asked.resource_type}.{scope.letter}")
    return scope


def permitted_types(
    attempt: Attempt, asked: ClinicalConsultation, permitted: Callable[[ClinicalConsultation], tuple[Rules, Granted]]
) -> tuple[ClinicalConsultation, Granted]:
    """`asked` for the types of which `permitted` raises no Refused; what it gives for the first of them.

    Raises its first Refused where nothing is left. What is left out of a page stands in its record.
    """
    if not asked.also:
        attempt.rules, granted = permitted(asked)
        return asked, granted
    kept: dict[str, tuple[Rules, Granted]] = {}
    refused: list[Refused] = []
    for resource_type in asked.types:
        try:
            kept[resource_type] = permitted(asked.of_types(resource_type))
        except Refused as refusal:
            refused.append(refusal)
            attempt.left_out[resource_type] = refusal.rules
    if not kept:
        raise refused[0]
    attempt.rules = tuple(sorted({rule for rules, _ in kept.values() for rule in rules}))
    attempt.asked = asked.of_types(*kept)
    return attempt.asked, next(iter(kept.values()))[1]


def _is_for(identity: Identity, binding: PageBinding) -> bool:
    """Whether a page link was issued to this person, about the patient in context (if there is one)."""
    if (binding.reader, binding.ehr) != (identity.person.key, identity.ehr):
        return False
    return identity.launch_patient in (None, binding.patient)


def _view_only(asked: ClinicalConsultation, rules: tuple[str, ...]) -> Refused:
    """Design section 3: on a type or an instance 405; on a base 403; a known `$operation` 403, an unknown one 404."""
    rules = rules or ("view-only",)
    if asked.objection is not None and asked.objection.reason in _ADDRESS_OBJECTIONS:
        return ShapeRefused(asked.objection)
    if asked.interaction is Interaction.OPERATION:
        reason = Reason.UNKNOWN_OPERATION if asked.operation is None else Reason.OPERATION_REFUSED
        return Refused(reason, rules=rules)
    return Refused(Reason.VIEW_ONLY, rules=rules, status=403 if asked.level is Level.BASE else None)


_ADDRESS_OBJECTIONS = frozenset(
    {Reason.UNKNOWN_FEED, Reason.UNKNOWN_ADDRESS, Reason.UNKNOWN_TYPE, Reason.METHOD_NOT_ALLOWED}
)
"""The address itself settles the answer: nothing is there, or an open document that only GET asks for."""
