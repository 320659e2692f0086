"""What is known around one look, beside who asks and what for. Facts that rules may ask about; no verdict."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Each fact has one source (docs/policies/facts.md). What could permit by being forgotten has no default."""

    hour: int
    """0-23, UTC."""
    type_offered: bool
    """The feed is asked for this type."""
    suspended: bool
    """This person, client or feed is stopped."""
    feed_wants_informed: bool
    """Of this feed, only with the word of the clinician that the patient was told."""
    patient_informed: bool = False
    """That word was given in the viewer; it is recorded before the feed is called."""
    care_relation: str | None = None
    """What ties the person to the patient: "launch" or "declared"; None: nothing that is known."""
    opposition: str | None = None
    """What the patient opposes: "none", "part", "all", "unknown"; None: no source of consents is configured."""
    break_glass: bool = False
    """The glass is broken by this person for this patient, in the viewer."""
    network_zone: str | None = None
    """The configured zone that the caller's address lies in; None: in none."""
