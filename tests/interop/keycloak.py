"""Keycloak as the authorization server: a server, its realms, and people who log in there with PKCE."""

import base64
import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

from demo.browser import Browser, Page
from tests.deployed.deployment import CHECKOUT, PATIENT
from tests.interop.programs import Program, Said, command, installed

REALM = CHECKOUT / "deploy" / "keycloak-realm.json"
"""The one that docs/keycloak.md describes."""
RECIPES = CHECKOUT / "docs" / "keycloak.md"
RECIPE_ISSUER = "https://login.hospital.example/realms/hospital"
PASSWORD = "correct horse"
CALLBACK = "http://127.0.0.1/callback"
"""Where the pretend client is sent back to; nobody listens there."""
JAVA = "-Xms64m -Xmx384m"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PANE = "results-pane"
ELSEWHERE = "https://elsewhere.example/fhir"

PEOPLE: dict[str, dict[str, list[str]]] = {
    "dr-roy": {"fhirUser": ["Practitioner/dr-roy"], "patient": [PATIENT]},
    "nurse": {"patient": [PATIENT]},
    "alma": {"fhirUser": [f"Patient/{PATIENT}"], "patient": [PATIENT]},
}
"""Users of each realm: a doctor, somebody whose profession no claim tells, and a patient."""


