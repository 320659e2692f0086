"""Whom the gateway asks: the feeds and EHR servers of a configuration, each with our own credential there.

Building contacts nobody. Secrets are read here, so a missing or open one stops the start with its key named.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from fhir_adapters import registry
from fhir_adapters.bundle_folder import BundleFolderConfig
from fhir_adapters.client_identity import ClientIdentity, IdentityUnusable
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


def feeds(settings: Settings) -> Mapping[str, Feed]:
    """What each `[[feed]]` describes, by id. Raises SettingsError."""
    return {entry.id: feed(entry, f"feed.{number}") for number, entry in enumerate(settings.feed)}


def feed(entry: FeedEntry, place: str) -> Feed:
    """The feed that a `[[feed]]` describes, which stands at `place` in the file. Raises SettingsError."""
    if isinstance(entry, BundleFolder):
        return _folder(entry.id, entry.kind, entry.path, f"{place}.path")
    if not isinstance(entry, ThirdParty):
        return _server(f"feed '{entry.id}'", entry.id, entry.base, f"{place}.auth", entry.auth)
    secrets = {name: read_secret(path, f"{place}.secrets.{name}") for name, path in entry.secrets.items()}
    try:
        return registry.build(entry.kind, ThirdPartyConfig(entry.id, entry.options, secrets))
    except ValueError as error:
        raise SettingsError(f"{place}.kind: {error}") from error


def ehr_servers(settings: Settings) -> Mapping[str, Feed]:
    """Each EHR's FHIR server, asked for a patient's identifiers only. Raises SettingsError."""
    return {
        ehr.id: _server(f"ehr '{ehr.id}'", ehr.id, ehr.fhir_base, f"ehr.{number}.auth", ehr.auth)
        for number, ehr in enumerate(settings.ehr)
    }


def launched_ehr(ehr: Ehr) -> LaunchedEhr:
    """The lines to an EHR that take the token of a launch, and no credential of our own."""
    server = registry.build(FHIR_REST, FhirRestConfig(LOCAL_FEED, ehr.fhir_base, LaunchToken(), name=f"ehr '{ehr.id}'"))
    return LaunchedEhr(EhrLine(server), FeedLine(server))


def consent_sources(settings: Settings) -> Mapping[str, ConsentSource]:
    """Where each EHR's patients' Consents are, for those that name a place. Raises SettingsError."""
    return {
        ehr.id: _consent_source(ehr.id, ehr.fhir_base, ehr.consents, f"ehr.{number}.consents")
        for number, ehr in enumerate(settings.ehr)
        if ehr.consents is not None
    }


def _consent_source(ehr_id: str, fhir_base: str, consents: ConsentServer | ConsentFolder, place: str) -> ConsentSource:
    if isinstance(consents, ConsentFolder):
        folder = _folder(ehr_id, consents.kind, consents.path, f"{place}.path")
        return ConsentSource(FeedLine(folder), by_patient=False, base=fhir_base)
    server = _server(f"consents of ehr '{ehr_id}'", ehr_id, consents.base, f"{place}.auth", consents.auth)
    return ConsentSource(FeedLine(server), by_patient=True, base=server.base)


def bundle_folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The folders that feeds and oppositions are read from, each with its key."""
    for number, entry in enumerate(settings.feed):
        if isinstance(entry, BundleFolder):
            yield f"feed.{number}.path", entry.path
    for number, ehr in enumerate(settings.ehr):
        if isinstance(ehr.consents, ConsentFolder):
            yield f"ehr.{number}.consents.path", ehr.consents.path


def own_certificates(settings: Settings) -> Iterator[tuple[str, ClientIdentity]]:
    """The gateway's own certificates, each with the key of its file. Raises SettingsError."""
    shown: list[tuple[str, object]] = [(f"feed.{number}", entry) for number, entry in enumerate(settings.feed)]
    shown += [(f"ehr.{number}", ehr) for number, ehr in enumerate(settings.ehr)]
    shown += [(f"ehr.{number}.consents", ehr.consents) for number, ehr in enumerate(settings.ehr)]
    for place, entry in shown:
        identity = own_certificate(f"{place}.auth", getattr(entry, "auth", None))
        if identity is not None:
            yield f"{place}.auth.certificate_file", identity


def _folder(feed_id: str, kind: str, path: Path, key: str) -> Feed:
    """One that is not there may come with a mount; what is there and no folder will never be one."""
    is_something_else = False
    with suppress(OSError):
        is_something_else = path.exists() and not path.is_dir()
    if is_something_else:
        raise SettingsError(f"{key}: {path} is not a folder")
    return registry.build(kind, BundleFolderConfig(feed_id, path))


def _server(name: str, feed_id: str, base: str, key: str, auth: Auth) -> Feed:
    """A FHIR server, with our own credential there as the settings under `key` have it. Raises SettingsError."""
    credential, certificate = own_credential(name, key, auth), own_certificate(key, auth)
    try:
        return registry.build(FHIR_REST, FhirRestConfig(feed_id, base, credential, certificate, name))
    except ValueError as error:
        raise SettingsError(f"{key}: {error}") from error


def own_credential(name: str, key: str, auth: Auth) -> Credential:
    """The gateway's own credential at a server, its secret read from its file. Raises SettingsError."""
    match auth:
        case BasicAuth():
            password = read_secret(auth.password_file, f"{key}.password_file")
            try:
                return BasicCredential(auth.username, password)
            except ValueError as error:
                raise SettingsError(f"{key}.username: {error}") from error
        case BearerAuth():
            token = read_secret(auth.token_file, f"{key}.token_file")
            try:
                return BearerCredential(token)
            except ValueError as error:
                raise SettingsError(f"{key}.token_file: {auth.token_file}: {error}") from error
        case ClientCredentialsAuth():
            secret = read_secret(auth.client_secret_file, f"{key}.client_secret_file")
            proof: ClientProof = SecretProof(auth.client_id, secret)
            return ClientCredentials(name, auth.token_url, proof, scope=auth.scope or "")
        case PrivateKeyJwtAuth():
            proof = KeyProof(auth.client_id, auth.token_url, _own_key(auth.key_file, f"{key}.key_file"))
            return ClientCredentials(name, auth.token_url, proof, scope=auth.scope or "")
        case _:
            return NoCredential()


def own_certificate(key: str, auth: Auth | None) -> ClientIdentity | None:
    """The gateway's own certificate for a server that asks for one. Raises SettingsError."""
    if not isinstance(auth, MtlsAuth):
        return None
    certificates = read_public(auth.certificate_file, f"{key}.certificate_file")
    secret = read_secret(auth.key_file, f"{key}.key_file")
    authorities = None if auth.ca_file is None else read_public(auth.ca_file, f"{key}.ca_file")
    try:
        return ClientIdentity(certificates, secret, authorities)
    except IdentityUnusable as error:
        name, path = {
            "certificates": ("certificate_file", auth.certificate_file),
            "key": ("key_file", auth.key_file),
            "authorities": ("ca_file", auth.ca_file),
        }[error.part]
        raise SettingsError(f"{key}.{name}: {path}: {error}") from error


def _own_key(path: Path, key: str) -> PrivateKey:
    text = read_secret(path, key)
    try:
        return private_key(text)
    except ValueError as error:
        raise SettingsError(f"{key}: {path}: {error}") from error
