"""Verdicts: the facts of a request, put to the rules.

`decide_core` comes before any site rule and before any feed; `decide_site` once the care relation is known;
`decide_show` for each distinct set of labels in an answer. Several purposes: each must be permitted.
"""

from collections.abc import Sequence
from typing import Any

from policies.cedar import PolicySet, Question
from policies.labels import Labels
from policies.rulebook import Rulebook
from policies.vocabulary.consultation import AuditConsultation, ClinicalConsultation
from policies.vocabulary.identity import Identity
from policies.vocabulary.verdict import NO_RULE_PERMITS, Deny, Permit


def decide_core(
    rules: Rulebook, identity: Identity, asked: ClinicalConsultation, *, type_offered: bool, hour: int
) -> Permit | Deny:
    """What no site can permit. A Permit here says only that nothing in the core refuses."""
    facts = _facts(identity, asked, type_offered=type_offered, hour=hour, care_relation=None)
    verdict = _for_each_purpose(rules.core, identity, asked, facts)
    # The core consists of refusals: where none of them fires, no rule has spoken.
    return verdict if isinstance(verdict, Deny) and not verdict.silent else Permit(("core",))


def decide_site(
    rules: Rulebook,
    identity: Identity,
    asked: ClinicalConsultation,
    *,
    type_offered: bool,
    hour: int,
    care_relation: str | None,
) -> Permit | Deny:
    """Whether a rule, shipped or of the site, permits this look, and none forbids it."""
    facts = _facts(identity, asked, type_offered=type_offered, hour=hour, care_relation=care_relation)
    return _for_each_purpose(rules.complete, identity, asked, facts)


def decide_log(rules: Rulebook, identity: Identity, asked: AuditConsultation) -> Permit | Deny:
    """Whether this person may read the log."""
    facts = {"subject": str(identity.subject), "auditor": identity.auditor, "reason_given": bool(asked.reason.strip())}
    return _merged(
        rules.core.decide(
            [
                Question(identity.person.key, "read-log", ("Log", "ledger"), facts | purpose)
                for purpose in _purposes(identity)
            ]
        )
    )


def decide_show(
    rules: Rulebook,
    identity: Identity,
    asked: ClinicalConsultation,
    care_relation: str | None,
    labels: Sequence[Labels],
) -> list[Permit | Deny]:
    """One verdict for each of `labels`, in order: may a resource so labelled be shown to this person?"""
    about_person = {
        "subject": str(identity.subject),
        "roles": [f"{role.system}|{role.code}" for role in identity.person.roles],
        "client": identity.client.id,
        "ehr": identity.ehr,
        "delivery": str(asked.delivery),
        **_known(organisation=identity.person.organisation_id, care_relation=care_relation),
    }
    questions = [
        Question(identity.person.key, "show", ("Feed", asked.feed), about_person | each.facts() | {"purpose": purpose})
        for each in labels
        for purpose in identity.purposes
    ]
    verdicts = iter(rules.complete.decide(questions))
    return [_merged([next(verdicts) for _ in identity.purposes]) for _ in labels]


def _facts(
    identity: Identity, asked: ClinicalConsultation, *, type_offered: bool, hour: int, care_relation: str | None
) -> dict[str, Any]:
    return {
        "subject": str(identity.subject),
        "roles": [f"{role.system}|{role.code}" for role in identity.person.roles],
        "client": identity.client.id,
        "client_renders_only": identity.client.renders_only,
        "ehr": identity.ehr,
        "delivery": str(asked.delivery),
        "type_offered": type_offered,
        "hour": hour,
        **_known(
            organisation=identity.person.organisation_id,
            assurance=identity.person.assurance,
            type=asked.resource_type,
            patient=_whose(identity, asked),
            care_relation=care_relation,
            purpose_source=None if identity.purpose_source is None else str(identity.purpose_source),
        ),
    }


def _whose(identity: Identity, asked: ClinicalConsultation) -> str | None:
    if identity.launch_patient is None:
        return None if asked.patient is None else "named"
    return "launch" if asked.patient in (None, identity.launch_patient) else "other"


def _for_each_purpose(
    policies: PolicySet, identity: Identity, asked: ClinicalConsultation, facts: dict[str, Any]
) -> Permit | Deny:
    return _merged(
        [
            policies.decide_again(
                Question(identity.person.key, str(asked.interaction), ("Feed", asked.feed), facts | purpose)
            )
            for purpose in _purposes(identity)
        ]
    )


def _purposes(identity: Identity) -> list[dict[str, Any]]:
    """One set of facts for each purpose; a request without any is decided once, with the fact absent."""
    return [{"purpose": purpose} for purpose in identity.purposes] or [{}]


def _merged(verdicts: Sequence[Permit | Deny]) -> Permit | Deny:
    """All must permit. A rule that speaks names the denial; only where none does is it named by that absence."""
    denials = [verdict for verdict in verdicts if isinstance(verdict, Deny)]
    spoken: Sequence[Permit | Deny] = [verdict for verdict in denials if not verdict.silent] or denials or verdicts
    rules = tuple(sorted({rule for verdict in spoken for rule in verdict.rules}))
    return Permit(rules) if verdicts and not denials else Deny(rules or (NO_RULE_PERMITS,))


def _known(**facts: str | None) -> dict[str, str]:
    """An absent fact is absent."""
    return {name: value for name, value in facts.items() if value is not None}
