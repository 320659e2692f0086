"""Keycloak as the authorization server, whose tokens are verified by their signatures: who gets in, and until when."""

from pathlib import Path

import pytest

from tests.deployed.deployment import PATIENT
from tests.interop.keycloak import ELSEWHERE, PANE, Realm, foreign_client, machine_client, part, public_client, recipe
from tests.interop.site import Site, folder_feed, ids, refused

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

RESULTS = f"/fhir/city-lab/Observation?patient={PATIENT}&_count=20"
EVERYTHING = "openid launch/patient patient/*.rs"
MODERN = {"access.token.header.type.rfc9068": "true", "access.token.signed.response.alg": "ES256"}
LIGHT = {"client.use.lightweight.access.token.enabled": "true"}
SECRET = "of-the-nightly-job"


def prepared(folder: Path, neighbours, realm: Realm) -> Site:
    """A gateway that trusts `realm`, which is made for it."""
    ehr = f"{neighbours.url}/ehr"
    tables = recipe(0, realm, "modern", "nightly")
    made = Site(folder, neighbours, ehr=ehr, feeds=folder_feed(), issuers=tables)
    clients = [public_client("modern", **MODERN), public_client("light", **LIGHT), machine_client("nightly", SECRET)]
    realm.create(made.base, *clients, foreign_client())
    return made.prepare()


def granted(realm: Realm, user: str = "dr-roy", scope: str = EVERYTHING, client: str = PANE) -> str:
    """The access token of a person who logged in."""
    return str(realm.login(user, scope, client)["access_token"])


def test_apps_are_told_to_log_in_at_keycloak(site, realm):
    """They know the gateway's address alone; where to get a token is in its documents."""
    document = site.ask("/fhir/city-lab/.well-known/smart-configuration", token="").json
    assert document["authorization_endpoint"] == realm.server.origin + realm.endpoint("auth")
    assert document["token_endpoint"] == realm.server.origin + realm.endpoint("token")
    assert document["code_challenge_methods_supported"] == ["S256"]


def test_somebody_who_logs_in_with_pkce_sees_results_and_is_in_the_record(site, realm):
    token = granted(realm)
    answer = site.ask(RESULTS, token=token)
    assert answer.status == 200, answer.body
    assert ids(answer.json)
    claims, record = part(token, 1), site.record_of(answer)
    assert record["person"]["subject"] == claims["sub"]
    assert record["person"]["fhir_user"] == "Practitioner/dr-roy"
    assert record["client"]["id"] == PANE
    assert record["patient"] == PATIENT
    assert record["token"]["reference"] == f"urn:ietf:params:oauth:jti:{claims['jti']}"
    assert record["purpose"] == {"codes": ["TREAT"], "source": "client-default"}


def test_a_person_without_fhir_user_is_one_by_her_login(site, realm):
    """`subjects = "professionals"`: many realms say nothing of professions."""
    token = granted(realm, "nurse")
    assert "fhirUser" not in part(token, 1)
    answer = site.ask(RESULTS, token=token)
    assert answer.status == 200, answer.body
    assert site.record_of(answer)["person"]["kind"] == "professional"


def test_tokens_by_rfc_9068_and_elliptic_keys_are_read_as_well(site, realm):
    """Keycloak makes the key at first use: it is not in the set that the gateway holds."""
    assert site.ask(RESULTS, token=granted(realm)).status == 200
    token = granted(realm, client="modern")
    assert (part(token, 0)["typ"], part(token, 0)["alg"]) == ("at+jwt", "ES256")
    assert site.ask(RESULTS, token=token).status == 200


def test_id_and_refresh_tokens_open_nothing(site, realm):
    """The id_token has the header and the key of an access token, and the same subject."""
    told = realm.login("dr-roy", EVERYTHING)
    access, identity = part(told["access_token"], 0), part(told["id_token"], 0)
    assert access == identity
    for name in ("id_token", "refresh_token"):
        assert refused(site.ask(RESULTS, token=told[name]), 401) == "unknown"
    assert site.ask(RESULTS, token=told["access_token"]).status == 200


