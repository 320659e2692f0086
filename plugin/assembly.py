"""The only composition root: settings -> a Gateway and what it stands on. No Flask: the command line needs one too.

Building contacts nobody. Secrets are read here, so a missing or open one stops the start with its key named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
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
from plugin import __version__
from plugin.alerts import AlertKind, Alerts, alerts_of
from plugin.audit.feed import LogFeed
from plugin.authentication.fetch import IssuerDocuments
from plugin.authentication.identify import Identifier
from plugin.authentication.introspection import IntrospectionEndpoint, Introspects
from plugin.authentication.issuers import Issuers
from plugin.authentication.launch import Launches
from plugin.authentication.launch_session import Attempts, LaunchSessions
from plugin.authentication.launchable import launchable_ehrs, launched, redirect_uri
from plugin.consultation.admission import Admission
from plugin.consultation.break_glass import BreakGlass
from plugin.consultation.feed_line import EhrLine, FeedLine
from plugin.consultation.gateway import FeedOnOffer, Gateway
from plugin.consultation.handles import FileAddresses
from plugin.consultation.launched_ehr import LaunchedEhr
from plugin.consultation.network_zone import NetworkZones
from plugin.consultation.opposition import ConsentSource, Oppositions
from plugin.consultation.patient_match import PatientMatches
from plugin.errors import StateUnavailable
from plugin.event import LOCAL_FEED, GatewayBody
from plugin.ledger import writer
from plugin.ledger.deliveries import Deliveries
from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader
from plugin.ledger.space import FreeSpace
from plugin.ledger.writer import Ledger
from plugin.places import place_of
from plugin.recorder import Recorder
from plugin.sealing import KeysInvalid, Seal, derived, parse_keys
from plugin.settings.document import Settings
from plugin.settings.ehr import ConsentFolder, ConsentServer, Ehr
from plugin.settings.errors import SettingsError
from plugin.settings.feed import BundleFolder, FeedEntry, ThirdParty
from plugin.settings.secret import read_public, read_secret
from plugin.settings.servers import Auth, BasicAuth, BearerAuth, ClientCredentialsAuth, MtlsAuth, PrivateKeyJwtAuth
from plugin.sinks import Heard, sinks_of
from plugin.state.callers import Callers
from plugin.state.handles import Handles
from plugin.state.openings import Openings
from plugin.state.quotas import Quotas
from plugin.state.rules_in_force import AcceptedRules, RulesInForce
from plugin.state.suspensions import Suspensions
from plugin.state.views import Views
from plugin.strangers import Strangers
from policies.cedar import RulesInvalid
from policies.code_table import TablesInvalid
from policies.rulebook import Rulebook, load


@dataclass(frozen=True, slots=True)
class Assembled:
    """The parts of a running gateway."""

    settings: Settings
    gateway: Gateway
    issuers: Issuers
    ledger: Ledger
    recorder: Recorder
    strangers: Strangers
    alerts: Alerts
    page_links: Seal
    log_links: Seal
    launches: Launches
    sessions: LaunchSessions


def assemble(
    settings: Settings, on_damage: Callable[[], None] = lambda: None, rules: Rulebook | None = None
) -> Assembled:
    """Build everything that `settings` names. Raises SettingsError with one sentence that names the key.

    `on_damage`: see Recorder. `rules`: what is decided by; else what the files say.
    """
    keys = sealing_keys(settings)
    rules = rules or rulebook(settings)
    ledger = open_ledger(settings)
    alerts = alerts_of(settings.alerts, settings.public_base)
    recorder = Recorder(
        ledger, _gateway_body(settings, rules.digest), on_damage, partial(alerts.raise_, AlertKind.CLOCK_DRIFTED)
    )
    space = free_space(settings)
    rules_in_force = RulesInForce(rules)
    issuers = issuers_of(settings)
    strangers = Strangers(Callers(), recorder, space)
    _make_state_dir(settings)
    ehr_bases = {ehr.id: ehr.fhir_base for ehr in settings.ehr}
    attempts = Attempts(recorder, strangers, ehr_bases, rules_in_force, space)
    views = Views(settings.state_dir, keys)
    launchable = launchable_ehrs(settings)
    sessions = LaunchSessions(views, {ehr_id: launched(each) for ehr_id, each in launchable.items()}, attempts)
    gateway = Gateway(
        identifier=Identifier(settings, issuers, introspections=introspections(settings), sessions=sessions),
        rules=rules_in_force,
        feeds={
            entry.id: FeedOnOffer(
                FeedLine(feed(entry)), entry.types, entry.match, entry.documents, entry.patient_informed
            )
            for entry in settings.feed
        },
        ehrs={ehr_id: EhrLine(each) for ehr_id, each in ehr_servers(settings).items()},
        ehr_bases=ehr_bases,
        oppositions=Oppositions(consent_sources(settings)),
        matches=PatientMatches(demo=settings.demo),
        quotas=Quotas(
            settings.state_dir / "quotas.sqlite",
            derived(keys, "quotas")[0],
            consultations=settings.limits.consultations_per_person_hour,
            patients=settings.limits.patients_per_person_hour,
        ),
        tighter=settings.limits.tighter,
        suspensions=Suspensions(settings.state_dir, keys),
        glass=BreakGlass(Openings(settings.state_dir, keys), recorder, ehr_bases),
        strangers=strangers,
        recorder=recorder,
        alerts=alerts,
        admission=Admission(),
        log=LogFeed(place_of(settings).view),
        most_resources=settings.limits.resources_per_consultation,
        zones=NetworkZones(settings.policies.network_zones),
        space=space,
        files=FileAddresses(Handles(settings.state_dir, keys), settings.public_base),
        launched={ehr_id: launched_ehr(each.ehr) for ehr_id, each in launchable.items()},
    )
    return Assembled(
        settings,
        gateway,
        issuers,
        ledger,
        recorder,
        strangers,
        alerts,
        Seal(keys, "page-links"),
        Seal(keys, "log-links"),
        Launches(launchable, issuers, views, Seal(keys, "launches"), attempts, redirect_uri(settings)),
        sessions,
    )


def suspensions(settings: Settings) -> Suspensions:
    """What is suspended, by the shared state. Raises SettingsError; opens nothing but makes `state_dir`."""
    _make_state_dir(settings)
    return Suspensions(settings.state_dir, sealing_keys(settings))


def accepted_rules(settings: Settings) -> AcceptedRules:
    """The set of rules in force, by the shared state. Opens nothing."""
    return AcceptedRules(settings.state_dir)


def _make_state_dir(settings: Settings) -> None:
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"state_dir: cannot make {settings.state_dir}: {error.strerror}") from error


def examine(settings: Settings) -> Rulebook:
    """Read everything that `assemble` reads, but for the ledger. Raises SettingsError."""
    sealing_keys(settings)
    issuers_of(settings)
    introspections(settings)
    alerts_of(settings.alerts, settings.public_base)
    ehr_servers(settings)
    consent_sources(settings)
    launchable_ehrs(settings)
    for entry in settings.feed:
        feed(entry)
    return rulebook(settings)


def sealing_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys of `key_file`, current first. Raises SettingsError."""
    try:
        return parse_keys(read_secret(settings.key_file, "key_file"))
    except KeysInvalid as error:
        raise SettingsError(f"key_file: {settings.key_file}: {error}") from error


