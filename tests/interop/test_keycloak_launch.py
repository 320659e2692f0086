"""The viewer launched by an EHR: Keycloak logs the clinician in, HAPI FHIR is the EHR's server, and nothing is kept."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from joserfc.jwk import ECKey
from playwright.sync_api import expect

from demo.browser import Browser, Page
from tests.deployed.deployment import PATIENT
from tests.interop.conftest import OTHER
from tests.interop.hapi import Hapi
from tests.interop.keycloak import PASSWORD, Realm, recipe
from tests.interop.site import TRIES, Site, feed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

VIEWER = "vitrine-viewer"
SECRET_FILE = "viewer.secret"
HER_RECORD, ANOTHER_RECORD = "of-her-record", "of-another-record"
RECORDS = {HER_RECORD: PATIENT, ANOTHER_RECORD: OTHER}
"""What the `launch` of each means at the EHR."""
CHROMIUM_PATIENCE = 240_000
"""Milliseconds: a Java server's first page on a busy machine."""


class Launching:
    """The gateway, with the viewer registered at a realm, beside an EHR whose people log in there."""

    def __init__(self, site: Site, realm: Realm, ehr: Hapi) -> None:
        self.site, self.realm, self.ehr = site, realm, ehr

    def begin(self, browser: Browser, launch: str = HER_RECORD) -> Page:
        """The EHR opens the app for the patient whose record is open."""
        self.ehr.launches_by(self.realm.smart_configuration())
        return browser.open(self.address(launch))

    def address(self, launch: str) -> str:
        """Where the EHR sends a browser."""
        return f"{self.site.base}/launch/hospital?iss={self.ehr.base}&launch={launch}"

    def signed_in(self, browser: Browser, user: str = "dr-roy", launch: str = HER_RECORD) -> str:
        """Where the clinician's browser is sent once she has logged in: back to the gateway."""
        back = self.realm.signed_in(browser, self.begin(browser, launch), user).goes_to
        assert back.startswith(f"{self.site.base}/launch/callback?")
        return back

    def opened(self, browser: Browser) -> str:
        """The address of a new view."""
        answer = browser.open(self.signed_in(browser))
        assert answer.status == 303, answer.body
        return answer.goes_to

    def records(self, action: str) -> list[dict]:
        return [body for body in self.site.bodies() if body["action"] == action]

    def revocations(self) -> set[str]:
        """The tokens that Keycloak was given back, by their ids there."""
        told = self.realm.administer("GET", f"/events?type=REVOKE_GRANT&client={VIEWER}").json
        return {each["details"]["token_id"] for each in told}

    def grants(self) -> list[str]:
        """The tokens that Keycloak gave to the viewer, newest first."""
        told = self.realm.administer("GET", f"/events?type=CODE_TO_TOKEN&client={VIEWER}").json
        return [each["details"]["token_id"] for each in told]


Prepare = Callable[[Site, Realm], str]
"""Registers the viewer at the realm; the line with which the gateway proves itself."""


def launching(folder: Path, neighbours, keycloak, lab: Hapi, ward: Hapi, register: Prepare | None = None) -> Launching:
    """As docs/keycloak.md has it."""
    realm = keycloak.realm()
    tables = recipe(0, realm) + recipe(2, realm)
    site = Site(folder, neighbours, ehr=ward.base, feeds=feed("lab", lab.base), issuers=tables)
    realm.create(site.base)
    realm.add_mapper("launch", "launch-context", RECORDS)
    realm.administer("PUT", "/events/config", {"eventsEnabled": True, "enabledEventTypes": []})
    if register is None:
        _write_secret(folder / SECRET_FILE, realm.secret_of(VIEWER))
    else:
        site.path.write_text(re.sub(r"^auth *=.*$", register(site, realm), site.path.read_text(), flags=re.MULTILINE))
    return Launching(site.prepare().start(), realm, ward)


