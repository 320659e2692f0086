"""When the certificates end by which the gateway shows feeds and EHRs who it is."""

from datetime import UTC, datetime, timedelta

from plugin import sources
from plugin.settings.document import Settings

NOTICE = timedelta(days=30)
"""What a new one takes where somebody must be asked for it."""


def ends_of(settings: Settings) -> dict[str, datetime]:
    """Key of the configuration -> until when its certificate is good. Raises SettingsError."""
    return {key: identity.ends_at for key, identity in sources.own_certificates(settings)}


def ending(key: str, ends_at: datetime) -> str | None:
    """A sentence for a certificate that has ended, or does soon; None for one that is good for long."""
    if ends_at >= datetime.now(UTC) + NOTICE:
        return None
    return f"{key}: the certificate is good until {ends_at:%Y-%m-%d %H:%M} UTC; the next counts from a restart on"
