"""The line for people says who looked at what, and a terminal stays a terminal."""

import pytest
from hypothesis import given

from plugin.audit.text import deleted_line, line
from tests.audit import bodies


def test_a_release_reads_as_a_sentence() -> None:
    """Who, whom, where, how much."""
    assert line(bodies.header(), bodies.consultation()) == (
        "     7  2026-03-02T08:15:03.120Z  released     consultation:released  Dr Alma Roy <u-123> via results-pane"
        "  patient hospital/p1  feed city-lab  search-type Observation?patient=p1&category=laboratory"
        "  2 released, 1 withheld, 3 foreign"
    )


def test_a_page_of_a_document_is_named() -> None:
    """Each page that was opened is a look of its own."""
    asked = {"interaction": "read", "query": "DocumentReference/9", "file": 2, "page": 3}
    assert "read DocumentReference/9 file 2 page 3" in line(bodies.header(), bodies.consultation(asked=asked))


def test_a_deleted_record_says_so_and_no_more() -> None:
    """Whether it was a release or a refusal, and of whom, nobody knows any more."""
    assert deleted_line(bodies.header()) == "     7  2026-03-02T08:15:03.120Z  deleted after its period"


def test_a_refusal_says_why() -> None:
    """The reason is a key, the same as in the answer."""
    found = line(bodies.header(), bodies.consultation("consultation:denied", "create", reason="view-only"))
    assert "refused" in found
    assert found.endswith("(view-only)")


def test_callers_and_readings_of_the_log_have_their_own_words() -> None:
    """A count; what the operator searched for, and the reason that was given."""
    assert "41 callers of facade: invalid-token" in line(bodies.header(), bodies.callers())
    assert "AuditEvent?_position=ge0 because: yearly review" in line(bodies.header(), bodies.log_reading())
    whole = bodies.log_reading(asked={"interaction": "search-type", "log_reason": "yearly review"})
    assert "via vitrine-cli  because: yearly review" in line(bodies.header(), whole)


@pytest.mark.parametrize("name", ["\x1b[2Jroot", "two\nlines", "a\u202eb", "\u2028"])
def test_a_name_from_a_token_cannot_command_the_terminal(name: str) -> None:
    """Names are the identity provider's words, not ours."""
    found = line(bodies.header(), bodies.consultation(person={"subject": "u", "name": name}))
    assert found.isprintable()


@pytest.mark.parametrize("blanks", ["  ", "\t ", "\u00a0\u2003", "     "])
def test_a_subject_cannot_imitate_the_columns(blanks: str) -> None:
    """Columns end with two blanks, and nothing inside one has two."""
    subject = f"u{blanks}patient hospital/p9{blanks}feed city-lab"
    found = line(bodies.header(), bodies.consultation(person={"subject": subject}))
    assert "  u patient hospital/p9 feed city-lab via results-pane  patient hospital/p1  " in found


@given(bodies.any_body)
def test_every_record_is_one_printable_line(body: bodies.Body) -> None:
    """One odd record must not stop a listing."""
    assert line(bodies.header(), body).isprintable()
