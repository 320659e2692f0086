"""Whom the gateway asks: the feeds and EHR servers of a configuration, each with our own credential there.

Building contacts nobody. Secrets are read here, so a missing or open one stops the start with its key named.
"""

from collections.abc import Mapping
from pathlib import Path

from fhir_adapters import registry
from fhir_adapters.bundle_folder import BundleFolderConfig
from fhir_adapters.client_identity import ClientIdentity
from fhir_adapters.client_proof import ClientProof, KeyProof, PrivateKey, SecretProof, private_key
from fhir_adapters.credential import (
    BasicCredential,
    BearerCredential,
    ClientCredentials,
    Credential,
    LaunchToken,
    NoCredential,
)
from fhir_adapters.fhir_rest import FhirRestConfig
from fhir_adapters.interface import Feed
from fhir_adapters.third_party import ThirdPartyConfig
from plugin.consultation.feed_line import EhrLine, FeedLine
from plugin.consultation.launched_ehr import LaunchedEhr
from plugin.consultation.opposition import ConsentSource
from plugin.event import LOCAL_FEED
from plugin.settings.document import Settings
from plugin.settings.ehr import ConsentFolder, ConsentServer, Ehr
from plugin.settings.errors import SettingsError
from plugin.settings.feed import BundleFolder, FeedEntry, ThirdParty
from plugin.settings.secret import read_public, read_secret
from plugin.settings.servers import Auth, BasicAuth, BearerAuth, ClientCredentialsAuth, MtlsAuth, PrivateKeyJwtAuth

FHIR_REST = "fhir-rest"
"""The registry's name for a FHIR server."""


def feed(entry: FeedEntry) -> Feed:
    """The feed that a `[[feed]]` describes. Raises SettingsError."""
    try:
        if isinstance(entry, BundleFolder):
            return registry.build(entry.kind, BundleFolderConfig(entry.id, entry.path))
        if isinstance(entry, ThirdParty):
            secrets = {name: read_secret(path, f"feed.secrets.{name}") for name, path in entry.secrets.items()}
            return registry.build(entry.kind, ThirdPartyConfig(entry.id, entry.options, secrets))
        return _server(f"feed '{entry.id}'", entry.id, entry.base, "feed.auth", entry.auth)
    except ValueError as error:
        raise SettingsError(f"feed '{entry.id}': {error}") from error


def ehr_servers(settings: Settings) -> Mapping[str, Feed]:
    """Each EHR's FHIR server, asked for a patient's identifiers only."""
    servers = {}
    for ehr in settings.ehr:
        try:
            servers[ehr.id] = _server(f"ehr '{ehr.id}'", ehr.id, ehr.fhir_base, "ehr.auth", ehr.auth)
        except ValueError as error:
            raise SettingsError(f"ehr '{ehr.id}': {error}") from error
    return servers


def launched_ehr(ehr: Ehr) -> LaunchedEhr:
    """The lines to an EHR that take the token of a launch, and no credential of our own. Raises SettingsError."""
    try:
        server = registry.build(FHIR_REST, FhirRestConfig(LOCAL_FEED, ehr.fhir_base, LaunchToken()))
    except ValueError as error:
        raise SettingsError(f"ehr '{ehr.id}': {error}") from error
    return LaunchedEhr(EhrLine(server), FeedLine(server))


def consent_sources(settings: Settings) -> Mapping[str, ConsentSource]:
    """Where each EHR's patients' Consents are, for those that name a place. Raises SettingsError."""
    return {ehr.id: _consent_source(ehr.id, ehr.consents) for ehr in settings.ehr if ehr.consents is not None}


def _consent_source(ehr_id: str, place: ConsentServer | ConsentFolder) -> ConsentSource:
    name = f"consents of ehr '{ehr_id}'"
    try:
        if isinstance(place, ConsentFolder):
            folder = registry.build(place.kind, BundleFolderConfig(ehr_id, place.path))
            return ConsentSource(FeedLine(folder), by_patient=False)
        server = _server(name, ehr_id, place.base, "ehr.consents.auth", place.auth)
        return ConsentSource(FeedLine(server), by_patient=True)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error


def _server(name: str, feed_id: str, base: str, key: str, auth: Auth) -> Feed:
    """A FHIR server, with our own credential there as the settings under `key` have it. Raises as `own_credential`."""
    return registry.build(
        FHIR_REST, FhirRestConfig(feed_id, base, own_credential(name, key, auth), own_certificate(key, auth))
    )


def own_credential(name: str, key: str, auth: Auth) -> Credential:
    """The gateway's own credential at a server, its secret read from its file.

    Raises SettingsError, and ValueError for what the file or an address holds.
    """
    match auth:
        case BasicAuth():
            return BasicCredential(auth.username, read_secret(auth.password_file, f"{key}.password_file"))
        case BearerAuth():
            return BearerCredential(read_secret(auth.token_file, f"{key}.token_file"))
        case ClientCredentialsAuth():
            secret = read_secret(auth.client_secret_file, f"{key}.client_secret_file")
            proof: ClientProof = SecretProof(auth.client_id, secret)
            return ClientCredentials(name, auth.token_url, proof, scope=auth.scope or "")
        case PrivateKeyJwtAuth():
            proof = KeyProof(auth.client_id, auth.token_url, _own_key(auth.key_file, f"{key}.key_file"))
            return ClientCredentials(name, auth.token_url, proof, scope=auth.scope or "")
        case _:
            return NoCredential()


def own_certificate(key: str, auth: Auth) -> ClientIdentity | None:
    """The gateway's own certificate for a server that asks for one. Raises SettingsError."""
    if not isinstance(auth, MtlsAuth):
        return None
    certificates = read_public(auth.certificate_file, f"{key}.certificate_file")
    secret = read_secret(auth.key_file, f"{key}.key_file")
    authorities = None if auth.ca_file is None else read_public(auth.ca_file, f"{key}.ca_file")
    try:
        return ClientIdentity(certificates, secret, authorities)
    except ValueError as error:
        raise SettingsError(f"{key}: {error}") from error


def _own_key(path: Path, key: str) -> PrivateKey:
    text = read_secret(path, key)
    try:
        return private_key(text)
    except ValueError as error:
        raise SettingsError(f"{key}: {path}: {error}") from error
