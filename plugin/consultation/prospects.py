"""The looks that a person could take at one patient, before one is: what an opening is for, and what a page offers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from plugin.consultation.care_context import care_relation
from plugin.consultation.feed_on_offer import FeedOnOffer
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Identity
from policies.vocabulary.interactions import Delivery, Interaction, Level


def prospects(
    feeds: Mapping[str, FeedOnOffer],
    identity: Identity,
    delivery: Delivery,
    patient: str | None,
    around: Callable[[ClinicalConsultation], Circumstances],
) -> Iterator[tuple[ClinicalConsultation, Circumstances]]:
    """A search for each type of each feed, with what would be known around it; `around` tells what is without asking.

    `patient` None means the one in context. What the patient must be told is asked at each look.
    """
    for feed_id, feed in feeds.items():
        look = ClinicalConsultation(
            feed_id, Interaction.SEARCH_TYPE, Level.TYPE, delivery, patient=patient, patient_informed=True
        )
        circumstances = replace(around(look), type_offered=True, care_relation=care_relation(identity, look))
        for resource_type in feed.types:
            yield replace(look, resource_type=resource_type), circumstances
