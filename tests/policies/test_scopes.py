"""Scopes are a ceiling: whatever is not understood grants nothing, and nothing is understood as more than it says."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.scope_check import within
from policies.vocabulary.scopes import MAX_SCOPES, Ceiling, Restriction, parse

TYPES = ("Observation", "Patient", "Condition")


def allowed(scope: str, *, letter: str = "s", resource_type: str = "Observation", launch: bool = True) -> bool:
    return parse(scope).ceiling(resource_type, letter, launch_patient=launch).allowed


@pytest.mark.parametrize(
    ("scope", "reads", "searches"),
    [
        ("patient/Observation.rs", True, True),
        ("patient/Observation.r", True, False),
        ("patient/Observation.s", False, True),
        ("patient/Observation.cruds", True, True),
        ("patient/Observation.read", True, True),
        ("patient/Observation.*", True, True),
        ("patient/*.read", True, True),
        ("user/*.rs", True, True),
        ("http://smarthealthit.org/fhir/scopes/patient/Observation.rs", True, True),
        ("patient/Observation.rs?category=laboratory", True, True),
        # grants neither
        ("patient/Observation.write", False, False),
        ("patient/Observation.cud", False, False),
        ("patient/Observation.c", False, False),
        ("patient/Observation.sr", False, False),
        ("patient/Observation.rx", False, False),
        ("patient/Observation.RS", False, False),
        ("patient/Observation.rrs", False, False),
        ("patient/Observation.", False, False),
        ("patient/Observation", False, False),
        ("patient/Observation.rs?", False, False),
        ("patient/Observation.rs?_tag=x", False, False),
        ("patient/Observation.rs?category:in=x", False, False),
        ("patient/Observation.rs?category=a,b", False, False),
        ("patient/Observation.rs?category=a%2Cb", False, False),
        ("patient/Observation.rs?category=", False, False),
        ("patient/Observation.rs?category", False, False),
        ("patient/Observation.rs?category=a&", False, False),
        ("patient/Observation.rs?category=" + "a" * 1025, False, False),
        ("patient/Observation.rs#x", False, False),
        ("patient/Condition.rs", False, False),
        ("system/*.rs", False, False),
        ("PATIENT/Observation.rs", False, False),
        ("patient/observation.rs", False, False),
        ("https://smarthealthit.org/fhir/scopes/patient/Observation.rs", False, False),
        ("http://evil.example/patient/*.rs", False, False),
        ("launch/patient", False, False),
        ("launch openid fhirUser", False, False),
        ("", False, False),
    ],
)
def test_what_a_scope_grants(scope: str, reads: bool, searches: bool) -> None:
    """SMART App Launch 2.2, v1 and v2; the second half is the point."""
    assert (allowed(scope, letter="r"), allowed(scope, letter="s")) == (reads, searches)


@pytest.mark.parametrize(
    "scope",
    [
        "patient/*.rs patient/Observation.rs?_tag=x",
        "patient/*.rs patient/Observation.q",
        "patient/Observation.rs?date=gt2020 patient/*.rs",
        "patient/*.rs patient/*.rs?value=1",
        "patient/*.rs patient/?x",
        "patient/*.cud\tpatient/*.rs",
        "patient/Condition.r\u2003patient/*.rs",
    ],
)
def test_a_form_that_is_not_implemented_takes_its_type_out_of_use(scope: str) -> None:
    """To ignore the part that narrows would widen what was granted."""
    assert not allowed(scope)


def test_patient_scopes_count_only_with_a_patient_in_context() -> None:
    """Without one they would mean everybody."""
    assert not allowed("patient/*.rs", launch=False)
    assert allowed("user/*.rs", launch=False)


def test_restrictions_add_up_until_one_scope_has_none() -> None:
    """Each scope grants by itself."""
    one, two = "patient/Observation.rs?category=laboratory", "patient/Observation.rs?status=final&code=a|b"
    both = parse(f"{one} {two}").ceiling("Observation", "s", launch_patient=True)
    assert both.restrictions == (
        Restriction((("category", "laboratory"),)),
        Restriction((("status", "final"), ("code", "a|b"))),
    )
    assert parse(f"{one} patient/*.rs").ceiling("Observation", "s", launch_patient=True) == Ceiling(True)


def test_a_list_is_read_like_a_string_and_anything_else_is_refused() -> None:
    """Servers send both."""
    assert parse(["patient/*.rs", "openid"]) == parse("patient/*.rs openid")
    for wrong in ([1], ["patient/*.rs", None], "x " * (MAX_SCOPES + 1)):
        with pytest.raises(ValueError, match="scope"):
            parse(wrong)  # type: ignore[arg-type]


WORD = st.one_of(
    st.builds(
        "{}/{}.{}{}".format,
        st.sampled_from(["patient", "user", "system", "launch", "Patient", ""]),
        st.sampled_from([*TYPES, "*", "observation", "Obs*", ""]),
        st.text("cruds*xwrite ", max_size=5) | st.sampled_from(["read", "write", "*", "rs"]),
        st.sampled_from(["", "?", "?category=x", "?_tag=x", "?category=x&y=z", "?code=a,b", "?status"]),
    ),
    st.text(max_size=30),
)


@given(WORD, st.sampled_from(TYPES), st.sampled_from("rs"), st.booleans())
@example("patient/Observation.rs?category=x&_tag=y", "Observation", "s", True)
def test_one_word_never_grants_more_than_it_says(word: str, resource_type: str, letter: str, launch: bool) -> None:
    """Checked against the word itself, by other means than the parser's."""
    ceiling = parse([word]).ceiling(resource_type, letter, launch_patient=launch)
    if not ceiling.allowed:
        return
    bare, asked, query = word.removeprefix("http://smarthealthit.org/fhir/scopes/").partition("?")
    level, _, rest = bare.partition("/")
    named, _, letters = rest.partition(".")
    assert level == "user" or (level == "patient" and launch)
    assert named in (resource_type, "*")
    assert letters in ("read", "*") or letter in letters
    assert letters in ("read", "*") or letters == "".join(each for each in "cruds" if each in letters)
    if asked:
        assert [f"{name}={value}" for name, value in ceiling.restrictions[0].pairs] == query.split("&")
        assert {name for name, _ in ceiling.restrictions[0].pairs} <= {"category", "code", "status"}


