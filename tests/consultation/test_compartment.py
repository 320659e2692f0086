"""Confine: every form of reference that ties a resource to the patient, and every one that must not."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapters.interface import Entry
from plugin.consultation.compartment import CONTAINED_OUT_OF_SCOPE, OUT_OF_SCOPE, Compartment
from plugin.consultation.findings import Confined, Match
from policies.vocabulary import scopes

BASE = "https://lab.example/fhir"
INS, OWN = "urn:oid:1.2.250.1.213.1.4.8", "280015999090180"
MINE = {"system": INS, "value": OWN}
THEIRS = {"system": INS, "value": "999"}
MATCH = Match("lab-1", ((INS, OWN), ("urn:ipp", "77")), "identifier")
TYPES = (
    "Observation",
    "DiagnosticReport",
    "AllergyIntolerance",
    "Patient",
    "Specimen",
    "Condition",
    "DocumentReference",
)


def confine(*entries: Any, asked: str = "Observation", scope: str = "patient/*.rs", base: str = BASE) -> Confined:
    """What is kept of `entries`: resources, or (resource, fullUrl)."""
    grants = scopes.parse(scope)
    compartment = Compartment(MATCH, base, {asked}, TYPES, lambda name: grants.ceiling(name, "s", launch_patient=True))
    return compartment.confine([Entry(*each) if isinstance(each, tuple) else Entry(each) for each in entries])


def kept(*entries: Any, **how: Any) -> list[str]:
    return [each.reference for each in confine(*entries, **how).kept]


def observation(subject: Any = None, resource_id: str = "o1", **more: Any) -> dict[str, Any]:
    about = {"reference": "Patient/lab-1"} if subject is None else subject
    return {"resourceType": "Observation", "id": resource_id, "subject": about, **more}


def contained_patient(*identifiers: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", "identifier": list(identifiers)}


PATIENT = {"resourceType": "Patient", "id": "lab-1"}
ACCEPTED = {
    "relative": {"reference": "Patient/lab-1"},
    "absolute under the feed's base": {"reference": f"{BASE}/Patient/lab-1"},
    "absolute with a host in other letters": {"reference": "https://LAB.example/fhir/Patient/lab-1"},
    "absolute with the default port": {"reference": "https://lab.example:443/fhir/Patient/lab-1"},
    "versioned": {"reference": "Patient/lab-1/_history/3"},
    "absolute and versioned": {"reference": f"{BASE}/Patient/lab-1/_history/3"},
    "logical identifier": {"identifier": MINE},
    "logical identifier of another trusted system": {"identifier": {"system": "urn:ipp", "value": "77"}},
    "reference and identifier": {"reference": "Patient/lab-1", "identifier": MINE},
    "an identifier of a system that we do not know": {
        "reference": "Patient/lab-1",
        "identifier": {"system": "urn:other", "value": "1"},
    },
    "typed": {"reference": "Patient/lab-1", "type": "Patient", "display": "Alma"},
}


@pytest.mark.parametrize("subject", ACCEPTED.values(), ids=ACCEPTED)
def test_an_accepted_reference(subject: dict[str, Any]) -> None:
    """Design section 5."""
    assert kept(observation(subject)) == ["Observation/o1"]


REFUSED = {
    "another patient": {"reference": "Patient/lab-2"},
    "another patient of a similar id": {"reference": "Patient/lab-11"},
    "an id in other letters": {"reference": "Patient/LAB-1"},
    "another base": {"reference": "https://elsewhere.example/fhir/Patient/lab-1"},
    "a base that begins alike": {"reference": f"{BASE}-2/Patient/lab-1"},
    "another port": {"reference": "https://lab.example:8443/fhir/Patient/lab-1"},
    "another scheme": {"reference": "http://lab.example/fhir/Patient/lab-1"},
    "a base in other letters": {"reference": "https://lab.example/FHIR/Patient/lab-1"},
    "user info": {"reference": "https://x@lab.example/fhir/Patient/lab-1"},
    "a place below the base": {"reference": f"{BASE}/x/Patient/lab-1"},
    "a doubled slash": {"reference": f"{BASE}//Patient/lab-1"},
    "a query": {"reference": "Patient/lab-1?x"},
    "a fragment": {"reference": "Patient/lab-1#x"},
    "a conditional reference": {"reference": f"Patient?identifier={INS}|{OWN}"},
    "blanks": {"reference": " Patient/lab-1"},
    "a line break": {"reference": "Patient/lab-1\n"},
    "a group": {"reference": "Group/lab-1"},
    "a reference called a group": {"reference": "Patient/lab-1", "type": "Group"},
    "an identifier of a practitioner": {"identifier": MINE, "type": "Practitioner"},
    "an identifier that contradicts": {"reference": "Patient/lab-1", "identifier": THEIRS},
    "an identifier that is none": {"reference": "Patient/lab-1", "identifier": [MINE]},
    "somebody's identifier": {"identifier": THEIRS},
    "an identifier without system": {"identifier": {"value": OWN}},
    "a display": {"display": "Alma Zahra"},
    "a urn that is not in the answer": {"reference": "urn:uuid:0"},
    "a contained resource that is not there": {"reference": "#p"},
    "an empty fragment": {"reference": "#"},
    "nothing": {},
    "a list": [{"reference": "Patient/lab-1"}],
    "a string": "Patient/lab-1",
    "a number as reference": {"reference": 1},
    "null": {"reference": None},
}


@pytest.mark.parametrize("subject", REFUSED.values(), ids=REFUSED)
def test_a_refused_reference(subject: Any) -> None:
    """Dropped and counted, never guessed."""
    found = confine(observation(subject))
    assert (found.kept, found.foreign) == ((), 1)


def test_no_subject_at_all() -> None:
    """A result of nobody is nobody's to look at."""
    assert kept({"resourceType": "Observation", "id": "o1"}) == []


