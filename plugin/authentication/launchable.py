"""The EHRs that a configuration registers the viewer at, with what a launch there needs. Building contacts nobody.

Secrets are read here, so a missing or open one stops the start with its key named.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from fhir_adapters.client_proof import ClientProof, KeyProof, PrivateKey, SecretProof, private_key
from fhir_adapters.reach import Reach
from fhir_adapters.upstream import HttpUpstream
from plugin.authentication.backchannel import MAX_ANSWER_BYTES, Backchannel, NoProof
from plugin.authentication.fetch import Documents
from plugin.authentication.launch import LaunchableEhr
from plugin.authentication.launch_session import LaunchedEhr
from plugin.authentication.smart_configuration import AuthorizationServer, SmartConfiguration, trusted_hosts
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.launch import ClientSecretAuth, LaunchKeyAuth, LaunchSettings
from plugin.settings.secret import read_secret

STYLE_SECONDS = 0.5
"""How long a launch may be held up for colours."""


def redirect_uri(settings: Settings) -> str:
    """Where every launch comes back to; to be registered at each EHR."""
    return f"{settings.public_base}/launch/callback"


def launchable_ehrs(settings: Settings) -> Mapping[str, LaunchableEhr]:
    """The EHRs with the viewer registered, by id. Raises SettingsError."""
    found = {}
    for number, ehr in enumerate(settings.ehr):
        if ehr.launch is None:
            continue
        hosts = trusted_hosts(ehr)
        documents = Documents(f"ehr '{ehr.id}'", Reach.of(ehr.fhir_base))
        upstream = HttpUpstream(f"the authorization server of ehr '{ehr.id}'", *hosts, max_body=MAX_ANSWER_BYTES)
        proof = launch_proof(ehr.launch, f"ehr.{number}.launch")
        backchannel = Backchannel(proof, redirect_uri(settings), upstream)
        style = Documents(f"the style of ehr '{ehr.id}'", *hosts, seconds=STYLE_SECONDS)
        found[ehr.id] = LaunchableEhr(ehr, ehr.launch, SmartConfiguration(ehr, documents), backchannel, style)
    return found


def launch_proof(launch: LaunchSettings, place: str) -> Callable[[AuthorizationServer], ClientProof]:
    """How the viewer proves itself at the authorization server, its secret read now. Raises SettingsError.

    `place`: where `launch` stands in the file.
    """
    match launch.auth:
        case ClientSecretAuth(client_secret_file=file):
            secret = SecretProof(launch.client_id, read_secret(file, f"{place}.auth.client_secret_file"))
            return lambda _: secret
        case LaunchKeyAuth(key_file=file):
            key = _key(file, f"{place}.auth.key_file")
            return lambda server: KeyProof(launch.client_id, str(server.token_endpoint), key)
        case _:
            return lambda _: NoProof(launch.client_id)


def launched(launchable: LaunchableEhr) -> LaunchedEhr:
    """What a session needs of the EHR that launched it."""

    def revoke(token: str) -> bool:
        return launchable.backchannel.revoke(launchable.configuration.server(), token)

    return LaunchedEhr(launchable.settings, revoke)


def _key(path: Path, key: str) -> PrivateKey:
    try:
        return private_key(read_secret(path, key))
    except ValueError as error:
        raise SettingsError(f"{key}: {path}: {error}") from error