def test_an_id_token_that_is_addressed_to_the_gateway_opens_nothing_either(site, realm):
    """An audience mapper may be set to add to id_tokens as well; then `typ` alone tells them apart."""
    _give_audience_to_id_tokens(realm)
    told = realm.login("dr-roy", EVERYTHING)
    assert f"{site.base}/fhir" in part(told["id_token"], 1)["aud"]
    assert refused(site.ask(RESULTS, token=told["id_token"]), 401) == "unknown"
    assert site.ask(RESULTS, token=told["access_token"]).status == 200


def _give_audience_to_id_tokens(realm: Realm) -> None:
    [scope] = [each for each in realm.administer("GET", "/client-scopes").json if each["name"] == "vitrine"]
    [mapper] = scope["protocolMappers"]
    mapper["config"]["id.token.claim"] = "true"
    realm.administer("PUT", f"/client-scopes/{scope['id']}/protocol-mappers/models/{mapper['id']}", mapper)


def test_a_program_that_logs_in_as_itself_is_refused_under_its_name(site, realm):
    """Its header, its `sub` and its scopes are those of a person's token."""
    _give_patient_to_machine(realm, "nightly", fhir_user=None)
    token = str(realm.machine("nightly", SECRET, "launch/patient patient/*.rs")["access_token"])
    person, machine = part(granted(realm), 1), part(token, 1)
    assert part(token, 0) == part(granted(realm), 0)
    assert machine["sub"] != "nightly"
    assert (machine["aud"], machine["patient"]) == (person["aud"], PATIENT)
    answer = site.ask(RESULTS, token=token)
    assert refused(answer, 403) == "forbidden"
    record = site.record_of(answer)
    assert (record["action"], record["person"]["kind"]) == ("consultation:denied", "machine")
    assert (record["client"]["id"], record["released"]) == ("nightly", [])


def test_a_program_whose_account_is_called_a_practitioner_is_still_none(site, realm):
    """One attribute at Keycloak, meant to please some other server, must not make a person of a program."""
    _give_patient_to_machine(realm, "nightly", fhir_user="Practitioner/robot")
    token = str(realm.machine("nightly", SECRET, "launch/patient patient/*.rs")["access_token"])
    assert part(token, 1)["fhirUser"] == "Practitioner/robot"
    answer = site.ask(RESULTS, token=token)
    assert refused(answer, 403) == "forbidden"
    assert site.record_of(answer)["person"]["kind"] == "machine"


def _give_patient_to_machine(realm: Realm, client: str, fhir_user: str | None) -> None:
    [account] = realm.administer("GET", f"/users?username=service-account-{client}&exact=true").json
    account["attributes"] = {"patient": [PATIENT]} | ({"fhirUser": [fhir_user]} if fhir_user else {})
    realm.administer("PUT", f"/users/{account['id']}", account)


def test_a_patient_is_refused(site, realm):
    """Known by `fhirUser`, although she logged in like everybody."""
    answer = site.ask(RESULTS, token=granted(realm, "alma"))
    assert refused(answer, 403) == "forbidden"
    assert site.record_of(answer)["person"]["kind"] == "patient"


def test_a_lightweight_token_cannot_be_verified_by_itself(site, realm):
    """It says neither whose it is nor for whom: such clients need introspection."""
    token = granted(realm, client="light")
    assert not {"sub", "aud", "fhirUser"} & part(token, 1).keys()
    assert refused(site.ask(RESULTS, token=token), 401) == "unknown"


def test_tokens_of_another_realm_are_refused(site, keycloak):
    """One server, many realms: what another realm's administrators grant is nothing here."""
    other = keycloak.realm().create(site.base)
    assert refused(site.ask(RESULTS, token=granted(other)), 401) == "unknown"
    assert refused(site.ask(RESULTS, token=keycloak.admin_token()), 401) == "unknown"


def test_a_token_for_another_server_of_the_same_realm_is_refused(site, realm):
    token = granted(realm, client="elsewhere")
    assert part(token, 1)["aud"] == ELSEWHERE
    assert refused(site.ask(RESULTS, token=token), 401) == "unknown"


