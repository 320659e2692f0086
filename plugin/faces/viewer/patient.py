"""Who the page is about: name and birth date of the patient in context, read from the EHR that launched.

Read through the gateway like all else, once for a view, and kept in memory until the view ends: the EHR's own words on
whom it opened, no result. Where the launch did not grant it, nothing is asked; where it is not known, the page says so.
"""

import time
from collections.abc import Callable
from typing import Final

from plugin.consultation.release import Release
from plugin.errors import ConsultError, Refused, Unidentified
from plugin.event import LOCAL_FEED
from plugin.faces.viewer.entrance import Entered, PatientShown
from plugin.faces.viewer.looks import Consults
from plugin.faces.viewer.printed import moment
from plugin.faces.viewer.readings.beside import human_name
from plugin.faces.viewer.readings.moment import when
from plugin.state.patient_names import PatientName, PatientNames
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.interactions import Delivery, Interaction, Level

NUMBER: Final = 0
"""Of the banner's consultation among those of its page: looks at feeds count from 1, however many feeds there are."""
REFUSED_SECONDS: Final = 300.0
"""How long a refused name is not asked for again: a rule or a quota would refuse it on every page, in the log too."""
FAILED_SECONDS: Final = 30.0
"""How long it is not, where the EHR gave none: one that hangs would hold every page up by its whole deadline."""


class Patients:
    """Says who the patient of a view is. Safe to call from several threads."""

    def __init__(self, gateway: Consults, names: PatientNames, clock: Callable[[], float] = time.time) -> None:
        """`names`: what the sessions forget when a view ends."""
        self._gateway, self._names, self._clock = gateway, names, clock

    def of(self, entered: Entered) -> PatientShown | None:
        """None where the EHR does not tell a name, and before a purpose is stated. Raises Unidentified."""
        view = entered.view
        if view.purpose is None or not view.patient_readable:
            return None
        named = self._names.find(view.id, self._clock()) or self._read(entered)
        if named.name is None:
            return None
        born = when(named.birth_date)
        return PatientShown(named.name, "" if born is None else moment(born, entered.frame.language))

    def _read(self, entered: Entered) -> PatientName:
        view = entered.view
        asked = ClinicalConsultation(
            LOCAL_FEED,
            Interaction.READ,
            Level.INSTANCE,
            Delivery.RENDERED,
            resource_type="Patient",
            resource_id=view.patient,
        )
        try:
            release = self._gateway.consult(entered.credential, asked, entered.origin(NUMBER))
        except Unidentified:
            raise
        except Refused:
            named, until = PatientName(), min(view.expires_at, self._clock() + REFUSED_SECONDS)
        except ConsultError:
            named, until = PatientName(), min(view.expires_at, self._clock() + FAILED_SECONDS)
        else:
            named, until = _told(release), view.expires_at
        self._names.keep(view.id, named, until)
        return named


def _told(release: Release) -> PatientName:
    for each in release.shown:
        if each.resource.get("resourceType") == "Patient":
            name, born = human_name(each.resource), each.resource.get("birthDate")
            return PatientName(None if name is None else name.shown, born if isinstance(born, str) else None)
    return PatientName()