def rulebook(settings: Settings) -> Rulebook:
    """The rules in force. Raises SettingsError."""
    try:
        return load(
            settings.policies.directory,
            unlabelled_documents=settings.policies.unlabelled_documents,
            tables=settings.policies.tables,
            shipped_set=settings.policies.set,
        )
    except TablesInvalid as error:
        raise SettingsError(f"policies.tables: {error}") from error
    except RulesInvalid as error:
        raise SettingsError(f"policies.directory: {error}") from error


def open_ledger(settings: Settings, *, upgrading: bool = False) -> Ledger:
    """The ledger, which must exist. Raises SettingsError. `upgrading`: see writer.open."""
    if settings.ledger.key_file.exists():
        read_secret(settings.ledger.key_file, "ledger.key_file")
    try:
        return writer.open(place_of(settings), settings.ledger.key_file, upgrading=upgrading)
    except LedgerError as error:
        raise SettingsError(f"ledger: {error}") from error


def operational_recorder(settings: Settings) -> Recorder:
    """For records of the gateway's own life, where no gateway is running. Raises SettingsError."""
    return recorder_of(settings, open_ledger(settings))


def recorder_of(settings: Settings, ledger: Ledger) -> Recorder:
    """The same, on a ledger that is open. Raises SettingsError."""
    return Recorder(ledger, _gateway_body(settings, _digest_in_force(settings)))


def _digest_in_force(settings: Settings) -> str | None:
    """Of the accepted set; of the files where none was accepted yet; None where that cannot be told."""
    try:
        return accepted_rules(settings).digest() or rulebook(settings).digest
    except StateUnavailable:
        return None


def _gateway_body(settings: Settings, digest: str | None) -> GatewayBody:
    body: GatewayBody = {"base": settings.public_base, "version": __version__}
    if digest is not None:
        body["policies"] = digest
    return body


