"""The only composition root: settings -> a Gateway and what it stands on. No Flask: the command line needs one too.

Building contacts nobody. Secrets are read here, so a missing or open one stops the start with its key named.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plugin import __version__, sources
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
from plugin.consultation.feed_on_offer import FeedOnOffer
from plugin.consultation.gateway import Gateway
from plugin.consultation.handles import FileAddresses
from plugin.consultation.network_zone import NetworkZones
from plugin.consultation.opposition import Oppositions
from plugin.consultation.patient_match import PatientMatches
from plugin.errors import StateUnavailable
from plugin.event import GatewayBody
from plugin.ledger import writer
from plugin.ledger.deliveries import Deliveries, check_continued
from plugin.ledger.errors import LedgerError
from plugin.ledger.key import SigningKey, VerifierKey
from plugin.ledger.place import LedgerPlace
from plugin.ledger.reader import Reader
from plugin.ledger.sink import Sink
from plugin.ledger.sink_file import FileSink
from plugin.ledger.space import FreeSpace
from plugin.ledger.writer import Ledger
from plugin.places import place_of
from plugin.recorder import Recorder
from plugin.sealing import KeysInvalid, Seal, derived, parse_keys
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.ledger import FileSinkSettings
from plugin.settings.secret import read_secret
from plugin.sinks import Heard, sinks_of
from plugin.state import quotas
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
    settings: Settings, on_damage: Callable[[str], None] = lambda _problem: None, rules: Rulebook | None = None
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
    strangers = Strangers(Callers(), recorder, space, settings.tenant_of)
    _make_state_dir(settings)
    ehr_bases = {ehr.id: ehr.fhir_base for ehr in settings.ehr}
    attempts = Attempts(recorder, strangers, ehr_bases, rules_in_force, space)
    views = Views(settings.state_dir, keys)
    launchable = launchable_ehrs(settings)
    feeds = sources.feeds(settings)
    sessions = LaunchSessions(views, {ehr_id: launched(each) for ehr_id, each in launchable.items()}, attempts)
    gateway = Gateway(
        identifier=Identifier(settings, issuers, introspections=introspections(settings), sessions=sessions),
        rules=rules_in_force,
        feeds={
            entry.id: FeedOnOffer(
                FeedLine(feeds[entry.id]), entry.types, entry.match, entry.documents, entry.patient_informed
            )
            for entry in settings.feed
        },
        ehrs={ehr_id: EhrLine(each) for ehr_id, each in sources.ehr_servers(settings).items()},
        ehr_bases=ehr_bases,
        oppositions=Oppositions(sources.consent_sources(settings)),
        matches=PatientMatches(demo=settings.demo),
        quotas=Quotas(
            settings.state_dir / quotas.FILE,
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
        launched={ehr_id: sources.launched_ehr(each.ehr) for ehr_id, each in launchable.items()},
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


def _require_room_for_state(settings: Settings) -> None:
    """What making `state_dir`, and writing in it, would find."""
    wanted = settings.state_dir
    try:
        nearest = next(each for each in (wanted, *wanted.parents) if each.exists())
    except OSError as error:
        raise SettingsError(f"state_dir: cannot make {wanted}: {error.strerror}") from error
    if not nearest.is_dir():
        raise SettingsError(f"state_dir: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise SettingsError(f"state_dir: this user may not write in {nearest}")


def examine(settings: Settings) -> Rulebook:
    """Read everything that `assemble` reads, but for the ledger. Raises SettingsError; makes nothing."""
    _require_room_for_state(settings)
    sealing_keys(settings)
    issuers_of(settings)
    introspections(settings)
    alerts_of(settings.alerts, settings.public_base)
    sources.ehr_servers(settings)
    sources.consent_sources(settings)
    launchable_ehrs(settings)
    sources.feeds(settings)
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
    """The ledger, which must exist. Raises SettingsError, also where it lost what a checkpoint kept here tells of.

    `upgrading`: see writer.open; an older form cannot be held against that.
    """
    if settings.ledger.key_file.exists():
        read_secret(settings.ledger.key_file, "ledger.key_file")
    try:
        ledger = writer.open(place_of(settings), settings.ledger.key_file, upgrading=upgrading)
    except LedgerError as error:
        raise SettingsError(f"ledger: {error}") from error
    try:
        if not upgrading:
            _check_kept(settings)
    except SettingsError:
        ledger.close()
        raise
    return ledger


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
    reader, key = _reader_and_key(place)
    return Deliveries(reader, key, sinks_of(settings.ledger.sinks, key, heard), place.kept, on_fork=on_fork)


def examine_sinks(settings: Settings, *, there_is_a_ledger: bool) -> None:
    """Raises SettingsError where a sink cannot be used as it is configured. Opens none of them."""
    if there_is_a_ledger:
        _, key = _reader_and_key(place_of(settings))
    else:
        key = SigningKey("of-no-ledger-yet", Ed25519PrivateKey.generate()).verifier
    sinks_of(settings.ledger.sinks, key)


def _reader_and_key(place: LedgerPlace) -> tuple[Reader, VerifierKey]:
    """What reads the ledger there, and the key of its newest checkpoint. Raises SettingsError."""
    try:
        reader = Reader(place.view)
        return reader, reader.keys().current
    except LedgerError as error:
        raise SettingsError(f"ledger: {error}") from error


def check_sinks(settings: Settings) -> list[str]:
    """A warning for each sink that cannot be asked, the file in which checkpoints are kept here among them.

    Raises SettingsError where one holds what the ledger lost.
    """
    place = place_of(settings)
    warnings = _check_continued(
        place, lambda key: [*sinks_of(settings.ledger.sinks, key), FileSink(place.kept, key)], "ledger.sinks"
    )
    return [f"ledger.sinks: {warning}" for warning in warnings]


def check_file_sinks(settings: Settings) -> None:
    """Raises SettingsError where a file sink holds what the ledger lost. For who appends to it and asks no other."""
    files = [sink for sink in settings.ledger.sinks if isinstance(sink, FileSinkSettings)]
    _check_continued(place_of(settings), partial(sinks_of, files), "ledger.sinks")


def _check_kept(settings: Settings) -> None:
    """Raises SettingsError where the ledger lost what a checkpoint tells of that is kept on this machine."""
    place = place_of(settings)
    _check_continued(place, lambda key: [FileSink(place.kept, key)], "ledger")


def _check_continued(place: LedgerPlace, sinks: Callable[[VerifierKey], Sequence[Sink]], setting: str) -> list[str]:
    """See `deliveries.check_continued`. Raises SettingsError, which names the setting, for its errors."""
    reader, key = _reader_and_key(place)
    try:
        return check_continued(reader, sinks(key))
    except LedgerError as error:
        raise SettingsError(f"{setting}: {error}") from error


def issuers_of(settings: Settings) -> Issuers:
    """The documents of all configured issuers."""
    issuers = [issuer for ehr in settings.ehr for issuer in ehr.issuer]
    return Issuers(issuers, IssuerDocuments(issuers))


def introspections(settings: Settings) -> Mapping[str, Introspects]:
    """What asks each issuer of opaque tokens about them, by issuer. Raises SettingsError."""
    endpoints: dict[str, Introspects] = {}
    placed = (
        (f"ehr.{number}.issuer.{of_it}", issuer)
        for number, ehr in enumerate(settings.ehr)
        for of_it, issuer in enumerate(ehr.issuer)
    )
    for place, issuer in placed:
        asked = issuer.introspection
        if asked is None or issuer.issuer in endpoints:
            continue
        secret = read_secret(asked.client_secret_file, f"{place}.introspection.client_secret_file")
        endpoints[issuer.issuer] = IntrospectionEndpoint(asked, secret)
    return endpoints
