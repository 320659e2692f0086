"""Whether a ledger is lost, wherever it is; and what is said of a lost one, in the first record of the one that follows
it and to the operator.
"""

from pathlib import Path

from plugin import assembly
from plugin.cli.failure import NO, Failure
from plugin.event import LostBody
from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader
from plugin.ledger.recovery import LastKnown
from plugin.ledger.rotation import current_key
from plugin.ledger.store import Opening
from plugin.ledger.verify import verify
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.secret import read_secret


def refuse_intact(
    settings: Settings, there: Path | Opening, lost: tuple[type[LedgerError], ...] = (LedgerError,)
) -> LedgerError | None:
    """What says that the ledger is lost, if it is one of `lost`; None where its verification does.

    Raises Failure if it is sound, SettingsError if others read its key or its sinks cannot be told, and each other
    LedgerError. Only reads: what is lost stays as it is.
    """
    key_file = settings.ledger.key_file
    if key_file.exists():
        read_secret(key_file, "ledger.key_file")  # one that is open to others is mended, not lost
    try:
        chain = Reader(there).keys()
        current_key(key_file, chain)
        assembly.check_sinks(settings)
        report = verify(there, chain.current)
    except lost as error:
        return error
    except SettingsError as error:
        if not isinstance(error.__cause__, lost):
            raise
        return error.__cause__
    if report.problem is None:
        raise Failure("the ledger is unbroken and can be continued: there is nothing to recover", NO)
    return None


def lost_body(reason: str, known: LastKnown | None) -> LostBody:
    """Without what is left of it, which depends on where it was."""
    lost: LostBody = {"reason": reason}
    if known is not None:
        lost["origin"] = known.stated.origin
        lost["vkey"] = known.vkey
        lost["size"] = known.stated.size
        lost["root"] = known.stated.root.hex()
        lost["checkpoint"] = known.note
        lost["found_in"] = known.found_in
    return lost


def what_is_known(lost: LostBody) -> str:
    """Half a sentence on its last known head."""
    return f"its last known head has {lost['size']:,} records" if "size" in lost else "nothing is known of its head"
