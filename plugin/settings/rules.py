"""`[policies]` and `[limits]`: what the site decides."""

from typing import Literal

from pydantic import Field

from plugin.settings.values import Location, Section


class PolicySettings(Section):
    directory: Location | None = None
    """Site policies, `*.cedar`. The core set is inside the program and cannot be switched off."""
    tables: Location | None = None
    """Tables of sensitive codes, `*.csv`: one of a shipped table's name replaces it, others stand beside."""
    unlabelled_documents: Literal["withhold", "show"] = "withhold"
    """Documents for which no label speaks."""


class Limits(Section):
    """May tighten the built-in quotas, never widen: a view is not an extractor."""

    patients_per_person_hour: int = Field(default=60, ge=1, le=60)
    consultations_per_person_hour: int = Field(default=600, ge=1, le=600)
    resources_per_consultation: int = Field(default=1000, ge=1, le=1000)
