"""What a request's headers amount to before anybody is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.authentication.credential import BearerToken, MalformedCredential, NoCredential, from_authorization

BEARER = BearerToken("abc.def-_~+/==", "city-lab")


@pytest.mark.parametrize(
    ("values", "elsewhere", "expected"),
    [
        ([], False, NoCredential()),
        (["Bearer abc.def-_~+/=="], False, BEARER),
        (["bEARER   abc.def-_~+/== "], False, BEARER),
        (["Basic dXNlcjpwYXNz"], False, NoCredential()),
        (["DPoP abc"], False, NoCredential()),
        (["Negotiate"], False, NoCredential()),
        ([], True, MalformedCredential()),
        (["Bearer abc"], True, MalformedCredential()),
        (["Bearer abc", "Bearer abc"], False, MalformedCredential()),
        (["Basic abc", "Bearer abc"], False, MalformedCredential()),
        (["Bearer abc, Bearer abc"], False, MalformedCredential()),
        (["Bearer abc,Basic abc"], False, MalformedCredential()),
        (["Basic abc, Bearer abc"], False, MalformedCredential()),
        (["Bearer"], False, MalformedCredential()),
        (["Bearer "], False, MalformedCredential()),
        (["Bearer a b"], False, MalformedCredential()),
        (["Bearer é"], False, MalformedCredential()),
        (["Bearer =abc"], False, MalformedCredential()),
        (["Bearer\tabc"], False, MalformedCredential()),
        ([""], False, MalformedCredential()),
        (["abc.def"], False, NoCredential()),
    ],
)
def test_one_bearer_token_in_the_header_is_a_credential_and_no_second_way_is(values, elsewhere, expected):
    """RFC 6750: a token in two places, or two tokens, would leave it to chance who is asking."""
    assert from_authorization(values, elsewhere=elsewhere, feed="city-lab") == expected


def test_a_token_does_not_stand_in_its_repr():
    """Reprs end in tracebacks and logs."""
    assert "abc" not in repr(BEARER)


@given(st.lists(st.text(), max_size=3), st.booleans())
def test_any_header_amounts_to_some_credential(values, elsewhere):
    """The header is the first text of a stranger that the gateway reads."""
    from_authorization(values, elsewhere=elsewhere, feed=None)
