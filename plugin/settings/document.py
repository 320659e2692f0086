"""The file as a whole: its own keys, and what its tables must agree on."""

import os
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from plugin.event import GATEWAY_TENANT, sole_tenant
from plugin.settings.alerts import AlertSettings
from plugin.settings.ehr import Ehr, Issuer
from plugin.settings.errors import WrongBelow
from plugin.settings.feed import RESERVED_FEED_IDS, FeedEntry, SameIdMatch
from plugin.settings.ledger import LedgerSettings
from plugin.settings.rules import Limits, PolicySettings
from plugin.settings.values import (
    BaseUrl,
    Flag,
    HostPort,
    Location,
    ProxyNetwork,
    Section,
    WebOrigin,
    Whole,
    as_origin,
    share_a_socket,
)


class Settings(Section):
    public_base: BaseUrl
    """The only source of our own URLs and of our audience."""
    listen: HostPort = "127.0.0.1:8080"
    ops_listen: HostPort = "127.0.0.1:9090"
    """/healthz /readyz /metrics, never on `listen`."""
    workers: Whole | None = Field(default=None, ge=1, le=64)
    """Processes; one per core by default."""
    state_dir: Location = Field(default=Path("state"), validate_default=True)
    """Sessions and counters; never results."""
    key_file: Location = Field(default=Path("secrets/vitrine.keys"), validate_default=True)
    """Seals links and sessions; `vitrine config init` makes it."""
    trusted_proxies: tuple[ProxyNetwork, ...] = ()
    """Networks whose X-Forwarded-For counts."""
    cors_origins: tuple[WebOrigin, ...] = ()
    """Whose pages may call the facade."""
    demo: Flag = False
    """Accept test identities (INS test roots)."""
    ledger: LedgerSettings = Field(default_factory=dict, validate_default=True)
    alerts: AlertSettings = AlertSettings()
    policies: PolicySettings = PolicySettings()
    limits: Limits = Limits()
    ehr: tuple[Ehr, ...] = Field(min_length=1)
    feed: tuple[FeedEntry, ...] = Field(min_length=1)

    @property
    def processes(self) -> int:
        """Those that serve."""
        return self.workers or os.cpu_count() or 1

    def tenant_of(self, issuer: str) -> str:
        """The EHR whose people an issuer knows; the gateway's own tenant where that is none, or several."""
        return sole_tenant({ehr.id for ehr in self.ehr if issuer in {each.issuer for each in ehr.issuer}})

    @model_validator(mode="after")
    def _metrics_are_elsewhere(self) -> Self:
        """What is for the operator alone must not stand where everybody asks, whichever came up first."""
        if share_a_socket(self.listen, self.ops_listen):
            raise WrongBelow("ops_listen", "must be another address than listen")
        return self

    @model_validator(mode="after")
    def _ids_are_distinct(self) -> Self:
        ehrs, feeds = [each.id for each in self.ehr], [each.id for each in self.feed]
        for kind, ids, reserved in (("ehr", ehrs, {GATEWAY_TENANT}), ("feed", feeds, RESERVED_FEED_IDS)):
            for number, each in enumerate(ids):
                if each in ids[:number]:
                    raise WrongBelow(f"{kind}.{number}.id", f"another [[{kind}]] has the same")
                if each in reserved:
                    raise WrongBelow(f"{kind}.{number}.id", f"'{each}' is reserved")
        return self

    @model_validator(mode="after")
    def _launches_have_an_address_each(self) -> Self:
        """`/launch/callback` is where every launch comes back to."""
        for number, ehr in enumerate(self.ehr):
            if ehr.launch is not None and ehr.id == "callback":
                raise WrongBelow(f"ehr.{number}.id", "'callback' cannot be the id of an EHR with [ehr.launch]")
        return self

    @model_validator(mode="after")
    def _tokens_select_one_ehr(self) -> Self:
        """(issuer, client) must name one EHR, or a token could open another hospital's patients."""
        seen: dict[tuple[str, str], str] = {}
        for number, ehr in enumerate(self.ehr):
            names = [issuer.issuer for issuer in ehr.issuer]
            for position, name in enumerate(names):
                if name in names[:position]:
                    raise WrongBelow(
                        f"ehr.{number}.issuer.{position}.issuer", "another issuer of this [[ehr]] is the same"
                    )
            for name in names:
                for position, client in enumerate(ehr.client):
                    place = f"ehr.{number}.client.{position}.id"
                    other = seen.setdefault((name, client.id), place)
                    if other != place:
                        raise WrongBelow(
                            place, f"'{client.id}' of issuer '{name}' does not select one [[ehr]]: {other} is the same"
                        )
        return self

    @model_validator(mode="after")
    def _one_issuer_takes_what_is_no_jwt(self) -> Self:
        """A token that says nothing of itself can be shown to one issuer only: to two, one would see the other's."""
        placed = self._placed_issuers()
        asked = [(place, issuer) for place, issuer in placed if issuer.tokens == "opaque"]
        if not asked:
            return self
        first, known = asked[0]
        for place, issuer in asked:
            if issuer.issuer != known.issuer:
                raise WrongBelow(f"{place}.tokens", f"at most one issuer may be 'opaque', and {first} is")
        for place, issuer in placed:
            if issuer.issuer == known.issuer and issuer.introspection != known.introspection:
                raise WrongBelow(
                    f"{place}.introspection",
                    f"one issuer is asked in one way, whichever EHR lists it: {first} says another",
                )
        return self

    @model_validator(mode="after")
    def _one_issuer_is_advertised(self) -> Self:
        placed = self._placed_issuers()
        if len({issuer.issuer for _, issuer in placed}) == 1:
            return self
        advertised = [(place, issuer) for place, issuer in placed if issuer.advertised]
        if not advertised:
            raise WrongBelow(f"{placed[0][0]}.advertised", "of several issuers exactly one must be advertised: none is")
        first, known = advertised[0]
        for place, issuer in advertised:
            if issuer.issuer != known.issuer:
                raise WrongBelow(
                    f"{place}.advertised", f"of several issuers exactly one must be advertised: {first} is, too"
                )
        return self

    def _placed_issuers(self) -> list[tuple[str, Issuer]]:
        """Those of all EHRs, each with its place in the file."""
        return [
            (f"ehr.{number}.issuer.{position}", issuer)
            for number, ehr in enumerate(self.ehr)
            for position, issuer in enumerate(ehr.issuer)
        ]

    @model_validator(mode="after")
    def _feeds_share_ids_with_known_ehrs(self) -> Self:
        known = {ehr.id for ehr in self.ehr}
        for number, feed in enumerate(self.feed):
            if isinstance(feed.match, SameIdMatch) and feed.match.shares_patient_ids_with not in known:
                raise WrongBelow(f"feed.{number}.match.shares_patient_ids_with", "names no [[ehr]]")
        return self

    @model_validator(mode="after")
    def _limits_are_of_known_clients(self) -> Self:
        """A mistyped client would tighten nobody's quota, unnoticed."""
        known = {client.id for ehr in self.ehr for client in ehr.client}
        known |= {ehr.launch.client_id for ehr in self.ehr if ehr.launch is not None}
        for number, each in enumerate(self.limits.tighter):
            if each.client is not None and each.client not in known:
                raise WrongBelow(f"limits.tighter.{number}.client", "names no [[ehr.client]] or [ehr.launch]")
        return self

    def advertised_issuer(self) -> Issuer:
        """The issuer that discovery documents describe."""
        issuers = [issuer for ehr in self.ehr for issuer in ehr.issuer]
        return next((i for i in issuers if i.advertised), issuers[0])

    def origin(self) -> str:
        """What browsers send of our own pages, however `public_base` is written."""
        return as_origin(self.public_base)
