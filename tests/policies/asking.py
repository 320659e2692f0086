"""A clinician and a look, for rules to judge; each test changes the one fact that it is about."""

from dataclasses import replace
from typing import Any

from policies.vocabulary import scopes
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Client, Identity, Person, Subject
from policies.vocabulary.interactions import Delivery, Interaction, Level
from policies.vocabulary.purposes import PurposeSource

CLINICIAN = Identity(
    ehr="hospital",
    subject=Subject.PROFESSIONAL,
    person=Person("https://login.example", "dr-roy"),
    client=Client("results-pane", renders_only=True),
    grants=scopes.parse("patient/*.rs"),
    launch_patient="p1",
    purposes=("TREAT",),
    purpose_source=PurposeSource.CLAIM,
    token_reference="urn:ietf:params:oauth:jti:1",
)

SEARCH = ClinicalConsultation(
    feed="city-lab",
    interaction=Interaction.SEARCH_TYPE,
    level=Level.TYPE,
    delivery=Delivery.STRUCTURED,
    resource_type="Observation",
)


def clinician(**changes: Any) -> Identity:
    """CLINICIAN with `changes`."""
    return replace(CLINICIAN, **changes)


def search(**changes: Any) -> ClinicalConsultation:
    """SEARCH with `changes`."""
    return replace(SEARCH, **changes)


def around(**changes: Any) -> Circumstances:
    """Nine in the morning, the patient in context, nothing that stands in the way; with `changes`."""
    given = {"hour": 9, "type_offered": True, "suspended": False, "feed_wants_informed": False}
    return Circumstances(**{**given, "care_relation": "launch", **changes})
