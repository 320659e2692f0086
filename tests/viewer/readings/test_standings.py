"""What keeps a report from being final is told as exactly as its source says it."""

import pytest

from tests.viewer.readings.lines import printed_row


@pytest.mark.parametrize(
    ("status", "french", "english"),
    [
        ("registered", "en attente", "awaited"),
        ("partial", "partiel, provisoire", "partial, preliminary"),
        ("preliminary", "provisoire", "preliminary"),
        ("final", "", ""),
        ("corrected", "corrigé", "corrected"),
        ("amended", "modifié", "amended"),
        ("appended", "complété", "appended"),
        ("cancelled", "annulé", "cancelled"),
        (None, "statut non précisé", "status not stated"),
        ("local", "Code local", "Code local"),
    ],
)
def test_each_status_of_a_report_has_its_word(status: str | None, french: str, english: str) -> None:
    """A report that lacks a part is not the same as one that nobody has signed yet."""
    tree = {"resourceType": "DiagnosticReport"} | ({"status": status} if status else {})
    assert (printed_row(tree, "fr").status, printed_row(tree, "en").status) == (french, english)
