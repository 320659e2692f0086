"""Verdicts: the facts of a request, put to the rules.

`decide_core` comes before any site rule and before any feed; `decide_site` once the care relation is known;
`decide_show` for each distinct set of labels in an answer; `decide_any` before an opening, and of what a page offers.
Several purposes: each must be permitted.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from policies.cedar import PolicySet, Question
from policies.labels import Labels
from policies.rulebook import Rulebook
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import AuditConsultation, ClinicalConsultation
from policies.vocabulary.identity import Identity
from policies.vocabulary.verdict import NO_RULE_PERMITS, Deny, Permit


class Signature(NamedTuple):
    """What a rule knows of a resource; those with equal ones are decided once."""

    labels: Labels
    opposed: bool
    """The patient opposes that it is shown."""


def decide_core(
    rules: Rulebook, identity: Identity, asked: ClinicalConsultation, circumstances: Circumstances
) -> Permit | Deny:
    """What no site can permit. A Permit here says only that nothing in the core refuses."""
    verdict = _for_each_purpose(rules.core, identity, asked, facts(identity, asked, circumstances))
    # The core consists of refusals: where none of them fires, no rule has spoken.
    return verdict if isinstance(verdict, Deny) and not verdict.silent else Permit(("core",))


def decide_site(
    rules: Rulebook, identity: Identity, asked: ClinicalConsultation, circumstances: Circumstances
) -> Permit | Deny:
    """Whether a rule, shipped or of the site, permits this look, and none forbids it."""
    return _for_each_purpose(rules.complete, identity, asked, facts(identity, asked, circumstances))


def decide_any(
    rules: Rulebook, identity: Identity, looks: Iterable[tuple[ClinicalConsultation, Circumstances]]
) -> Permit | Deny:
    """Whether any of `looks` is permitted. A denial names the rules that refused every one.

    So the glass may be broken where a look under the opening is permitted: there is no rule for opening apart from
    those for looking, and what they never permit opens nothing.
    """
    denied: set[str] | None = None
    for asked, circumstances in looks:
        verdict = decide_site(rules, identity, asked, circumstances)
        if isinstance(verdict, Permit):
            return verdict
        denied = set(verdict.rules) if denied is None else denied.intersection(verdict.rules)
    return Deny(tuple(sorted(denied or ())) or (NO_RULE_PERMITS,))


def decide_log(rules: Rulebook, identity: Identity, asked: AuditConsultation, *, suspended: bool) -> Permit | Deny:
    """Whether this person may read the log."""
    known = {
        "subject": str(identity.subject),
        "suspended": suspended,
        "auditor": identity.auditor,
        "reason_given": bool(asked.reason.strip()),
    }
    return _merged(
        rules.core.decide(
            [
                Question(identity.person.key, "read-log", ("Log", "ledger"), known | purpose)
                for purpose in _purposes(identity)
            ]
        )
    )


def decide_show(
    rules: Rulebook,
    identity: Identity,
    asked: ClinicalConsultation,
    circumstances: Circumstances,
    signatures: Sequence[Signature],
) -> list[Permit | Deny]:
    """One verdict for each of `signatures`, in order: may such a resource be shown to this person?"""
    known = facts_of_showing(identity, asked, circumstances)
    person, feed = identity.person.key, ("Feed", asked.feed)

    def verdict(signature: Signature, purpose: str) -> Permit | Deny:
        about = signature.labels.facts() | {"opposed": signature.opposed, "purpose": purpose}
        return rules.complete.decide_again(Question(person, "show", feed, known | about))

    return [_merged([verdict(each, purpose) for purpose in identity.purposes]) for each in signatures]


def facts(identity: Identity, asked: ClinicalConsultation, circumstances: Circumstances) -> dict[str, Any]:
    """The facts of a look, but for its purpose: with names and types of the schema's `Facts`."""
    return {
        "subject": str(identity.subject),
        "roles": [f"{role.system}|{role.code}" for role in identity.person.roles],
        "client": identity.client.id,
        "client_renders_only": identity.client.renders_only,
        "ehr": identity.ehr,
        "suspended": circumstances.suspended,
        "delivery": str(asked.delivery),
        "type_offered": circumstances.type_offered,
        "patient_informed": circumstances.patient_informed,
        "feed_wants_informed": circumstances.feed_wants_informed,
        "break_glass": circumstances.break_glass,
        "hour": circumstances.hour,
        **_known(
            organisation=identity.person.organisation_id,
            assurance=identity.person.assurance,
            network_zone=circumstances.network_zone,
            type=asked.resource_type,
            patient=_whose(identity, asked),
            care_relation=circumstances.care_relation,
            opposition=circumstances.opposition,
            purpose_source=None if identity.purpose_source is None else str(identity.purpose_source),
        ),
    }


def facts_of_showing(identity: Identity, asked: ClinicalConsultation, circumstances: Circumstances) -> dict[str, Any]:
    """The facts of action `show` that do not come from the resource, but for the purpose."""
    return {
        "subject": str(identity.subject),
        "roles": [f"{role.system}|{role.code}" for role in identity.person.roles],
        "client": identity.client.id,
        "ehr": identity.ehr,
        "delivery": str(asked.delivery),
        "hour": circumstances.hour,
        "break_glass": circumstances.break_glass,
        **_known(
            organisation=identity.person.organisation_id,
            network_zone=circumstances.network_zone,
            care_relation=circumstances.care_relation,
        ),
    }


def _whose(identity: Identity, asked: ClinicalConsultation) -> str | None:
    if identity.launch_patient is None:
        return None if asked.patient is None else "named"
    return "launch" if asked.patient in (None, identity.launch_patient) else "other"


def _for_each_purpose(
    policies: PolicySet, identity: Identity, asked: ClinicalConsultation, known: dict[str, Any]
) -> Permit | Deny:
    return _merged(
        [
            policies.decide_again(
                Question(identity.person.key, str(asked.interaction), ("Feed", asked.feed), known | purpose)
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
