"""Views: what each launch from an EHR opened, for one person and one patient. A page knows this much of one, and no
token."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """One launch: one person, one patient, for at most an hour. It says nothing of who may see what."""

    id: str
    """In the path of its pages. Worth nothing without the secret in the cookie."""
    ehr: str
    """The id of the `[[ehr]]` that launched it."""
    patient: str
    """The EHR's id of the one patient whom it is about."""
    person: str | None
    """The name of who looks, as the EHR says it."""
    locale: str | None
    """The language of the EHR's user (BCP 47), where the EHR says it."""
    expires_at: float
    """POSIX seconds: it ends then, or earlier if nobody uses it."""
    purpose: str | None
    """Of v3-ActReason, as the person stated it; None: not stated yet, and so nothing is shown."""
    need_patient_banner: bool
    """False: the EHR shows already who the patient is."""
    style: str | None
    """SMART's `smart_style_url`, under an address of the EHR."""
