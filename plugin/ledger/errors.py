"""What can go wrong with a ledger, by what happened. Messages name files, positions and sizes, never content."""


class LedgerError(Exception):
    """Anything that the ledger could not do. Whoever meets one while recording releases nothing."""


class LedgerUnavailable(LedgerError):
    """A record could not be made durable now: it may or may not be there."""


class StorageFailed(LedgerUnavailable):
    """The storage reported an I/O error. What it holds is unknown: this process writes nothing more and should end."""


class KeyUnavailable(LedgerUnavailable):
    """The private key file is missing, unreadable, readable by others, or holds no Ed25519 key."""


class LedgerBroken(LedgerError):
    """What is stored cannot be continued: the head, the records and the signature do not fit together."""


class LedgerExists(LedgerError):
    """A ledger or a key stands where a new one was to be made; nothing was touched."""


class LedgerUnreadable(LedgerError):
    """The file is no ledger, or could not be read: whether it is intact cannot be told."""


class LedgerMissing(LedgerUnreadable):
    """There is no ledger at this place. It is never made by the way: that would start a second history."""


class NetworkFileSystem(LedgerError):
    """The path lies on a file system whose locks and syncs another machine answers for."""


class KeyInvalid(LedgerError):
    """A text that is no key in the form of C2SP signed-note, or a name that such a key cannot have."""


class CheckpointInvalid(LedgerError):
    """A text that is no checkpoint, or that carries no good signature of the key asked for."""


class RecordInvalid(LedgerError):
    """What the caller gave has no JSON form, so nothing was recorded."""


class ProofInvalid(LedgerError):
    """A proof that is malformed, or that does not prove what it should."""


class SinkFailed(LedgerError):
    """A sink did not take a checkpoint now. It is offered the newest one again."""


class SinkForked(LedgerError):
    """A sink holds a checkpoint that this ledger does not continue: cut, replaced, or a second history. An alarm."""