def _write_secret(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


@pytest.fixture(scope="module")
def launched(tmp_path_factory, neighbours, keycloak, lab, ward):
    made = launching(tmp_path_factory.mktemp("site"), neighbours, keycloak, lab, ward)
    try:
        yield made
    finally:
        made.site.end()


def test_the_login_is_asked_for_with_pkce_and_for_this_ehr(launched):
    """What the authorization server needs to bind the code to this launch, and the token to that EHR."""
    address = launched.begin(Browser()).goes_to
    assert address.startswith(launched.realm.server.origin + launched.realm.endpoint("auth"))
    for part in ("code_challenge_method=S256", "launch=of-her-record", "code_challenge=", "nonce=", "state="):
        assert part in address
    assert "offline_access" not in address


def test_a_launch_opens_a_view_for_the_person_whom_keycloak_names(launched):
    """Identity and patient come over the back channel; the record names both before anything is shown."""
    address = launched.opened(Browser())
    assert address.startswith(f"{launched.site.base}/view/")
    record = launched.records("session:opened")[-1]
    [doctor] = launched.realm.administer("GET", "/users?username=dr-roy&exact=true").json
    assert record["person"]["subject"] == doctor["id"]
    assert record["person"]["issuer"] == launched.realm.issuer
    assert (record["person"]["fhir_user"], record["person"]["kind"]) == ("Practitioner/dr-roy", "professional")
    assert (record["client"]["id"], record["patient"]) == (VIEWER, PATIENT)


def test_a_patient_who_logs_in_opens_no_view_and_her_token_is_given_back(launched):
    """She may use the hospital's portal; this window is for those who treat her."""
    browser = Browser()
    answer = browser.open(launched.signed_in(browser, "alma"))
    assert answer.status == 403
    record = launched.records("session:refused")[-1]
    assert record["person"]["kind"] == "patient"
    assert launched.grants()[0] in launched.revocations()


def test_without_a_patient_no_view_opens(launched):
    """Keycloak has no launch of its own: what means nothing to its mapper is an answer without a patient."""
    browser = Browser()
    assert browser.open(launched.signed_in(browser, launch="of-no-record")).status >= 400
    assert launched.records("session:refused")[-1]["reason"] == "patient-required"
    assert launched.grants()[0] in launched.revocations()


def test_two_records_open_two_views_each_on_its_own_patient(launched):
    """She is logged in already: the second launch asks for no password, and still means the other patient."""
    browser = Browser()
    first = launched.opened(browser)
    again = browser.follow(launched.begin(browser, ANOTHER_RECORD), f"{launched.site.base}/launch/callback")
    second = browser.open(again.goes_to)
    assert second.status == 303
    assert second.goes_to != first
    assert [each["patient"] for each in launched.records("session:opened")[-2:]] == [PATIENT, OTHER]


def test_a_code_works_once_and_in_the_browser_that_began_only(launched):
    """A copied address opens nothing, neither for a stranger nor again."""
    browser = Browser()
    back = launched.signed_in(browser)
    assert Browser().open(back).status >= 400
    assert browser.open(back).status == 303
    assert browser.open(back).status >= 400


def test_a_login_that_is_given_up_is_a_page_that_says_what_to_do(launched):
    """Keycloak sends the browser back with an error, and no code."""
    browser = Browser()
    address = launched.begin(browser).goes_to
    refused = browser.open(address.replace("scope=openid", "scope=openid+no-such-scope"))
    answer = browser.open(refused.goes_to)
    assert answer.status >= 400
    assert answer.headers["Content-Type"].startswith("text/html")


def test_while_keycloak_stands_still_a_launch_opens_nothing_and_says_so(launched, keycloak):
    """SIGSTOP between the login and the exchange of the code."""
    browser = Browser()
    back = launched.signed_in(browser)
    keycloak.hold()
    try:
        assert browser.open(back).status == 503
    finally:
        keycloak.go_on()


def test_the_viewer_proves_itself_by_a_key_as_well(neighbours, keycloak, lab, ward, tmp_path):
    """`private_key_jwt`: no secret is shared with Keycloak."""
    key = ECKey.generate_key("P-256", {"kid": "viewer-1", "use": "sig", "alg": "ES256"})

    def register(site: Site, realm: Realm) -> str:
        _write_secret(site.folder / "viewer.jwk", json.dumps(key.as_dict(private=True)))
        [client] = realm.administer("GET", f"/clients?clientId={VIEWER}").json
        client["clientAuthenticatorType"] = "client-jwt"
        client["attributes"] |= {
            "use.jwks.string": "true",
            "jwks.string": json.dumps({"keys": [key.as_dict(private=False)]}),
            "token.endpoint.auth.signing.alg": "ES256",
        }
        realm.administer("PUT", f"/clients/{client['id']}", client)
        return 'auth = { kind = "private_key_jwt", key_file = "viewer.jwk" }'

    made = launching(tmp_path, neighbours, keycloak, lab, ward, register)
    try:
        made.opened(Browser())
        assert made.records("session:opened")
    finally:
        made.site.end()


def test_she_looks_and_logs_out_and_nothing_is_left_anywhere(launched, lab):
    """The whole job: results of another house on the screen, a record of the look, and no copy at the EHR."""
    before = launched.ehr.versions(), lab.versions()
    browser = Browser()
    view = launched.opened(browser)
    asked = browser.follow(browser.open(view))
    purpose = browser.follow(browser.send(asked.form("/purpose"), purpose="TREAT"))
    shown = browser.open(f"{view}together")
    assert [page.status for page in (asked, purpose, shown)] == [200, 200, 200]
    assert "Créatinine" in shown.body
    looked = launched.site.records_of(shown.headers["X-Request-Id"])
    assert {body["action"] for body in looked} == {"consultation:released"}
    assert "lab" in {body["feed"]["id"] for body in looked}
    [doctor] = launched.realm.administer("GET", "/users?username=dr-roy&exact=true").json
    assert {(body["person"]["subject"], body["patient"]) for body in looked} == {(doctor["id"], PATIENT)}
    assert all(body["purpose"] == {"codes": ["TREAT"], "source": "declared"} for body in looked)

    token = launched.grants()[0]
    assert token not in launched.revocations()
    left = browser.send(shown.form("/logout"))
    assert left.status == 200
    assert token in launched.revocations(), "Keycloak has it back"
    for page in (browser.open(view), browser.open(f"{view}together")):
        assert page.status == 401
        assert "Créatinine" not in page.body
    assert launched.records("session:closed")[-1]["person"]["subject"] == doctor["id"]

    for page in (asked, purpose, shown, left):
        assert page.headers["Content-Type"].startswith("text/html")
        assert "resourceType" not in page.body
        assert page.headers["Cache-Control"] == "no-store"
    assert (launched.ehr.versions(), lab.versions()) == before


def test_a_clinician_types_her_password_in_chromium_looks_and_logs_out(launched, lab, browser):
    """What a real browser makes of redirects, cookies and policies between EHR, Keycloak and gateway, no fake shows."""
    before = launched.ehr.versions(), lab.versions()
    launched.ehr.launches_by(launched.realm.smart_configuration())
    context = browser.new_context(locale="fr-FR")
    try:
        page = context.new_page()
        page.set_default_timeout(CHROMIUM_PATIENCE)
        expect.set_options(timeout=CHROMIUM_PATIENCE)
        answers, complaints = [], []
        page.on("response", lambda answer: answers.append((answer.url, answer.status, answer.headers)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(launched.address(HER_RECORD))
        assert page.url.startswith(launched.realm.server.origin)
        page.locator("input[name=username]").fill("dr-roy")
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("#kc-login").click()
        page.wait_for_url(re.compile(r"/view/[^/]+/purpose"))
        page.locator("main form button").click()
        page.wait_for_url(re.compile(r"/view/[^/]+/(\?.*)?$"))
        for _ in range(TRIES):  # a laboratory that just started may be slow; it is left alone for a while then
            expect(page.locator(".sources .waiting")).to_have_count(0)
            if page.locator(".sources .failed").count() == 0:
                break
            page.wait_for_timeout(12_000)
            page.reload()
        expect(page.locator(".results[data-category=laboratory]")).to_contain_text("Créatinine")
        view = page.url
        page.screenshot(path=launched.site.folder / "overview.png")
        token = launched.grants()[0]
        page.locator("form[action*=logout] button").click()
        expect(page.locator("h1")).to_have_text(re.compile("La consultation est terminée|The view is closed"))
        assert token in launched.revocations()
        ours = [headers for url, status, headers in answers if url.startswith(launched.site.base) and status == 200]
        assert ours
        assert all(headers["content-type"].startswith("text/html") for headers in ours)
        assert page.goto(view).status == 401
        expect(page.locator("body")).not_to_contain_text("Créatinine")
        assert not [each["name"] for each in context.cookies() if "vitrine" in each["name"]]
        assert complaints == []
    finally:
        context.close()
    assert launched.records("session:closed")[-1]["patient"] == PATIENT
    assert (launched.ehr.versions(), lab.versions()) == before


def test_a_change_at_the_ehr_would_be_seen(ward):
    """What the test before stands on: one resource more, or one changed, shows."""
    before = ward.versions()
    assert before
    kept = ward.ask("GET", f"/fhir/Patient/{PATIENT}").json
    ward.load({**kept, "language": "fr" if kept.get("language") != "fr" else "en"})
    changed = ward.versions()
    assert len(changed) == len(before) + 1
    ward.load({**kept, "id": "somebody-else", "identifier": []})
    assert len(ward.versions()) == len(before) + 2