def test_a_urn_is_resolved_through_the_full_url() -> None:
    """Bundles name their members so."""
    urn = "urn:uuid:4fe8e4a0-0000-4000-8000-000000000001"
    mine, theirs = (PATIENT, urn), ({"resourceType": "Patient", "id": "lab-2"}, urn)
    assert kept(mine, observation({"reference": urn})) == ["Observation/o1"]
    assert kept(theirs, observation({"reference": urn})) == []
    assert kept(mine, theirs, observation({"reference": urn})) == [], "whom it means cannot be told"
    assert kept(mine, mine, observation({"reference": urn})) == ["Observation/o1"]


def test_what_comes_again_counts_once_and_by_each_of_its_names() -> None:
    """A source that makes its answers up names the patient anew on every page, and results by that name."""
    pages = [
        part
        for number in range(3)
        for part in ((PATIENT, f"urn:uuid:{number}"), observation({"reference": f"urn:uuid:{number}"}, f"o{number}"))
    ]
    found = confine(*pages)
    assert [each.reference for each in found.kept] == ["Observation/o0", "Observation/o1", "Observation/o2"]
    assert found.foreign == 1  # the Patient, once


def test_what_comes_again_is_known_by_all_that_it_says() -> None:
    """Pages of a source shift: the order of its members makes no other resource, a digit does."""
    one, other = observation(valueQuantity={"value": Decimal("1.5")}), observation(valueQuantity={"value": Decimal(2)})
    again = dict(reversed(list(one.items())))
    assert kept(one, again, other, one) == ["Observation/o1", "Observation/o1"]
    assert kept((one, "https://elsewhere.example/Observation/o1"), one) == ["Observation/o1"]


def test_a_contained_patient_counts_by_its_identifiers() -> None:
    """It has no address; several contained patients must all be ours."""
    subject = {"reference": "#p"}
    assert kept(observation(subject, contained=[contained_patient(MINE)])) == ["Observation/o1"]
    for identifiers in ([THEIRS], [], [MINE, THEIRS], [{"value": OWN}], ["x"]):
        assert kept(observation(subject, contained=[contained_patient(*identifiers)])) == []
    assert kept(observation(subject, contained=[contained_patient(MINE), contained_patient(THEIRS)])) == []
    assert kept(observation(subject, contained={"id": "p"})) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/fhir/Observation/o1",
        f"{BASE}/Observation/o2",
        f"{BASE}/Condition/o1",
        f"{BASE}/x/Observation/o1",
        "Observation/o2",
    ],
)
def test_an_entry_that_says_it_lives_elsewhere_is_foreign(url: str) -> None:
    """Its relative references would mean other patients; R4 5.3 has fullUrl and id agree."""
    assert kept((observation(), url)) == []


@pytest.mark.parametrize("url", [None, f"{BASE}/Observation/o1", "Observation/o1", "urn:uuid:1"])
def test_an_entry_at_home_is_kept(url: str | None) -> None:
    """Or without a fullUrl, as in a read."""
    assert kept((observation(), url)) == ["Observation/o1"]


def test_a_patient_elsewhere_lends_its_address_to_nobody() -> None:
    """Ids are unique on one server only: `lab-1` there is somebody else."""
    there = "https://elsewhere.example/fhir/Patient/lab-1"
    assert kept((PATIENT, there), observation({"reference": there})) == []


def test_a_feed_without_a_base_keeps_the_addresses_of_its_files() -> None:
    """A folder of Bundles from a server that we do not know."""
    there = "http://old.example/fhir/Patient/lab-1"
    assert kept((PATIENT, there), observation({"reference": there}), base="") == ["Observation/o1"]
    assert kept(observation({"reference": there}), base="") == []
    assert kept((PATIENT, "Patient/lab-2"), observation({"reference": "Patient/lab-2"}), base="") == []


