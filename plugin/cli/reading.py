"""Reading the log's content from the command line: asked of the gateway as by any reader, recorded with its reason."""

from collections.abc import Callable

import click

from plugin import assembly
from plugin.audit.feed import LogRelease
from plugin.cli.custody import stated
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.given import operator
from plugin.errors import ConsultError
from plugin.event import new_request_id
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from policies.vocabulary.consultation import AuditConsultation, Origin

REASON = click.option("--reason", required=True, metavar="TEXT", help="Why the content is read; recorded.")


def read(settings: Settings, asked: AuditConsultation) -> LogRelease:
    """Ask once, or end the command."""
    ask = reader(settings, asked.reason)
    try:
        return ask(asked)
    except ConsultError as error:
        raise Failure(str(error), CANNOT) from error


def reader(settings: Settings, reason: str) -> Callable[[AuditConsultation], LogRelease]:
    """What asks, each time under a request id of its own; a ConsultError passes. Ends the command without a reason."""
    stated(reason)
    try:
        gateway = assembly.assemble(settings).gateway
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error
    who = operator()
    return lambda asked: gateway.consult(who, asked, Origin(new_request_id(), "local", "cli"))
