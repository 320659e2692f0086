"""Reads a verified id_token and the token answer that it came with into the Identity of a launch (design section 6).

Who it is comes from the id_token, what is granted and about whom from the answer. Marks of a person count as they do
for tokens.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plugin.authentication import claim_maps, claims
from plugin.authentication import claim_reading as read
from plugin.authentication.backchannel import Granted
from plugin.authentication.bearer_token import hashed_reference
from plugin.settings.ehr import Ehr, Issuer
from policies.vocabulary.identity import Client, Identity
from policies.vocabulary.purposes import PurposeSource


def identity(verified: Mapping[str, Any], granted: Granted, ehr: Ehr, issuer: Issuer, client_id: str) -> Identity:
    """Whom a launch is for; `launch_patient` is None where the answer names none.

    A session never reads the log. Raises TokenInvalid for what is present and not understood.
    """
    # IUA's extension is of access tokens: an id_token of such an issuer has it or not.
    told = issuer if issuer.claims != "iua" else issuer.model_copy(update={"claims": "smart"})
    described = replace(claim_maps.described(verified, told), scope=granted.scope)
    grants = claims.granted(granted.scope)
    return Identity(
        ehr=ehr.id,
        subject=claims.kind_of_subject(verified, client_id, described, grants, issuer),
        person=described.person(issuer.issuer, verified["sub"], read.text(verified.get("name"))),
        client=Client(client_id),
        grants=grants,
        launch_patient=read.patient_id(granted.context.get("patient")),
        purposes=described.purposes,
        purpose_source=PurposeSource.CLAIM if described.purposes else None,
        token_reference=hashed_reference(granted.token),
        person_id=described.person_id,
    )
