"""The configuration file `vitrine.toml`: every key, its default, and what follows from it.

Reading it proves its shape only. Whether a file behind a key exists and is kept from others is asked by whoever opens
it, with `read_secret`; what the parts add up to is built in `plugin.assembly`.
"""

import ipaddress
import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from plugin.settings_sentence import sentence
from policies.vocabulary.resource_types import CONSULTABLE


class SettingsError(Exception):
    """The configuration cannot be used. The message is one sentence that names the key."""


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values cannot change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _exact_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None or parts.fragment:
        raise ValueError("must be an http or https URL without user or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("is plain http to a host that is not loopback")
    return value


def _without_slash(value: str) -> str:
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    """True for `localhost` and for addresses of the loopback network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base(value: str) -> str:
    if urlsplit(value).path or urlsplit(value).query:
        raise ValueError("must have no path")
    return value


def _beside(value: Any, info: ValidationInfo) -> Any:
    """Relative paths are relative to the configuration file."""
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError("is not a path")
    folder = (info.context or {}).get("folder", Path())
    return folder / value if isinstance(value, str | Path) else value


def _host_port(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be host:port")
    return value


_DAYS = re.compile(r"[1-9][0-9]{0,4} days")


def _period(value: str) -> str:
    if value not in get_args(Preset) and not _DAYS.fullmatch(value):
        raise ValueError(f"must be one of {', '.join(get_args(Preset))}, or a number of days: '400 days'")
    return value


def _network(value: str) -> str:
    ipaddress.ip_network(value)
    return value


ExactUrl = Annotated[str, AfterValidator(_exact_url)]
"""Kept to the letter: clients compare an issuer character by character."""
Url = Annotated[ExactUrl, AfterValidator(_without_slash)]
Location = Annotated[Path, BeforeValidator(_beside)]
HostPort = Annotated[str, AfterValidator(_host_port)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
Text = Annotated[str, Field(min_length=1, max_length=1024)]


class FileSinkSettings(Section):
    """A file on another mount to which each checkpoint is appended."""

    kind: Literal["file"]
    path: Location


class HttpsSinkSettings(Section):
    """A web server that is sent each checkpoint, and answers 2xx when it keeps it."""

    kind: Literal["https"]
    url: Url


class SyslogSinkSettings(Section):
    """A syslog collector (RFC 5424). It acknowledges nothing."""

    kind: Literal["syslog"]
    address: HostPort
    transport: Literal["tls", "tcp", "udp"] = "tls"


class WitnessSinkSettings(Section):
    """A witness (c2sp.org/tlog-witness): it cosigns only what continues what it saw."""

    kind: Literal["witness"]
    url: Url
    vkey: Text


SinkSettings = Annotated[
    FileSinkSettings | HttpsSinkSettings | SyslogSinkSettings | WitnessSinkSettings, Discriminator("kind")
]


Preset = Literal["6-months", "1-year", "3-years", "10-years", "20-years"]
Period = Annotated[str, AfterValidator(_period)]
RetentionClass = Literal["consultation", "refusal", "log-reading", "callers", "operation"]
"""The classes of records that may have a period; what explains the ledger itself is kept for ever."""


class LedgerSettings(Section):
    path: Location = Field(default=Path("ledger/vitrine.sqlite"), validate_default=True)
    """The ledger's file. It must exist already (`vitrine audit init` makes it): a mistyped path would otherwise
    start a second, empty history."""
    key_file: Location = Field(default=Path("secrets/checkpoint.key"), validate_default=True)
    """Signs checkpoints. Whoever holds it can rewrite history that no sink has seen."""
    sinks: tuple[SinkSettings, ...] = ()
    """Where checkpoints go, so that the owner of this machine alone cannot cut the log unnoticed."""
    public: bool = False
    """Serve the signed head, hashes and proofs under `/ledger/`: how many records there are, and nothing of them."""
    retention: dict[RetentionClass, Period] = {}
    """How long the records of each class are kept before `vitrine audit purge` may empty them. A class that is not
    named is kept for ever, and nothing is purged but by that command."""


class PolicySettings(Section):
    directory: Location | None = None
    """Site policies, `*.cedar`. The core set is inside the program and cannot be switched off."""
    unlabelled_documents: Literal["withhold", "show"] = "withhold"
    """Documents for which no label speaks."""


class Limits(Section):
    """May tighten the built-in quotas, never widen: a view is not an extractor."""

    patients_per_person_hour: int = Field(default=60, ge=1, le=60)
    consultations_per_person_hour: int = Field(default=600, ge=1, le=600)
    resources_per_consultation: int = Field(default=1000, ge=1, le=1000)


class NoAuth(Section):
    kind: Literal["none"] = "none"


class BasicAuth(Section):
    kind: Literal["basic"]
    username: Text
    password_file: Location


class BearerAuth(Section):
    kind: Literal["bearer"]
    token_file: Location


class ClientCredentialsAuth(Section):
    kind: Literal["client_credentials"]
    client_id: Text
    client_secret_file: Location
    token_url: ExactUrl
    scope: Text | None = None


Auth = Annotated[NoAuth | BasicAuth | BearerAuth | ClientCredentialsAuth, Discriminator("kind")]


class Issuer(Section):
    """An authorization server whose access tokens count."""

    issuer: ExactUrl
    jwks_uri: ExactUrl | None = None
    """Where the keys are; by default the issuer's discovery document says."""
    advertised: bool = False
    """The one that our discovery documents describe; needed where there are several."""
    tokens: Literal["jwt"] = "jwt"
    audiences: tuple[Text, ...] = ()
    """Default: `public_base`/fhir, or the base of the feed that is asked."""
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"], ...] = (
        "RS256",
        "ES256",
    )
    types: tuple[Text, ...] = ("at+jwt",)
    """The `typ` header, compared without case and without `application/`."""
    claims: Literal["smart"] = "smart"
    subjects: Literal["by-claim", "professionals"] = "by-claim"
    """`professionals`: every subject whose token shows a login (`auth_time` or `sid`) is one."""