def test_a_childs_allergy_that_our_patient_reported_is_not_our_patients() -> None:
    """The R4 compartment would follow recorder and asserter."""
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "a1",
        "patient": {"reference": "Patient/child"},
        "recorder": {"reference": "Patient/lab-1"},
        "asserter": {"reference": "Patient/lab-1"},
    }
    assert kept(allergy, asked="AllergyIntolerance") == []
    assert kept({**allergy, "patient": {"reference": "Patient/lab-1"}}, asked="AllergyIntolerance") == [
        "AllergyIntolerance/a1"
    ]


def test_only_the_type_asked_for_is_kept() -> None:
    """A feed that returns everything of the patient has not been asked for it."""
    assert kept({**observation(), "resourceType": "Condition"}) == []
    assert kept(PATIENT, {"resourceType": "Patient", "id": "lab-2"}, asked="Patient") == ["Patient/lab-1"]


PRACTITIONER = {"resourceType": "Practitioner", "id": "dr"}
ROLE = {
    "resourceType": "PractitionerRole",
    "id": "role",
    "practitioner": {"reference": "Practitioner/dr"},
    "organization": {"reference": f"{BASE}/Organization/lab"},
}
ORGANIZATION = {"resourceType": "Organization", "id": "lab"}


def test_companions_come_only_beside_a_kept_referrer() -> None:
    """Directly, or through another companion."""
    by_role = observation(performer=[{"reference": "PractitionerRole/role"}])
    found = kept(by_role, PRACTITIONER, ROLE, ORGANIZATION)
    assert found[:2] == ["Observation/o1", "PractitionerRole/role"]
    assert set(found[2:]) == {"Practitioner/dr", "Organization/lab"}
    assert kept(observation(), PRACTITIONER, ROLE, ORGANIZATION) == ["Observation/o1"]
    foreign = observation({"reference": "Patient/lab-2"}, performer=[{"reference": "PractitionerRole/role"}])
    assert confine(foreign, PRACTITIONER, ROLE).foreign == 3
    assert kept(PRACTITIONER) == []


def test_companions_without_scope_are_left_out_and_their_referrer_stays() -> None:
    """A name that the token does not grant is not a secret of the result."""
    by = observation(performer=[{"reference": "Practitioner/dr"}])
    assert kept(by, PRACTITIONER, scope="patient/Observation.rs") == ["Observation/o1"]
    narrow = confine(by, PRACTITIONER, scope="patient/Observation.rs patient/Practitioner.rs?status=active")
    assert [(each.reference, each.withheld_by) for each in narrow.kept] == [("Observation/o1", None)]
    assert narrow.foreign == 1


@pytest.mark.parametrize(
    ("about", "comes"),
    [
        ({}, True),
        ({"subject": {"reference": "Patient/lab-1"}}, True),
        ({"subject": {"reference": "Patient/lab-2"}}, False),
        ({"subject": {"display": "x"}}, False),
        ({"subject": None}, False),
    ],
)
def test_a_specimen_comes_along_unless_it_is_somebody_elses(about: dict[str, Any], comes: bool) -> None:
    """It may be about nobody."""
    specimen = {"resourceType": "Specimen", "id": "s1", **about}
    found = kept(observation(specimen={"reference": "Specimen/s1"}), specimen)
    assert found == ["Observation/o1", "Specimen/s1"][: 2 if comes else 1]


def fate(*inside: Any, scope: str = "patient/*.rs", **more: Any) -> str | None:
    return confine(observation(contained=list(inside), **more), scope=scope).kept[0].withheld_by


def test_what_is_contained_must_fit_by_itself() -> None:
    """Else a container would carry out what may not be asked for."""
    mine = {"reference": "Patient/lab-1"}
    assert fate() is None
    assert fate({"resourceType": "Practitioner", "id": "x"}) is None
    assert fate({"resourceType": "Condition", "id": "x", "subject": mine}) is None
    assert (
        fate({"resourceType": "Condition", "id": "x", "subject": {"reference": "#p"}}, contained_patient(MINE)) is None
    )


@pytest.mark.parametrize(
    "inside",
    [
        {"resourceType": "Immunization", "id": "x", "patient": {"reference": "Patient/lab-1"}},
        {"resourceType": "Condition", "id": "x", "subject": {"reference": "Patient/lab-2"}},
        {"resourceType": "Condition", "id": "x", "subject": {"reference": "#q"}},
        {"resourceType": "DocumentReference", "id": "x", "subject": {"reference": "Patient/lab-1"}},
        {"resourceType": "Device", "id": "x", "patient": {"reference": "Patient/lab-2"}},
        contained_patient(THEIRS),
        contained_patient(),
        {"resourceType": "Practitioner", "id": "x", "contained": []},
        {"resourceType": "Condition", "id": "x", "contained": [{"resourceType": "Practitioner"}]},
        {"id": "x"},
        {"resourceType": ["Practitioner"]},
        "Practitioner",
        None,
    ],
)
def test_what_does_not_fit_withholds_its_container(inside: Any) -> None:
    """A type that the feed is not asked for, another patient, a nested resource, a document, or no resource at all.

    Into a contained document no rule could look.
    """
    assert fate(inside) == CONTAINED_OUT_OF_SCOPE