def test_scopes_that_keycloak_grants_are_the_ceiling(site, realm):
    """Each scope is a client scope there, that the client may ask for."""
    observations = granted(realm, scope="openid launch/patient patient/Observation.rs")
    assert site.ask(RESULTS, token=observations).status == 200
    answer = site.ask(f"/fhir/city-lab/Patient/{PATIENT}", token=observations)
    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert site.ask(RESULTS, token=granted(realm, scope="openid launch/patient")).status == 403
    older = granted(realm, scope="openid launch/patient patient/*.read")
    assert site.ask(RESULTS, token=older).status == 200


def test_a_scope_with_a_restriction_narrows_what_is_found(site, realm):
    """Keycloak takes SMART's `?category=…` in the name of a client scope."""
    narrow = granted(realm, scope="openid launch/patient patient/Observation.rs?category=laboratory")
    whole = ids(site.ask(f"{RESULTS}&category=laboratory", token=granted(realm)).json)
    assert whole
    assert ids(site.ask(RESULTS, token=narrow).json) == whole
    others = site.ask(f"{RESULTS}&category=vital-signs", token=narrow)
    assert others.status == 403 or ids(others.json) == []


def test_without_the_scope_of_a_launch_there_is_no_patient_and_nothing_to_see(site, realm):
    token = granted(realm, scope="openid patient/*.rs")
    assert "patient" not in part(token, 1)
    assert refused(site.ask(RESULTS, token=token), 403) == "forbidden"


def test_a_new_key_counts_at_once_and_a_withdrawn_one_no_longer(keycloak, neighbours, tmp_path):
    """Rotation while the gateway runs, as Keycloak's administrators do it: add, later disable."""
    realm = keycloak.realm()
    site = prepared(tmp_path, neighbours, realm)
    try:
        site.start()
        before = granted(realm)
        assert site.ask(RESULTS, token=before).status == 200
        second = realm.add_key("second", 200)
        after = granted(realm)
        assert part(after, 0)["kid"] != part(before, 0)["kid"]
        assert site.ask(RESULTS, token=after).status == 200
        assert site.ask(RESULTS, token=before).status == 200, "both keys are published"

        realm.add_key("third", 300)
        realm.disable_key(second)
        assert part(after, 0)["kid"] not in realm.key_ids()
        # The set is asked for anew because of the third key; without that it would be within five minutes.
        assert site.ask(RESULTS, token=granted(realm)).status == 200
        assert refused(site.ask(RESULTS, token=after), 401) == "unknown"
        assert site.ask(RESULTS, token=before).status == 200, "the first key is still published"
    finally:
        site.end()


def test_while_keycloak_stands_still_those_who_are_logged_in_go_on(site, realm, keycloak):
    """SIGSTOP. Keys are held for ten minutes: a clinician at work need not notice."""
    token, fresh = granted(realm), granted(realm)
    assert site.ask(RESULTS, token=token).status == 200
    keycloak.hold()
    try:
        assert site.ask_once(RESULTS, token=token).status == 200
        assert site.ask_once(RESULTS, token=fresh).status == 200, "never presented before; the key is known"
    finally:
        keycloak.go_on()


def test_a_gateway_that_never_reached_keycloak_lets_nobody_in(keycloak, neighbours, tmp_path):
    """503, and nothing shown: a token that cannot be verified is no token."""
    realm = keycloak.realm()
    site = prepared(tmp_path, neighbours, realm)
    token = granted(realm)
    try:
        keycloak.hold()
        site.start()
        assert refused(site.ask_once(RESULTS, token=token), 503) == "transient"
        keycloak.go_on()
        assert site.ask(RESULTS, token=token).status == 200
    finally:
        keycloak.go_on()
        site.end()


@pytest.mark.parametrize("name", ["access_token", "id_token"])
def test_the_operator_is_told_why_a_token_counts_or_not(site, realm, name):
    """`vitrine token explain`, for who sets this up."""
    done = site.run(
        "token", "explain", stdin=realm.login("dr-roy", EVERYTHING)[name].encode(), code=name != "access_token"
    )
    assert (b"NO " in done.stdout) == (name != "access_token"), done.stdout
