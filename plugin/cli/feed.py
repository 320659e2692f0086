"""`vitrine feed`: whether the feeds can be reached, and what they say of themselves."""

from pathlib import Path

import click

from fhir_adapters.interface import Call, Deadline, FeedError
from plugin import sources
from plugin.audit.characters import printable
from plugin.cli.certificates import ending
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import settings_at
from plugin.settings.errors import SettingsError
from plugin.settings.feed import FeedEntry

CHECK_SECONDS = 15.0
"""A CapabilityStatement can be nearly two megabytes, and nobody's patient waits for it."""
MAX_SOFTWARE = 200
"""Characters of what a feed says of its software."""


@click.group()
def feed() -> None:
    """External sources of results."""


@feed.command()
@click.argument("feed_id", metavar="[ID]", required=False)
@click.pass_obj
def check(path: Path, feed_id: str | None) -> None:
    """Reach each feed (or the one named) and show its version, its software and what it offers.

    Warns of types that are asked of it and that it does not search.
    """
    settings = settings_at(path)
    chosen = [(entry, f"feed.{number}") for number, entry in enumerate(settings.feed) if feed_id in (None, entry.id)]
    if not chosen:
        raise Failure(f"no [[feed]] has the id '{feed_id}'", CANNOT)
    failed = [entry.id for entry, place in chosen if not _reached(entry, place)]
    if failed:
        raise Failure(f"not usable: {', '.join(failed)}", NO)


def _reached(entry: FeedEntry, place: str) -> bool:
    try:
        source = sources.feed(entry, place)
        own = sources.own_certificate(f"{place}.auth", getattr(entry, "auth", None))
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error
    if own is not None and (soon := ending(f"{place}.auth.certificate_file", own.ends_at)):
        click.echo(f"warning: {soon}", err=True)
    try:
        offer = source.check(Call(Deadline.after(CHECK_SECONDS), "feed-check"))
    except FeedError as error:
        click.echo(f"{entry.id}: {error}", err=True)
        return False
    version, software = printable(offer.fhir_version), printable(offer.software[:MAX_SOFTWARE]) or "unnamed software"
    click.echo(f"{entry.id}: FHIR {version}, {software}")
    for resource_type in entry.types:
        interactions = offer.types.get(resource_type)
        told = printable(", ".join(interactions)) if interactions else "not offered"
        click.echo(f"  {resource_type}: {told}")
    if missing := [each for each in entry.types if "search-type" not in offer.types.get(each, ())]:
        click.echo(
            f"warning: {entry.id}: no search of {', '.join(missing)}: leave out of its types what it does not have",
            err=True,
        )
    return True
