"""Keycloak asked about each of its tokens: what it revokes stops, what it restores counts, access tokens alone do."""

import time
from pathlib import Path

import pytest

from tests.deployed.deployment import PATIENT
from tests.interop.keycloak import ELSEWHERE, PANE, Realm, foreign_client, machine_client, part, public_client, recipe
from tests.interop.site import Site, folder_feed, ids, refused

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

RESULTS = f"/fhir/city-lab/Observation?patient={PATIENT}&_count=20"
EVERYTHING = "openid launch/patient patient/*.rs"
LIGHT = {"client.use.lightweight.access.token.enabled": "true"}
SECRET = "of-the-nightly-job"
BELIEVED = 60
"""Seconds that an answer counts at most."""


def prepared(folder: Path, neighbours, realm: Realm, *, secret: str | None = None) -> Site:
    """A gateway that asks `realm`, which is made for it; `secret` in place of the one that the server gave."""
    tables = recipe(1, realm, "light", "nightly", "elsewhere")
    made = Site(folder, neighbours, ehr=f"{neighbours.url}/ehr", feeds=folder_feed(), issuers=tables)
    realm.create(made.base, public_client("light", **LIGHT), machine_client("nightly", SECRET), foreign_client())
    kept = folder / "introspection.secret"
    kept.write_text(secret or realm.secret_of("vitrine"))
    kept.chmod(0o600)
    return made.prepare()


def granted(realm: Realm, user: str = "dr-roy", client: str = PANE) -> str:
    return str(realm.login(user, EVERYTHING, client)["access_token"])


def test_a_token_that_keycloak_vouches_for_shows_results_and_is_recorded_by_its_hash(site, realm):
    token = granted(realm)
    answer = site.ask(RESULTS, token=token)
    assert answer.status == 200, answer.body
    assert ids(answer.json)
    record = site.record_of(answer)
    assert record["person"]["subject"] == part(token, 1)["sub"]
    assert record["token"]["reference"].startswith("urn:vitrine:token-sha256:")


def test_what_a_lightweight_token_leaves_out_keycloak_restores(site, realm):
    """Subject, audience, user and patient come from the answer: the token has none of them."""
    token = granted(realm, client="light")
    assert not {"sub", "aud", "fhirUser", "patient"} & part(token, 1).keys()
    answer = site.ask(RESULTS, token=token)
    assert answer.status == 200, answer.body
    record = site.record_of(answer)
    assert (record["person"]["fhir_user"], record["patient"]) == ("Practitioner/dr-roy", PATIENT)
    assert record["client"]["id"] == "light"


def test_id_and_refresh_tokens_open_nothing_although_keycloak_calls_them_active(site, realm):
    """And addressed to the gateway: asked about an id_token, it adds the audience that an access token would have."""
    told = realm.login("dr-roy", EVERYTHING)
    for name in ("id_token", "refresh_token"):
        said = realm.post(
            "token/introspect", token=told[name], client_id="vitrine", client_secret=realm.secret_of("vitrine")
        ).json
        assert said["active"]
        assert f"{site.base}/fhir" in said["aud"]
        assert refused(site.ask(RESULTS, token=told[name]), 401) == "unknown"
    assert site.ask(RESULTS, token=told["access_token"]).status == 200


def test_a_token_for_another_server_opens_nothing_although_keycloak_vouches_for_it(site, realm):
    """Any confidential client may ask about any token: that it is active says nothing of for whom."""
    token = granted(realm, client="elsewhere")
    assert part(token, 1)["aud"] == ELSEWHERE
    assert refused(site.ask(RESULTS, token=token), 401) == "unknown"


def test_a_program_that_logs_in_as_itself_is_refused_under_its_name(site, realm):
    [account] = realm.administer("GET", "/users?username=service-account-nightly&exact=true").json
    account["attributes"] = {"patient": [PATIENT], "fhirUser": ["Practitioner/robot"]}
    realm.administer("PUT", f"/users/{account['id']}", account)
    token = str(realm.machine("nightly", SECRET, "launch/patient patient/*.rs")["access_token"])
    answer = site.ask(RESULTS, token=token)
    assert refused(answer, 403) == "forbidden"
    record = site.record_of(answer)
    assert (record["person"]["kind"], record["client"]["id"]) == ("machine", "nightly")


def test_a_revoked_token_and_an_ended_session_open_nothing(site, realm):
    """A token that was not shown before; one that was is believed for a minute, which the next test is about."""
    revoked, ended = realm.login("dr-roy", EVERYTHING), realm.login("nurse", EVERYTHING)
    assert realm.post("revoke", token=revoked["access_token"], client_id=PANE).status == 200
    realm.end_sessions("nurse")
    for told in (revoked, ended):
        assert refused(site.ask(RESULTS, token=told["access_token"]), 401) == "unknown"


def test_a_session_that_ends_while_it_is_used_stops_within_a_minute(site, realm):
    """Somebody logs out, or an administrator ends what was stolen; by its signature the token would live on."""
    told = realm.login("dr-roy", EVERYTHING)
    token = told["access_token"]
    assert site.ask(RESULTS, token=token).status == 200
    since = time.monotonic()
    assert realm.post("logout", client_id=PANE, refresh_token=told["refresh_token"]).status == 204
    while (answer := site.ask(RESULTS, token=token)).status == 200:
        # Twice that, since machines that test are slow; the limit itself is held to by tests with a clock.
        assert time.monotonic() - since < 2 * BELIEVED
        time.sleep(2)
    assert refused(answer, 401) == "unknown"


def test_while_keycloak_stands_still_a_token_that_was_not_shown_before_opens_nothing(site, realm, keycloak):
    """503 and not 401: the person is not told that her login is wrong."""
    token = granted(realm)
    keycloak.hold()
    try:
        assert refused(site.ask_once(RESULTS, token=token), 503) == "transient"
    finally:
        keycloak.go_on()
    assert site.ask(RESULTS, token=token).status == 200


def test_a_wrong_secret_of_our_own_is_a_failure_and_says_nothing_of_the_token(keycloak, neighbours, tmp_path):
    realm = keycloak.realm()
    site = prepared(tmp_path, neighbours, realm, secret="not-it")
    try:
        site.start()
        assert refused(site.ask_once(RESULTS, token=granted(realm)), 503) == "transient"
    finally:
        site.end()


def test_a_token_of_another_realm_opens_nothing(site, keycloak):
    other = keycloak.realm().create(site.base)
    assert refused(site.ask(RESULTS, token=granted(other)), 401) == "unknown"
