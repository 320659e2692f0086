"""Step 2's quotas: the general ones, and the tighter ones of `[[limits.tighter]]` for a role or a client."""

from collections.abc import Sequence

from plugin.settings.rules import TighterLimits
from plugin.state.quotas import Charged, Quotas
from plugin.telemetry import QUOTA_REFUSALS
from policies.vocabulary.identity import Identity


def charge(quotas: Quotas, tighter: Sequence[TighterLimits], identity: Identity, patient: str | None) -> Charged:
    """Count one look against the tightest limits that hold for this person and client. Raises StateUnavailable."""
    roles = {f"{role.system}|{role.code}" for role in identity.person.roles}
    held = [
        each
        for each in tighter
        if (each.role is None or each.role in roles) and (each.client is None or each.client == identity.client.id)
    ]
    charged = quotas.charge(
        identity.person.key,
        patient,
        consultations=min((n for each in held if (n := each.consultations_per_person_hour)), default=None),
        patients=min((n for each in held if (n := each.patients_per_person_hour)), default=None),
    )
    if charged is not Charged.WITHIN:
        QUOTA_REFUSALS.inc()
    return charged
