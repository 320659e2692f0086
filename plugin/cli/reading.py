"""Reading the log's content from the command line: asked of the gateway as by any reader, recorded with its reason."""

from collections.abc import Callable

import click

from plugin import assembly
from plugin.audit.feed import LogRelease
from plugin.cli.custody import stated
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.given import operator
from plugin.errors import ConsultError, RecordUnavailable
from plugin.event import new_request_id
from plugin.ledger.errors import KeyUnavailable, LedgerUnavailable
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
    return _LogReader(settings).ask


class _LogReader:
    """Asks a gateway, and a new one once the ledger of that one can append no more: the key was rotated, a disk failed.

    As in `serve`, where a worker ends then and its successor begins with the start checks.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._who = operator()
        self._ended = False
        try:
            self._assembled = self._assemble()
        except SettingsError as error:
            raise Failure(str(error), CANNOT) from error

    def ask(self, asked: AuditConsultation) -> LogRelease:
        """Ask once. Ends the command where the ledger cannot be continued with the key that there is."""
        if self._ended:
            self._begin_anew()
        return self._assembled.gateway.consult(self._who, asked, Origin(new_request_id(), "local", "cli"))

    def _assemble(self) -> assembly.Assembled:
        assembly.check_file_sinks(self._settings)
        return assembly.assemble(self._settings, self._end)

    def _end(self, _problem: str) -> None:
        self._ended = True

    def _begin_anew(self) -> None:
        try:
            assembled = self._assemble()
            assembly.check_ledger(assembled.ledger)
        except SettingsError as error:
            cause = error.__cause__
            if isinstance(cause, LedgerUnavailable) and not isinstance(cause, KeyUnavailable):
                raise RecordUnavailable from error  # it may be there again the next time
            raise Failure(str(error), CANNOT) from error
        self._assembled.ledger.close()
        self._assembled, self._ended = assembled, False
