"""`[policies]` and `[limits]`: what the site decides."""

from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from plugin.settings.values import Id, Location, Network, Section, Text, Whole


class PolicySettings(Section):
    directory: Location | None = None
    """Site policies, `*.cedar`. The core set is inside the program and cannot be switched off."""
    set: Literal["france-dmp-like", "insurer-history", "strict"] | None = None
    """A ready-made set, beside the core and the site's own (docs/policies)."""
    tables: Location | None = None
    """Tables of sensitive codes, `*.csv`: one of a shipped table's name replaces it, others stand beside."""
    network_zones: dict[Id, Annotated[tuple[Network, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Networks by the name of their zone, for rules that ask where a caller sits."""
    unlabelled_documents: Literal["withhold", "show"] = "withhold"
    """Documents for which no label speaks."""

    @field_validator("network_zones")
    @classmethod
    def _one_zone_a_network(cls, zones: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """The smaller of two networks that overlap names the zone; of two that are equal, neither could."""
        networks = [ip_network(text) for named in zones.values() for text in named]
        if len(set(networks)) != len(networks):
            raise ValueError("one network stands in two zones, or twice in one")
        return zones


def _role(value: str) -> str:
    system, _, code = value.rpartition("|")
    if not system or not code:
        raise ValueError("is not system|code")
    return value


class TighterLimits(Section):
    """Quotas of some people, below the general ones: of whom a token gives the role, who use the client, or both."""

    role: Annotated[str, Field(max_length=1024), AfterValidator(_role)] | None = None
    """`system|code`, as the rules have it."""
    client: Text | None = None
    """One that the configuration lists."""
    patients_per_person_hour: Whole | None = Field(default=None, ge=1, le=60)
    consultations_per_person_hour: Whole | None = Field(default=None, ge=1, le=600)

    @model_validator(mode="after")
    def _says_whose_and_what(self) -> Self:
        if self.role is None and self.client is None:
            raise ValueError("must name role, client, or both")
        if self.patients_per_person_hour is None and self.consultations_per_person_hour is None:
            raise ValueError("must give patients_per_person_hour, consultations_per_person_hour, or both")
        return self


class Limits(Section):
    """May tighten the built-in quotas, never widen: a view is not an extractor."""

    patients_per_person_hour: Whole = Field(default=60, ge=1, le=60)
    consultations_per_person_hour: Whole = Field(default=600, ge=1, le=600)
    resources_per_consultation: Whole = Field(default=1000, ge=1, le=1000)
    tighter: tuple[TighterLimits, ...] = ()
    """The tightest of all that hold for somebody counts."""