class ClientSettings(Section):
    id: Text
    renders_only: bool = False
    """The controller's word that this client displays and never stores. Without it: no structured data."""
    default_purpose: Literal["TREAT"] | None = None
    """The purpose of a token that names none."""


class Auditors(Section):
    claim: Text
    values: tuple[Text, ...] = Field(min_length=1)


class LaunchSettings(Section):
    """The viewer, as an app registered at this EHR."""

    client_id: Text
    auth: dict[str, Any] = Field(default_factory=lambda: {"kind": "public"})
    frame_ancestors: tuple[Url, ...] = ()


class Ehr(Section):
    """A source of tokens and patients; the tenant in every record."""

    id: Id
    fhir_base: Url
    auth: Auth = NoAuth()
    """The gateway's own credential there, to read a patient's identifiers for the match."""
    auditors: Auditors | None = None
    """Who may read the log by token; nobody by default."""
    issuer: tuple[Issuer, ...] = Field(min_length=1)
    client: tuple[ClientSettings, ...] = ()
    launch: LaunchSettings | None = None


class IdentifierMatch(Section):
    by: Literal["identifier"] = "identifier"
    systems: tuple[Text, ...] = Field(min_length=1)
    """Identifier systems that both sides are trusted for."""


class SameIdMatch(Section):
    by: Literal["same-id"]
    shares_patient_ids_with: Id
    """The EHR whose patient ids the feed uses as its own."""


class Title(Section):
    fr: Text
    en: Text


