"""Servers that are not ours, each started once, and the gateway between them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deployed.deployment import PATIENT, SAMPLES
from tests.deployed.neighbours import Neighbours
from tests.interop.hapi import Hapi, samples
from tests.interop.keycloak import Keycloak
from tests.interop.medplum_server import Medplum
from tests.interop.site import Site, feed

OTHER = "ehr-1002"
"""A patient whom nobody has in context."""


@pytest.fixture(scope="session")
def neighbours() -> Iterator[Neighbours]:
    """An issuer whose tokens say what a test wants, and an EHR."""
    around = Neighbours(SAMPLES)
    yield around
    around.close()


@pytest.fixture(scope="session")
def hapis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hapi, Hapi]]:
    """A laboratory and a ward, started at the same time and loaded."""
    folder = tmp_path_factory.mktemp("hapi")
    started: list[Hapi] = []
    try:
        started += [Hapi(folder / "lab.log")]
        started += [Hapi(folder / "ward.log")]
        with ThreadPoolExecutor() as pool:
            list(pool.map(Hapi.wait, started))
        lab, ward = started
        lab.load(*samples("city-lab"))
        ward.load(*samples("ehr"), *temperatures(PATIENT))
        yield lab, ward
    finally:
        for each in started:
            each.end()


@pytest.fixture(scope="session")
def lab(hapis: tuple[Hapi, Hapi]) -> Hapi:
    return hapis[0]


@pytest.fixture(scope="session")
def ward(hapis: tuple[Hapi, Hapi]) -> Hapi:
    return hapis[1]


@pytest.fixture(scope="session")
def card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Medplum]:
    """Results of two patients behind Medplum's router."""
    started = Medplum(tmp_path_factory.mktemp("card") / "log")
    try:
        started.wait()
        persons = [each for each in samples("ehr") if each["resourceType"] == "Patient"]
        started.load(*persons, *temperatures(PATIENT), *temperatures(OTHER, count=1))
        yield started
    finally:
        started.end()


def temperatures(patient: str, count: int = 30) -> list[dict[str, object]]:
    """Results of a patient's ward."""
    return [
        {
            "resourceType": "Observation",
            "id": f"{patient}-{number:02}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
            "subject": {"reference": f"Patient/{patient}"},
            "effectiveDateTime": f"2026-11-{number % 28 + 1:02}T08:00:00+01:00",
            "valueQuantity": {"value": 37.5, "unit": "Cel", "system": "http://unitsofmeasure.org", "code": "Cel"},
        }
        for number in range(count)
    ]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, neighbours: Neighbours, lab: Hapi, ward: Hapi) -> Iterator[Site]:
    """The gateway: the ward's server is the EHR's FHIR server, and a feed as well."""
    feeds = feed("lab", lab.base) + feed("ward", ward.base, same_id=True)
    made = Site(tmp_path_factory.mktemp("site"), neighbours, ehr=ward.base, feeds=feeds)
    try:
        yield made.prepare().start()
    finally:
        made.end()


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """The authorization server; each test that changes something there has a realm of its own."""
    started = Keycloak(tmp_path_factory.mktemp("keycloak") / "log")
    try:
        started.wait()
        yield started
    finally:
        started.end()