@given(st.lists(WORD, max_size=5), WORD, st.sampled_from(TYPES))
def test_a_word_that_grants_nothing_alone_grants_nothing_in_company(
    words: list[str], added: str, resource_type: str
) -> None:
    """Words do not combine into more."""
    alone = any(parse([word]).ceiling(resource_type, "s", launch_patient=True).allowed for word in [*words, added])
    assert alone or not parse([*words, added]).ceiling(resource_type, "s", launch_patient=True).allowed


LABORATORY: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "category": [{"coding": [{"system": "s", "code": "laboratory"}]}, {"coding": None}, "exam", 3],
    "code": {"coding": [{"code": "bare"}]},
}


@pytest.mark.parametrize(
    ("name", "value", "inside"),
    [
        ("category", "laboratory", True),
        ("category", "s|laboratory", True),
        ("category", "s|", True),
        ("category", "t|laboratory", False),
        ("category", "|laboratory", False),
        ("category", "exam", True),
        ("category", "imaging", False),
        ("code", "bare", True),
        ("code", "|bare", True),
        ("code", "s|bare", False),
        ("status", "final", True),
        ("status", "http://hl7.org/fhir/observation-status|final", True),
        ("status", "amended", False),
    ],
)
def test_a_restriction_is_enforced_on_the_resource(name: str, value: str, inside: bool) -> None:
    """Token search of R4 3.1.1.4.10; the feed's own filter is not believed."""
    assert within([Restriction(((name, value),))], LABORATORY) is inside


def test_all_pairs_of_one_restriction_or_none() -> None:
    """A union of scopes, an intersection within each."""
    good, bad = ("status", "final"), ("category", "imaging")
    assert within([], LABORATORY)
    assert not within([Restriction((good, bad))], LABORATORY)
    assert within([Restriction((bad,)), Restriction((good,))], LABORATORY)
    assert within([Restriction((("code", "2160-0"),))], {"vaccineCode": {"coding": [{"code": "2160-0"}]}})


SHAPES = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["coding", "code", "system"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["status", "category", "code"]), SHAPES))
def test_no_shape_upsets_the_check(resource: dict[str, Any]) -> None:
    """A resource that cannot be understood is outside."""
    for name in ("status", "category", "code"):
        within([Restriction(((name, "s|x"),))], resource)