def test_contained_types_need_the_scope_too() -> None:
    """Also where the scope is restricted."""
    condition = {"resourceType": "Condition", "id": "x", "clinicalStatus": {}}
    assert fate(condition, scope="patient/Observation.rs") == CONTAINED_OUT_OF_SCOPE
    assert fate(condition, scope="patient/Observation.rs patient/Condition.rs") is None
    restricted = "patient/Observation.rs patient/Condition.rs?category=problem"
    assert fate(condition, scope=restricted) == CONTAINED_OUT_OF_SCOPE


@pytest.mark.parametrize("inside", [{}, None, "x", 1])
def test_contained_that_is_no_list_withholds(inside: Any) -> None:
    """Nobody can tell what a reader would find in it."""
    assert confine(observation(contained=inside)).kept[0].withheld_by == CONTAINED_OUT_OF_SCOPE


@pytest.mark.parametrize("name", ["component", "foo"])
def test_a_resource_that_stands_anywhere_else_withholds(name: str) -> None:
    """It is no FHIR, and nothing judges it: it could be about anybody."""
    condition = {"resourceType": "Condition", "id": "x", "subject": {"reference": "Patient/lab-2"}}
    for value in (condition, [condition], {"resource": condition}, [[condition]]):
        assert confine(observation(**{name: value})).kept[0].withheld_by == CONTAINED_OUT_OF_SCOPE


def test_a_result_outside_the_restriction_of_the_scope_is_withheld() -> None:
    """The feed's own filter is not believed."""
    scope = "patient/Observation.rs?status=final"
    assert confine(observation(status="final"), scope=scope).kept[0].withheld_by is None
    assert confine(observation(status="amended"), scope=scope).kept[0].withheld_by == OUT_OF_SCOPE


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["Patient/lab-1", "#p", "Patient", INS, OWN, "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["reference", "identifier", "system", "value", "type", "resourceType", "id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["subject", "contained", "patient", "performer", "status"]), JSON))
def test_no_shape_upsets_the_step(elements: dict[str, Any]) -> None:
    """One crooked resource must not take the others with it, and never gets through by being crooked."""
    found = confine({"resourceType": "Observation", "id": "odd", **elements}, observation())
    assert "Observation/o1" in [each.reference for each in found.kept]
    subject = elements.get("subject")
    if not isinstance(subject, dict) or subject.keys().isdisjoint({"reference", "identifier"}):
        assert found.foreign == 1


URN = "urn:uuid:4fe8e4a0-0000-4000-8000-000000000001"
ENTRIES = st.lists(
    st.builds(
        Entry,
        st.sampled_from(
            [
                observation(),
                observation({"reference": URN}, "o2", performer=[{"reference": "Practitioner/dr"}]),
                observation({"reference": "Patient/lab-2"}, "o3"),
                PATIENT,
                {"resourceType": "Patient", "id": "lab-2"},
                PRACTITIONER,
                {"resourceType": "Specimen", "id": "s1", "subject": {"reference": URN}},
            ]
        ),
        st.sampled_from([None, URN, "urn:uuid:0", f"{BASE}/Observation/o1", f"{BASE}/Patient/lab-1"]),
    ),
    max_size=5,
)


@given(ENTRIES, ENTRIES)
def test_what_was_looked_up_is_judged_as_if_it_had_been_there_at_first(
    entries: list[Entry], looked_up: list[Entry]
) -> None:
    """An answer is not walked through again for it; but a name that it brings may say whose a result is."""
    compartment = Compartment(MATCH, BASE, {"Observation"}, TYPES, lambda _: scopes.Ceiling(allowed=True))
    alone = compartment.confine(entries)
    assert compartment.widened(alone, entries, looked_up) == compartment.confine(entries, looked_up)


def test_what_one_resource_holds_is_never_taken_for_what_another_does() -> None:
    """Python gives the id of what is gone to what comes next."""
    compartment = Compartment(MATCH, BASE, {"Observation"}, TYPES, lambda _: scopes.Ceiling(allowed=True))
    for number in map(str, range(100)):
        code = {"coding": [{"system": "urn:tests", "code": number}]}
        assert compartment.contents_of(observation(code=code)).codings == {("urn:tests", number)}
