"""Builds the pretend hospital: who its clients are, what they share, and the five servers. `run` starts them."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from demo.access_tokens import BearerCheck, SigningKeys
from demo.addresses import Addresses
from demo.authorization_server import create_authorization_server
from demo.ehr import STYLE_PATH, create_ehr
from demo.ehr_records import Doors
from demo.feed_server import Guard, Habits, basic_guard, bearer_guard, create_feed_server, open_to_all
from demo.launches import Launches
from demo.oauth_clients import (
    EHR_SCOPE,
    GATEWAY,
    INSURER_CLIENT,
    INSURER_SCOPE,
    LAUNCH_SCOPE,
    RESULTS_PANE,
    RESULTS_SCOPES,
    VIEWER,
    VIEWER_SCOPES,
    OAuthClient,
)
from demo.people import PatientName, Practitioner, patients, practitioners
from demo.results_pane import ResultsPane
from fhir_adapters.bundle_folder import BundleFolderFeed

FEEDS = ("city-lab", "imaging", "insurer")
"""Each is a folder of `sample_fhir/` and a server of its own."""
CITY_LAB_USER = "vitrine"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the gateway needs to be let in: made at start, gone at exit."""

    ehr: OAuthClient
    insurer: OAuthClient
    viewer: OAuthClient
    city_lab_password: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


@dataclass(frozen=True, slots=True)
class Hospital:
    """The servers, unstarted, and what `run` must know of them."""

    credentials: Credentials
    practitioners: tuple[Practitioner, ...]
    patients: tuple[PatientName, ...]
    pane: ResultsPane
    servers: tuple[tuple[Flask, int], ...]
    """(application, port)"""


def build_hospital(addresses: Addresses, samples: Path) -> Hospital:
    """The hospital of the Bundles under `samples`. Raises FeedError if its people cannot be read from there."""
    issuer = addresses.authorization_server
    keys, launches = SigningKeys(), Launches()
    revoked: set[str] = set()
    own_records = BundleFolderFeed("ehr", samples / "ehr")
    staff, listed = practitioners(own_records, addresses.ehr_fhir), patients(own_records)
    results_pane = _results_pane_client(addresses)
    credentials = Credentials(
        ehr=OAuthClient(GATEWAY, "client_credentials", (EHR_SCOPE,), (addresses.ehr_fhir,)),
        insurer=OAuthClient(INSURER_CLIENT, "client_credentials", (INSURER_SCOPE,), (addresses.feed("insurer"),)),
        viewer=OAuthClient(
            VIEWER,
            "authorization_code",
            VIEWER_SCOPES,
            (addresses.ehr_fhir,),
            (f"{addresses.gateway}/launch/callback",),
        ),
    )
    pane = ResultsPane(results_pane, issuer, f"{addresses.gateway}/fhir", launches)
    authorization_server = create_authorization_server(
        issuer=issuer,
        keys=keys,
        clients=(results_pane, credentials.ehr, credentials.insurer, credentials.viewer),
        practitioners=staff,
        patients=listed,
        launches=launches,
        revoked=revoked,
        framed_by=(addresses.ehr,),
        style=f"{addresses.ehr}{STYLE_PATH}",
    )
    ehr = create_ehr(
        base=addresses.ehr,
        gateway=addresses.gateway,
        own_records=own_records,
        patients=listed,
        doors=Doors(
            BearerCheck(issuer, addresses.ehr_fhir, keys.private, EHR_SCOPE, revoked),
            BearerCheck(issuer, addresses.ehr_fhir, keys.private, LAUNCH_SCOPE, revoked),
        ),
        pane=pane,
        launches=launches,
    )
    insurer_check = BearerCheck(issuer, addresses.feed("insurer"), keys.private, INSURER_SCOPE)
    feeds = _feed_servers(addresses, samples, credentials, insurer_check)
    ports = addresses.ports
    return Hospital(
        credentials=credentials,
        practitioners=staff,
        patients=listed,
        pane=pane,
        servers=(
            (authorization_server, ports["its authorization server"]),
            (ehr, ports["the pretend EHR"]),
            *((app, ports[f"the feed {feed}"]) for feed, app in feeds.items()),
        ),
    )


def _results_pane_client(addresses: Addresses) -> OAuthClient:
    gateway_fhir = f"{addresses.gateway}/fhir"
    return OAuthClient(
        RESULTS_PANE,
        "authorization_code",
        RESULTS_SCOPES,
        (gateway_fhir, *(f"{gateway_fhir}/{feed}" for feed in FEEDS)),
        (f"{addresses.ehr}/results-pane",),
    )


def _feed_servers(
    addresses: Addresses, samples: Path, credentials: Credentials, insurer_check: BearerCheck
) -> dict[str, Flask]:
    manners: dict[str, tuple[Habits, Guard]] = {
        "city-lab": (Habits(), basic_guard(CITY_LAB_USER, credentials.city_lab_password)),
        "imaging": (Habits(full_urls=False), open_to_all),
        "insurer": (Habits(totals=False), bearer_guard(insurer_check)),
    }
    return {
        feed: create_feed_server(BundleFolderFeed(feed, samples / feed), addresses.feed(feed), *manners[feed])
        for feed in FEEDS
    }