class Keycloak(Program):
    """The server, as it runs in production but for TLS and its database, which is in memory."""

    def __init__(self, log: Path) -> None:
        command("java")
        folder = installed("keycloak", "dist/lib/quarkus-run.jar", ".installed") / "dist"
        super().__init__(
            lambda port: [
                *(str(folder / "bin" / "kc.sh"), "start", "--optimized", "--cache=local", "--http-enabled=true"),
                *("--http-host=127.0.0.1", f"--http-port={port}", f"--hostname=http://127.0.0.1:{port}"),
            ],
            log,
            ready="/realms/master",
            environment={
                "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
                "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
                "JAVA_OPTS_KC_HEAP": JAVA,
            },
            folder=folder,
        )

    def realm(self) -> "Realm":
        """A realm of its own for each that asks; it is there once it is created."""
        return Realm(self, f"hospital-{uuid4().hex[:8]}")

    def administer(self, method: str, path: str, body: Any = None) -> Said:
        """A request below `/admin/realms`; each with a token of its own, since those live a minute."""
        headers = {"Authorization": f"Bearer {self.admin_token()}", "Content-Type": "application/json"}
        return self.ask(method, f"/admin/realms{path}", body, headers)

    def admin_token(self) -> str:
        """Of the server's own realm."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": PASSWORD}
        said = self.ask("POST", "/realms/master/protocol/openid-connect/token", urlencode(form).encode(), FORM)
        assert said.status == 200, said.body
        return str(said.json["access_token"])


def _user(name: str, attributes: dict[str, list[str]]) -> dict[str, Any]:
    """Whole enough that no page asks for more."""
    names = {"username": name, "firstName": name, "lastName": "Person", "email": f"{name}@hospital.example"}
    password = {"type": "password", "value": PASSWORD, "temporary": False}
    return {**names, "enabled": True, "emailVerified": True, "credentials": [password], "attributes": attributes}


def public_client(name: str, **attributes: str) -> dict[str, Any]:
    """Like the pane of `deploy/`, under another name and with `attributes` more."""
    pane = next(each for each in json.loads(REALM.read_text())["clients"] if each["clientId"] == PANE)
    return {**pane, "clientId": name, "attributes": {**pane["attributes"], **attributes}}


def foreign_client() -> dict[str, Any]:
    """`elsewhere`: an app of the same realm whose tokens are meant for another server."""
    told = {"included.custom.audience": ELSEWHERE, "access.token.claim": "true", "introspection.token.claim": "true"}
    mapper = {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": told,
    }
    scopes = {"defaultClientScopes": ["basic", "acr", "fhirUser"], "protocolMappers": [mapper]}
    return {**public_client("elsewhere"), **scopes}


def machine_client(name: str, secret: str) -> dict[str, Any]:
    """A program that logs in as itself, with the scopes of the pane."""
    how = {"publicClient": False, "secret": secret, "serviceAccountsEnabled": True, "standardFlowEnabled": False}
    made = public_client(name)
    made["defaultClientScopes"] = [*made["defaultClientScopes"], "service_account"]
    return {**made, **how, "attributes": {}}


class Realm:
    """A realm of the server."""

    def __init__(self, server: Keycloak, name: str) -> None:
        self.server, self.name = server, name

    def create(self, public_base: str, *clients: dict[str, Any]) -> "Realm":
        """For a gateway at `public_base`: what is in `deploy/`, with people, and `clients` added."""
        told = json.loads(REALM.read_text().replace("${VITRINE_PUBLIC_BASE}", public_base))
        told["realm"] = self.name
        told["users"] = [_user(name, attributes) for name, attributes in PEOPLE.items()]
        told["clients"] += clients
        made = self.server.administer("POST", "", told)
        assert made.status == 201, made.body
        return self

    @property
    def issuer(self) -> str:
        return f"{self.server.origin}/realms/{self.name}"

    def endpoint(self, name: str) -> str:
        """The path of `auth`, `token`, `token/introspect`, `revoke`, `logout` or `certs`."""
        return f"/realms/{self.name}/protocol/openid-connect/{name}"

    def smart_configuration(self) -> dict[str, Any]:
        """What a FHIR server whose people log in here says of it: Keycloak's own document, as SMART wants it."""
        said = self.server.ask("GET", f"/realms/{self.name}/.well-known/openid-configuration")
        assert said.status == 200, said.body
        smart = {"capabilities": ["launch-ehr", "launch-standalone", "client-confidential-symmetric"]}
        return {**said.json, **smart, "code_challenge_methods_supported": ["S256"]}

    def login(self, user: str, scope: str, client: str = PANE) -> dict[str, Any]:
        """The token response of a person who logs in, by the authorization code with PKCE."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": CALLBACK,
            "scope": scope,
            "state": uuid4().hex,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        browser = Browser()
        page = browser.open(f"{self.server.origin}{self.endpoint('auth')}?{urlencode(asked)}")
        back = self.signed_in(browser, page, user).goes_to
        said = parse_qs(urlsplit(back).query)
        assert said.get("state") == [asked["state"]], back
        return self.token(
            grant_type="authorization_code",
            client_id=client,
            redirect_uri=CALLBACK,
            code=said["code"][0],
            code_verifier=verifier,
        )

    def signed_in(self, browser: Browser, page: Page, user: str) -> Page:
        """The redirect back to the app, once the person has filled the form that `page` is or leads to."""
        back = browser.send(browser.follow(page).form("login-actions"), username=user, password=PASSWORD)
        assert back.goes_to, back.body[:4_000]
        return back

    def machine(self, client: str, secret: str, scope: str) -> dict[str, Any]:
        """The token response of a program."""
        return self.token(grant_type="client_credentials", client_id=client, client_secret=secret, scope=scope)

    def token(self, **form: str) -> dict[str, Any]:
        said = self.post("token", **form)
        assert said.status == 200, said.body
        return dict(said.json)

    def post(self, endpoint: str, **form: str) -> Said:
        return self.server.ask("POST", self.endpoint(endpoint), urlencode(form).encode(), FORM)

    def administer(self, method: str, path: str, body: Any = None) -> Said:
        """A request of the administrator about this realm, which must succeed."""
        said = self.server.administer(method, f"/{self.name}{path}", body)
        assert said.status < 300, said.body
        return said

    def secret_of(self, client: str) -> str:
        """The secret that the server made for a confidential client."""
        [found] = self.administer("GET", f"/clients?clientId={client}").json
        return str(self.administer("GET", f"/clients/{found['id']}/client-secret").json["value"])

    def add_mapper(self, scope: str, provider: str, config: dict[str, str]) -> None:
        """To a client scope."""
        [found] = [each for each in self.administer("GET", "/client-scopes").json if each["name"] == scope]
        made = {"name": provider, "protocol": "openid-connect", "protocolMapper": provider, "config": config}
        self.administer("POST", f"/client-scopes/{found['id']}/protocol-mappers/models", made)

    def add_key(self, name: str, priority: int) -> str:
        """A new key pair that signs from now on, if no other has a higher priority; the id of its provider."""
        config = {"priority": [str(priority)], "enabled": ["true"], "active": ["true"], "keySize": ["2048"]}
        made = self.administer("POST", "/components", _key_provider(name, config))
        return made.headers["location"].rpartition("/")[2]

    def disable_key(self, provider: str) -> None:
        """It vanishes from the published set."""
        told = self.administer("GET", f"/components/{provider}").json
        told["config"] |= {"enabled": ["false"], "active": ["false"]}
        self.administer("PUT", f"/components/{provider}", told)

    def end_sessions(self, user: str) -> None:
        """What an administrator does when somebody's token was stolen."""
        [found] = self.administer("GET", f"/users?username={user}&exact=true").json
        self.administer("POST", f"/users/{found['id']}/logout")

    def key_ids(self) -> set[str]:
        """Of the published signing keys."""
        keys = self.server.ask("GET", self.endpoint("certs")).json["keys"]
        return {key["kid"] for key in keys if key["use"] == "sig"}


def _key_provider(name: str, config: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "name": name,
        "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "config": config,
    }


def recipe(number: int, realm: Realm, *clients: str) -> str:
    """The tables of docs/keycloak.md in their most permissive form, for this realm and with `clients` more."""
    blocks = re.findall(r"^```toml\n(.*?)^```", RECIPES.read_text(), re.DOTALL | re.MULTILINE)
    told: str = blocks[number].replace(RECIPE_ISSUER, realm.issuer).replace("# subjects", "subjects")
    more = [f'[[ehr.client]]\nid = "{name}"\nrenders_only = true\ndefault_purpose = "TREAT"\n' for name in clients]
    return "\n".join([told, *more])


def part(token: str, number: int) -> dict[str, Any]:
    """The header (0) or the claims (1) of a JWT."""
    text = token.split(".")[number]
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
