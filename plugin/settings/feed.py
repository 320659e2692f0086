"""`[[feed]]`: an outside source, how it is asked, and how its patients are matched."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from plugin.settings.errors import WrongBelow
from plugin.settings.servers import Auth, NoAuth
from plugin.settings.values import AskedBase, Flag, Id, Location, Section, Text, Uri
from policies.vocabulary.resource_types import CONSULTABLE
from policies.vocabulary.security_labels import STRICTNESS

CONFIDENTIALITIES = tuple(STRICTNESS)


class IdentifierMatch(Section):
    by: Literal["identifier"] = "identifier"
    systems: tuple[Uri, ...] = Field(min_length=1)
    """Identifier systems that both sides are trusted for."""


class SameIdMatch(Section):
    by: Literal["same-id"]
    shares_patient_ids_with: Id
    """The EHR whose patient ids the feed uses as its own."""


class ClaimMatch(Section):
    """By the identifier that the token gives for the patient whose data is asked for (IUA `person_id`)."""

    by: Literal["claim"]


Match = Annotated[IdentifierMatch | SameIdMatch | ClaimMatch, Discriminator("by")]


class Title(Section):
    """What people read of the feed; where one language alone is given, it stands for both."""

    fr: Text
    en: Text

    @model_validator(mode="before")
    @classmethod
    def _one_language_for_both(cls, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        given = [entry[language] for language in ("fr", "en") if language in entry]
        return {"fr": given[0], "en": given[0], **entry} if given else entry


class FeedSettings(Section):
    """What every kind of feed has.

    `match = "same-id"` with `shares_patient_ids_with` beside it says the same as
    `match = { by = "same-id", shares_patient_ids_with = "…" }`, and `match = "claim"` the same as `{ by = "claim" }`.
    """

    id: Id
    title: Title | None = None
    match: Match
    types: tuple[Literal[CONSULTABLE], ...] = Field(default=CONSULTABLE, min_length=1)  # type: ignore[valid-type]
    """Resource types that are asked of this feed; all that the gateway knows by default."""
    patient_informed: Flag = False
    """Looked at in the viewer only, with the clinician's word that the patient was told and did not object."""
    documents: Literal[CONFIDENTIALITIES] | None = None  # type: ignore[valid-type]
    """The v3-Confidentiality that its whole documents have at least; by default their own labels alone count."""

    @field_validator("types")
    @classmethod
    def _each_once(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        """What is told of a feed tells each type once (R4 CapabilityStatement, cpb-9)."""
        if len(set(types)) != len(types):
            raise ValueError("names a type twice")
        return types

    @model_validator(mode="before")
    @classmethod
    def _match_in_one_table(cls, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        beside = {name: value for name, value in entry.items() if name != "shares_patient_ids_with"}
        match = {"by": entry["match"]} if isinstance(entry.get("match"), str) else entry.get("match")
        if not isinstance(match, dict) or match.get("by") != "same-id":
            return {**entry, "match": match} if "match" in entry else entry
        shared = {name: entry[name] for name in entry.keys() - beside.keys() - match.keys()}
        return {**beside, "match": {**match, **shared}}


class FhirRest(FeedSettings):
    kind: Literal["fhir-rest"]
    base: AskedBase
    auth: Auth = NoAuth()


class BundleFolder(FeedSettings):
    kind: Literal["bundle-folder"]
    path: Location


class ThirdParty(FeedSettings):
    """A feed of an installed plug-in: `kind` is the name of its entry point."""

    kind: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    options: dict[str, Any] = Field(default_factory=dict)
    """For the plug-in, which says what it knows."""
    secrets: dict[str, Location] = Field(default_factory=dict)
    """Files, whose content the plug-in is given by these names."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_keys_of_our_kinds(cls, entry: Any) -> Any:
        """A mistyped kind of ours shows by its keys."""
        if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
            return entry
        for key, kind in {"base": "fhir-rest", "auth": "fhir-rest", "path": "bundle-folder"}.items():
            if key in entry:
                raise WrongBelow(
                    "kind", f"'{key}' is for kind '{kind}', which this is not; a plug-in has options and secrets"
                )
        return entry


OWN_KINDS = frozenset({"fhir-rest", "bundle-folder"})


def _kind_of(entry: Any) -> str:
    kind = entry.get("kind") if isinstance(entry, dict) else getattr(entry, "kind", None)
    return kind if isinstance(kind, str) and kind in OWN_KINDS else "third-party"


FeedEntry = Annotated[
    Annotated[FhirRest, Tag("fhir-rest")]
    | Annotated[BundleFolder, Tag("bundle-folder")]
    | Annotated[ThirdParty, Tag("third-party")],
    Discriminator(_kind_of),
]

RESERVED_FEED_IDS = frozenset({"metadata"})
"""Would hide an address of our own under `/fhir`."""
