"""Who the page is about: name and birth date of the patient in context, read from the EHR that launched.

Read through the gateway like all else, once for a view, and kept in memory until the view ends: the EHR's own words on
whom it opened, no result. Where the EHR does not say it now, the page says that it is the patient of the open record.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from plugin.consultation.release import Release
from plugin.errors import ConsultError, Unidentified
from plugin.event import LOCAL_FEED
from plugin.faces.viewer.entrance import Entered, PatientShown
from plugin.faces.viewer.looks import Consults
from plugin.faces.viewer.printed import moment
from plugin.faces.viewer.readings.beside import human_name
from plugin.faces.viewer.readings.moment import When, when
from plugin.faces.viewer.readings.text import Text
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.interactions import Delivery, Interaction, Level

NUMBER: Final = 0
"""Of the banner's consultation among those of its page: looks at feeds count from 1, however many feeds there are."""
MAX_KEPT: Final = 1_000
"""Views in memory; beyond, all are read anew."""

_Known = tuple[Text | None, When | None]


class Patients:
    """Says who the patient of a view is. Safe to call from several threads."""

    def __init__(self, gateway: Consults, clock: Callable[[], float] = time.time) -> None:
        self._gateway, self._clock = gateway, clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, _Known]] = {}

    def of(self, entered: Entered) -> PatientShown | None:
        """None where the EHR does not tell a name, and before a purpose is stated. Raises Unidentified."""
        if entered.view.purpose is None:
            return None
        name, born = self._kept(entered.view.id) or self._read(entered)
        if name is None:
            return None
        return PatientShown(name.shown, "" if born is None else moment(born, entered.frame.language))

    def _kept(self, view: str) -> _Known | None:
        with self._lock:
            until, known = self._known.get(view, (0.0, (None, None)))
        return known if self._clock() < until else None

    def _read(self, entered: Entered) -> _Known:
        asked = ClinicalConsultation(
            LOCAL_FEED,
            Interaction.READ,
            Level.INSTANCE,
            Delivery.RENDERED,
            resource_type="Patient",
            resource_id=entered.view.patient,
        )
        try:
            release = self._gateway.consult(entered.credential, asked, entered.origin(NUMBER))
        except Unidentified:
            raise
        except ConsultError:
            return None, None
        known = _told(release)
        with self._lock:
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            self._known[entered.view.id] = (entered.view.expires_at, known)
        return known


def _told(release: Release) -> _Known:
    for each in release.shown:
        if each.resource.get("resourceType") == "Patient":
            return human_name(each.resource), when(each.resource.get("birthDate"))
    return None, None
