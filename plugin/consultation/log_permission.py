"""What of the log a permitted reader reaches: by the shape of the request, the scopes of the token, and the tenant."""

from collections.abc import Mapping

from plugin.audit.search import Reach
from plugin.errors import Refused, ScopeInsufficient, ShapeRefused
from policies.vocabulary.consultation import AuditConsultation, Reason
from policies.vocabulary.identity import Identity, Subject
from policies.vocabulary.interactions import CONSULTING, SCOPE_LETTERS, Interaction


def refuse_writing(asked: AuditConsultation) -> None:
    """Nobody adds to the log, changes it or runs anything on it by asking. Raises Refused."""
    if asked.objection is not None or asked.interaction in CONSULTING:
        return
    if asked.interaction is Interaction.OPERATION:
        reason = Reason.UNKNOWN_OPERATION if asked.operation is None else Reason.OPERATION_REFUSED
        raise Refused(reason, rules=("view-only",))
    raise Refused(Reason.VIEW_ONLY, rules=("view-only",))


def reader(identity: Identity) -> str:
    """For whom a next link is issued: a person, as an auditor of this EHR."""
    return f"{identity.ehr} {identity.person.key}"


def reach(identity: Identity, asked: AuditConsultation, ehr_bases: Mapping[str, str]) -> Reach:
    """Whose records this reader sees. Raises Refused: by shape, for want of a scope, or a link of another reader.

    `ehr_bases`: the FHIR base of each EHR. An auditor by token sees the records of the own EHR and of the gateway's
    life, and only by searching or reading an event; the operator of the machine sees all.
    """
    if asked.objection is not None:
        raise ShapeRefused(asked.objection)
    if asked.search is not None and asked.search.reader not in (None, reader(identity)):
        raise Refused(Reason.PAGE_LINK_FOREIGN, rules=("page-link",))
    if identity.subject is Subject.OPERATOR:
        return Reach(None, tuple(ehr_bases.values()))
    if asked.search is None:
        raise Refused(Reason.ACCESS_DENIED, rules=("log-by-search",))
    letter = SCOPE_LETTERS[asked.interaction]
    # A `patient/` scope says nothing of a log; and what a restriction would be on, an event does not have.
    ceiling = identity.grants.ceiling("AuditEvent", letter, launch_patient=False)
    if not ceiling.allowed or ceiling.restrictions:
        raise ScopeInsufficient(f"user/AuditEvent.{letter}")
    return Reach(identity.ehr, (ehr_bases[identity.ehr],))