class FeedSettings(Section):
    """What every kind of feed has.

    `match = "same-id"` with `shares_patient_ids_with` beside it says the same as
    `match = { by = "same-id", shares_patient_ids_with = "…" }`.
    """

    id: Id
    title: Title | None = None
    match: Annotated[IdentifierMatch | SameIdMatch, Discriminator("by")]
    types: tuple[Literal[CONSULTABLE], ...] = CONSULTABLE  # type: ignore[valid-type]
    """Resource types that are asked of this feed; all that the gateway knows by default."""

    @model_validator(mode="before")
    @classmethod
    def _match_in_one_table(cls, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        beside = {name: value for name, value in entry.items() if name != "shares_patient_ids_with"}
        match = {"by": entry["match"]} if isinstance(entry.get("match"), str) else entry.get("match")
        if not isinstance(match, dict) or match.get("by") != "same-id":
            return {**entry, "match": match} if "match" in entry else entry
        shared = {name: entry[name] for name in entry.keys() - beside.keys() - match.keys()}
        return {**beside, "match": {**match, **shared}}


class FhirRest(FeedSettings):
    kind: Literal["fhir-rest"]
    base: Url
    auth: Auth = NoAuth()


class BundleFolder(FeedSettings):
    kind: Literal["bundle-folder"]
    path: Location


FeedEntry = Annotated[FhirRest | BundleFolder, Discriminator("kind")]

RESERVED_FEED_IDS = frozenset({"metadata"})
"""Would hide an address of our own under `/fhir`."""


class Settings(Section):
    public_base: Annotated[Url, AfterValidator(_base)]
    """The only source of our own URLs and of our audience."""
    listen: HostPort = "127.0.0.1:8080"
    ops_listen: HostPort = "127.0.0.1:9090"
    """/healthz /readyz /metrics, never on `listen`."""
    workers: int | None = Field(default=None, ge=1, le=64)
    """Processes; one per core by default."""
    state_dir: Location = Field(default=Path("state"), validate_default=True)
    """Sessions and counters; never results."""
    key_file: Location = Field(default=Path("secrets/vitrine.keys"), validate_default=True)
    """Seals links and sessions; `vitrine config init` makes it."""
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Networks whose X-Forwarded-For counts."""
    cors_origins: tuple[Url, ...] = ()
    demo: bool = False
    """Accept test identities (INS test roots)."""
    ledger: LedgerSettings = Field(default_factory=dict, validate_default=True)
    policies: PolicySettings = PolicySettings()
    limits: Limits = Limits()
    ehr: tuple[Ehr, ...] = Field(min_length=1)
    feed: tuple[FeedEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_are_distinct(self) -> Self:
        for kind, ids in (("ehr", [e.id for e in self.ehr]), ("feed", [f.id for f in self.feed])):
            if len(set(ids)) != len(ids):
                raise ValueError(f"two [[{kind}]] have the same id")
        if reserved := RESERVED_FEED_IDS & {f.id for f in self.feed}:
            raise ValueError(f"feed id '{min(reserved)}' is reserved")
        return self

    @model_validator(mode="after")
    def _tokens_select_one_ehr(self) -> Self:
        """(issuer, client) must name one EHR, or a token could open another hospital's patients."""
        seen: set[tuple[str, str]] = set()
        for ehr in self.ehr:
            if len({i.issuer for i in ehr.issuer}) != len(ehr.issuer):
                raise ValueError(f"ehr '{ehr.id}' names an issuer twice")
            for pair in ((i.issuer, c.id) for i in ehr.issuer for c in ehr.client):
                if pair in seen:
                    raise ValueError(f"client '{pair[1]}' of issuer '{pair[0]}' does not select one ehr")
                seen.add(pair)
        return self

    @model_validator(mode="after")
    def _one_issuer_is_advertised(self) -> Self:
        issuers = [issuer for ehr in self.ehr for issuer in ehr.issuer]
        if len({i.issuer for i in issuers}) > 1 and len({i.issuer for i in issuers if i.advertised}) != 1:
            raise ValueError("ehr.issuer.advertised: of several issuers exactly one must be advertised")
        return self

    @model_validator(mode="after")
    def _feeds_share_ids_with_known_ehrs(self) -> Self:
        for feed in self.feed:
            if isinstance(feed.match, SameIdMatch) and feed.match.shares_patient_ids_with not in {
                e.id for e in self.ehr
            }:
                raise ValueError(f"feed.match.shares_patient_ids_with of feed '{feed.id}' names no [[ehr]]")
        return self

    def advertised_issuer(self) -> Issuer:
        """The issuer that discovery documents describe."""
        issuers = [issuer for ehr in self.ehr for issuer in ehr.issuer]
        return next((i for i in issuers if i.advertised), issuers[0])


MAX_FILE_BYTES = 1 << 20
"""A configuration is written by hand; a larger file is some other file."""


def load(path: Path) -> Settings:
    """Read and check the file at `path`. Raises SettingsError with one sentence."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SettingsError(f"{path} is larger than a configuration file can be")
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        raise SettingsError(f"cannot read the configuration file {path}: {reason}") from error
    except (ValueError, RecursionError) as error:  # besides its own: a number of thousands of digits, endless nesting
        raise SettingsError(f"{path} is not TOML: {error}") from error
    return validated(document, path)


def validated(document: dict[str, Any], path: Path) -> Settings:
    """The settings that a parsed file holds. Raises SettingsError with one sentence."""
    try:
        return Settings.model_validate(document, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise SettingsError(f"{path.name}: {sentence(error)}") from error


OTHERS = stat.S_IRWXO | stat.S_IWGRP
"""Nobody but the owner, and for reading the group, may touch a secret."""

MAX_SECRET_BYTES = 64 * 1024


def read_secret(path: Path, key: str) -> str:
    """The stripped text of the secret file that `key` names. Raises SettingsError: absent, empty, open to others."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{key}: {path} is not a file")
        if status.st_mode & OTHERS:
            raise SettingsError(f"{key}: {path} can be read or changed by others; chmod 600 it")
        if status.st_size > MAX_SECRET_BYTES:
            raise SettingsError(f"{key}: {path} is too large for a secret")
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{key}: {path} is not text") from error
    except OSError as error:
        raise SettingsError(f"{key}: cannot read {path}: {error.strerror}") from error
    if not text:
        raise SettingsError(f"{key}: {path} is empty")
    return text
