"""Between steps 10 and 1 of the next look: the address by which a file of a document may be opened, and what it means.

A handle grants nothing: it names a document, which is read and judged anew when the handle is used. One that is
unknown, over, or another person's means nothing, and is refused like a document that is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from plugin.consultation.attachments import NamedFile, element_at
from plugin.errors import Refused
from plugin.state.handles import Handled, Handles
from policies.vocabulary.consultation import ClinicalConsultation, PageBinding, Reason
from policies.vocabulary.identity import Identity
from policies.vocabulary.interactions import Interaction
from policies.vocabulary.resource_types import HANDLED

MOST = 2_000
"""Files that one answer may name: twice as many as resources. A feed that sends more in them sends no documents."""


@dataclass(frozen=True, slots=True)
class FileAddresses:
    """Issues and reads addresses of files."""

    handles: Handles
    public_base: str

    def meaning(self, identity: Identity, asked: ClinicalConsultation) -> ClinicalConsultation:
        """The look at a document's file that `asked` means by a handle; anything else is as it was.

        Raises StateUnavailable.
        """
        if asked.resource_type != HANDLED or asked.interaction is not Interaction.READ or asked.objection is not None:
            return asked
        handled = self.handles.find(asked.resource_id or "")
        if handled is None or not _is_for(identity, handled) or handled.feed != asked.feed:
            return asked
        resource_type, _, resource_id = handled.reference.partition("/")
        return replace(
            asked, resource_type=resource_type, resource_id=resource_id, patient=handled.patient, file=handled.file
        )

    def write(
        self, feed: str, binding: PageBinding, documents: Sequence[tuple[str, Mapping[str, Any], Sequence[NamedFile]]]
    ) -> None:
        """Put an address into each file of `documents` that can be opened: (reference, copy to be shown, its files).

        Raises StateUnavailable, Refused(TOO_COSTLY).
        """
        files = [(reference, copy, each) for reference, copy, named in documents for each in named if each.openable]
        if len(files) > MOST:
            raise Refused(Reason.TOO_COSTLY, rules=("cap",))
        issued = self.handles.issue(
            [
                Handled(feed, binding.reader, binding.ehr, binding.patient, reference, each.number)
                for reference, _, each in files
            ]
        )
        for handle, (_, copy, each) in zip(issued, files, strict=True):
            element_at(copy, each.path)["url"] = f"{self.public_base}/fhir/{feed}/{HANDLED}/{handle}"


def _is_for(identity: Identity, handled: Handled) -> bool:
    """Whether it was issued to this person, about the patient in context (if there is one)."""
    if (handled.reader, handled.ehr) != (identity.person.key, identity.ehr):
        return False
    return identity.launch_patient in (None, handled.patient)
