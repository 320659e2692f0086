"""Who may sign in at the pretend EHR, and which patients it has: read from its sample folder. All are invented."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_adapters.interface import Call, Deadline, Feed, Tree

READ_SECONDS = 10.0
"""Far more than reading a small folder takes; the interface wants a bound."""


@dataclass(frozen=True, slots=True)
class Practitioner:
    """Somebody who can be chosen on the login page."""

    id: str
    name: str
    role: dict[str, Any]
    """A FHIR Coding."""
    organisation: str
    fhir_user: str
    """The absolute address of the FHIR Practitioner."""


@dataclass(frozen=True, slots=True)
class PatientName:
    """What a list of patients shows."""

    id: str
    name: str
    birth_date: str


def call(record: str) -> Call:
    """The bounds of one look into a sample folder."""
    return Call(Deadline.after(READ_SECONDS), record)


def every(feed: Feed, resource_type: str, parameters: tuple[tuple[str, str], ...] = ()) -> Iterator[Tree]:
    """All matching resources, through all pages. Raises FeedError as the feed does."""
    bounds = call(f"all-{resource_type}")
    page = feed.search(resource_type, (*parameters, ("_count", "200")), bounds)
    while True:
        yield from (entry.resource for entry in page.entries)
        if page.next is None:
            return
        page = feed.page(page.next, bounds)


def practitioners(ehr: Feed, ehr_fhir: str) -> tuple[Practitioner, ...]:
    """The EHR's staff in the order of its folder: everybody whose PractitionerRole says what they are and where."""
    names = {person["id"]: _name(person) for person in every(ehr, "Practitioner")}
    roles = {
        role["practitioner"]["reference"].removeprefix("Practitioner/"): role for role in every(ehr, "PractitionerRole")
    }
    return tuple(
        Practitioner(
            id=person,
            name=name,
            role=roles[person]["code"][0]["coding"][0],
            organisation=roles[person]["organization"]["display"],
            fhir_user=f"{ehr_fhir}/Practitioner/{person}",
        )
        for person, name in names.items()
        if person in roles
    )


def patients(ehr: Feed) -> tuple[PatientName, ...]:
    """The EHR's patients in the order of its folder."""
    return tuple(
        PatientName(patient["id"], _name(patient), patient.get("birthDate", "")) for patient in every(ehr, "Patient")
    )


def _name(person: Tree) -> str:
    names = person.get("name") or [{}]
    name = next((n for n in names if n.get("use") == "official"), names[0])
    words = [*name.get("prefix", ()), *name.get("given", ()), name.get("family", "")]
    return name.get("text") or " ".join(words).strip() or person["id"]