def free_space(settings: Settings) -> FreeSpace:
    """What is left where the log, if it is a file, and the counters grow. Raises SettingsError."""
    return FreeSpace(
        [*place_of(settings).folders, settings.state_dir],
        low=settings.ledger.anonymous_space_floor_mb << 20,
        floor=settings.ledger.space_floor_mb << 20,
    )


def check_ledger(ledger: Ledger) -> None:
    """The start checks of the ledger. Raises SettingsError: without a sound ledger nothing starts."""
    try:
        ledger.check_start()
    except LedgerError as error:
        raise SettingsError(f"ledger: {error}") from error


def deliveries(
    settings: Settings,
    on_fork: Callable[[str, str, bool], None] = lambda _name, _sentence, _first: None,
    heard: Heard = lambda _host, _ahead: None,
) -> Deliveries:
    """What brings the ledger's checkpoints to `ledger.sinks`. Raises SettingsError.

    `on_fork`: see Deliveries. `heard`: see `sinks`.
    """
    place = place_of(settings)
    _make_state_dir(settings)
    try:
        reader = Reader(place.view)
        key = reader.keys().current
    except LedgerError as error:
        raise SettingsError(f"ledger: {error}") from error
    return Deliveries(reader, key, sinks_of(settings.ledger.sinks, key, heard), place.kept, on_fork=on_fork)


def check_sinks(settings: Settings) -> list[str]:
    """A warning for each sink that cannot be asked. Raises SettingsError where one holds what the ledger lost."""
    if not settings.ledger.sinks:
        return []
    try:
        return [f"ledger.sinks: {warning}" for warning in deliveries(settings).check_start()]
    except LedgerError as error:
        raise SettingsError(f"ledger.sinks: {error}") from error


def issuers_of(settings: Settings) -> Issuers:
    """The documents of all configured issuers."""
    issuers = [issuer for ehr in settings.ehr for issuer in ehr.issuer]
    return Issuers(issuers, IssuerDocuments(issuers))


def introspections(settings: Settings) -> Mapping[str, Introspects]:
    """What asks each issuer of opaque tokens about them, by issuer. Raises SettingsError."""
    endpoints: dict[str, Introspects] = {}
    for issuer in (issuer for ehr in settings.ehr for issuer in ehr.issuer):
        asked = issuer.introspection
        if asked is None or issuer.issuer in endpoints:
            continue
        secret = read_secret(asked.client_secret_file, "ehr.issuer.introspection.client_secret_file")
        try:
            endpoints[issuer.issuer] = IntrospectionEndpoint(asked, secret)
        except ValueError as error:
            raise SettingsError(f"ehr.issuer.introspection.url: {error}") from error
    return endpoints


def feed(entry: FeedEntry) -> Feed:
    """The feed that a `[[feed]]` describes. Raises SettingsError."""
    try:
        if isinstance(entry, BundleFolder):
            return registry.build(entry.kind, BundleFolderConfig(entry.id, entry.path))
        if isinstance(entry, ThirdParty):
            secrets = {name: read_secret(path, f"feed.secrets.{name}") for name, path in entry.secrets.items()}
            return registry.build(entry.kind, ThirdPartyConfig(entry.id, entry.options, secrets))
        credential = own_credential(f"feed '{entry.id}'", "feed.auth", entry.auth)
        identity = own_certificate("feed.auth", entry.auth)
        return registry.build(entry.kind, FhirRestConfig(entry.id, entry.base, credential, identity))
    except ValueError as error:
        raise SettingsError(f"feed '{entry.id}': {error}") from error


def ehr_servers(settings: Settings) -> Mapping[str, Feed]:
    """Each EHR's FHIR server, asked for a patient's identifiers only."""
    servers = {}
    for ehr in settings.ehr:
        try:
            credential = own_credential(f"ehr '{ehr.id}'", "ehr.auth", ehr.auth)
            identity = own_certificate("ehr.auth", ehr.auth)
            servers[ehr.id] = registry.build("fhir-rest", FhirRestConfig(ehr.id, ehr.fhir_base, credential, identity))
        except ValueError as error:
            raise SettingsError(f"ehr '{ehr.id}': {error}") from error
    return servers


def launched_ehr(ehr: Ehr) -> LaunchedEhr:
    """The lines to an EHR that take the token of a launch, and no credential of our own. Raises SettingsError."""
    try:
        server = registry.build("fhir-rest", FhirRestConfig(LOCAL_FEED, ehr.fhir_base, LaunchToken()))
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
        credential = own_credential(name, "ehr.consents.auth", place.auth)
        identity = own_certificate("ehr.consents.auth", place.auth)
        server = registry.build(place.kind, FhirRestConfig(ehr_id, place.base, credential, identity))
        return ConsentSource(FeedLine(server), by_patient=True)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error


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
