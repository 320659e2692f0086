"""The allow-list: for no text whatever does it name a place outside, as the HTTP client would read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyreqwest.http import Url

from fhir_adapters.interface import FeedLinkRefused
from fhir_adapters.reach import MAX_ADDRESS_LENGTH, Address, Reach

REACH = Reach.of("https://lab.example/fhir")

WORDS = "https: http: // / \\ lab.example LAB.example other.example @ : :443 :80 ? # fhir .. . ; é a=1 &"
ENCODED = "%2e %2E%2e %2f %5c %00 \u2024 \u3002"
PIECES = st.sampled_from([*WORDS.split(" "), *ENCODED.split(" "), " ", "\t", "\n"])
LINKS = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=60))


@given(LINKS)
def test_a_resolved_link_is_under_the_base_for_the_client_too(link: str) -> None:
    """The judge and the one who connects must not read an address differently."""
    try:
        address = REACH.resolve(link)
    except FeedLinkRefused:
        return
    url = Url(str(address))
    assert (url.scheme, url.host_str, url.port_or_known_default) == ("https", "lab.example", 443)
    assert url.path == "/fhir" or url.path.startswith("/fhir/")
    assert not url.username
    assert REACH.resolve_relative(REACH.relative(address)) == address


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_names_and_values_never_leave_their_place(segment: str, name: str, value: str) -> None:
    try:
        address = REACH.below("Observation", segment, parameters=((name, value),))
        REACH.judge(str(address))
    except FeedLinkRefused:
        return
    url = Url(str(address))
    assert url.path.startswith("/fhir/Observation/")
    assert url.path.count("/") == 3
    assert url.query_pairs == [(name, value)]


@pytest.mark.parametrize(
    "base",
    [
        "lab.example/fhir",
        "ftp://lab.example/fhir",
        "https://",
        "https://user@lab.example/fhir",
        "https://lab.example/fhir?tenant=1",
        "https://lab.example/fhir#x",
        "https://lab.example/a/../fhir",
        "https://lab.example:0/fhir",
        "https://lab.example:70000/fhir",
        "https://lab.éxample/fhir",
        "https://lab.example/fhir/%2e%2e",
        "https://lab.example/" + "a" * MAX_ADDRESS_LENGTH,
    ],
)
def test_a_base_that_could_be_read_in_two_ways_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Reach.of(base)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("https://lab.example:443/fhir/", "https://lab.example/fhir"),
        ("HTTPS://LAB.Example/fhir", "https://lab.example/fhir"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:80/fhir", "http://[::1]/fhir"),
    ],
)
def test_an_address_has_one_form(text: str, same: str) -> None:
    assert Reach.of(text).base == same


def test_the_case_of_a_path_matters() -> None:
    with pytest.raises(FeedLinkRefused):
        REACH.judge("https://lab.example/FHIR/Patient")


def test_a_whole_host_can_be_a_base() -> None:
    reach = Reach.of("https://lab.example")
    assert str(reach.resolve("?_getpages=1")) == "https://lab.example/?_getpages=1"
    assert str(reach.below("metadata")) == "https://lab.example/metadata"


def test_parts_put_together_by_hand_are_judged_as_well() -> None:
    """The socket asks `holds` of whatever address it is given."""
    assert not REACH.holds(Address("https", "lab.example", 443, "/fhir/../admin"))
    assert not REACH.holds(Address("https", "lab.example", 443, "/fhir", "a#b c"))
    assert REACH.holds(Address("https", "lab.example", 443, "/fhir/Patient/1"))
