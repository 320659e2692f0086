"""What is said of a lost ledger, in the first record of the one that follows it and to the operator."""

from plugin.event import LostBody
from plugin.ledger.recovery import LastKnown


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
