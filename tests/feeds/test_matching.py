"""R4 search semantics, one comparison each: what a folder answers is what a server would."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapters.matching import UnsupportedSearch, compiled
from fhir_adapters.moments import sought, stretch
from fhir_adapters.search_table import SEARCH_PARAMETERS, Kind

LOINC = "http://loinc.org"
CONCEPT = {"coding": [{"system": LOINC, "code": "2160-0"}, {"code": "local,1|2"}]}


def matches(resource: dict[str, Any], *parameters: tuple[str, str], identities: dict[str, str] | None = None) -> bool:
    return compiled(resource["resourceType"], parameters)(resource, identities or {})


def observed(effective: Any = None, **elements: Any) -> dict[str, Any]:
    resource = {"resourceType": "Observation", "id": "o1", "code": CONCEPT, "status": "final"} | elements
    return resource if effective is None else resource | {"effectiveDateTime": effective}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2160-0", True),
        ("http://loinc.org|2160-0", True),
        ("http://loinc.org|", True),
        ("http://snomed.info/sct|", False),
        ("http://snomed.info/sct|2160-0", False),
        ("|2160-0", False),
        ("|local\\,1\\|2", True),
        ("local\\,1\\|2", True),
        ("other,2160-0", True),
        ("other,another", False),
        ("2160-O", False),
    ],
)
def test_a_token_is_system_and_code(value: str, expected: bool) -> None:
    assert matches(observed(), ("code", value)) is expected


@pytest.mark.parametrize(
    ("value", "expected"), [("final", True), ("final,amended", True), ("amended", False), ("http://x|final", True)]
)
def test_a_code_element_implies_its_system(value: str, expected: bool) -> None:
    assert matches(observed(), ("status", value)) is expected


@pytest.mark.parametrize("value", ["", ",", "a,", ",a", "|", "a|b|c"])
def test_a_token_that_says_nothing_is_refused(value: str) -> None:
    with pytest.raises(UnsupportedSearch):
        compiled("Observation", (("code", value),))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("urn:oid:1.2|123", True), ("123", True), ("urn:oid:1.2|", True), ("urn:oid:1.3|123", False), ("|123", False)],
)
def test_an_identifier_is_matched_by_system_and_value(value: str, expected: bool) -> None:
    """The patient match stands on it."""
    patient = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:oid:1.2", "value": "123"}]}
    assert matches(patient, ("identifier", value)) is expected


@pytest.mark.parametrize(
    ("parameter", "value", "reference", "expected"),
    [
        ("patient", "p1", "Patient/p1", True),
        ("patient", "Patient/p1", "Patient/p1", True),
        ("patient", "p1", "Patient/p1/_history/3", True),
        ("patient", "p1", "Patient/p11", False),
        ("patient", "p1", "Group/p1", False),
        ("patient", "p1", "http://other.example/Patient/p1", False),
        ("patient", "http://other.example/Patient/p1", "http://other.example/Patient/p1", True),
        ("patient", "http://other.example/Patient/p1", "Patient/p1", False),
        ("patient", "p1", "https://lab.example/fhir/Patient/p1", True),
        ("patient", "p1", "urn:uuid:0b1", True),
        ("patient", "p1", "urn:uuid:0b2", False),
        ("patient", "p1,p2", "Patient/p2", True),
        ("subject", "Patient/p1", "Patient/p1", True),
        ("subject", "p1", "Patient/p1", True),
        ("subject", "Group/p1", "Patient/p1", False),
        ("subject", "urn:uuid:0b2", "urn:uuid:0b2", True),
        ("encounter", "e1", "Patient/p1", False),
    ],
)
def test_a_reference_names_one_target(parameter: str, value: str, reference: str, expected: bool) -> None:
    resource = observed(subject={"reference": reference})
    held = {"https://lab.example/fhir/Patient/p1": "Patient/p1", "urn:uuid:0b1": "Patient/p1"}
    assert matches(resource, (parameter, value), identities=held) is expected


def test_patient_is_no_name_for_another_type() -> None:
    with pytest.raises(UnsupportedSearch):
        compiled("Observation", (("patient", "Group/1"),))


@pytest.mark.parametrize("subject", [None, "Patient/p1", {}, {"reference": 1}, {"display": "p1"}, [{"reference": "x"}]])
def test_a_resource_about_nobody_is_not_this_patients(subject: Any) -> None:
    assert not matches(observed(subject=subject), ("patient", "p1"))


@pytest.mark.parametrize(
    ("value", "found", "expected"),
    [
        # precision: the sought range holds the found one
        ("2026", "2026-03-05", True),
        ("2026-03", "2026-03-31T23:59:59.999Z", True),
        ("2026-03-05", "2026-03", False),
        ("2026-03-05T08:00", "2026-03-05T08:00:59Z", True),
        ("2026-03-05", "2026-03-05T23:30:00-05:00", False),  # the sixth in UTC
        ("eq2026-03-05T08:00:00Z", "2026-03-05T09:00:00+01:00", True),
        ("ne2026-03-05", "2026-03-05T08:00:00Z", False),
        ("ne2026-03-05", "2026-03", True),
        ("gt2026-03-05", "2026-03-05T08:00:00Z", False),
        ("gt2026-03-05", "2026-03-06", True),
        ("gt2026-03-05T07:00:00Z", "2026-03-05", True),
        ("ge2026-03-05", "2026-03-05T08:00:00Z", True),
        ("ge2026-03-05", "2026-03-04", False),
        ("lt2026-03-05", "2026-03-05", False),
        ("lt2026-03-05", "2026-03", True),
        ("le2026-03-05", "2026-03-05", True),
        ("le2026-03-05", "2026-03-06", False),
        ("sa2026-03-05", "2026-03-06", True),
        ("sa2026-03-05", "2026-03", False),
        ("eb2026-03-05", "2026-03-04T23:59:59Z", True),
        ("eb2026-03-05", "2026-03", False),
        ("ap2026-03", "2026-03-05", True),
        ("ap2026-03-05", "1926", False),
        ("9999-12-31", "9999-12-31", True),
        ("2026-02-01,2026-03-05", "2026-03-05", True),
    ],
)
def test_a_date_is_a_stretch_of_time(value: str, found: str, expected: bool) -> None:
    assert matches(observed(found), ("date", value)) is expected


@pytest.mark.parametrize(
    ("value", "period", "expected"),
    [
        ("2026-03", {"start": "2026-03-01", "end": "2026-03-31"}, True),
        ("2026-03", {"start": "2026-02-28", "end": "2026-03-31"}, False),
        ("ge2026-03", {"start": "2026-01-01"}, True),
        ("lt2026-03", {"start": "2026-01-01"}, True),
        ("gt2026-03", {"end": "2026-03-31"}, False),
        ("le2026-03", {"end": "2026-03-31"}, True),
        ("eb2026-03", {"end": "2026-02"}, True),
    ],
)
def test_a_period_is_a_stretch_with_open_sides(value: str, period: dict[str, str], expected: bool) -> None:
    assert matches(observed(effectivePeriod=period), ("date", value)) is expected


def test_a_schedule_counts_by_its_outer_limits() -> None:
    events = {"event": ["2026-03-01", "2026-03-20"], "code": {"text": "twice"}}
    assert matches(observed(effectiveTiming=events), ("date", "2026-03"))
    assert not matches(observed(effectiveTiming=events), ("date", "ge2026-04"))
    bounds = {"repeat": {"boundsPeriod": {"start": "2026-03-01", "end": "2026-03-20"}}}
    assert not matches(observed(effectiveTiming=bounds), ("date", "ge2026-04"))


@pytest.mark.parametrize("found", ["yesterday", "2026-02-30", "2026-13", 2026, {"start": "soon"}, {"repeat": {}}, {}])
def test_a_date_that_cannot_be_read_matches(found: Any) -> None:
    """Too much is judged by the callers; nobody would notice too little."""
    assert matches(observed(found), ("date", "2026-03"))


def test_a_resource_without_the_element_does_not_match() -> None:
    assert not matches(observed(), ("date", "ge1900"))


def test_repeated_parameters_must_all_match() -> None:
    between = (("date", "ge2026-03-01"), ("date", "lt2026-04-01"))
    assert matches(observed("2026-03-05"), *between)
    assert not matches(observed("2026-04-05"), *between)


@pytest.mark.parametrize("value", ["", "ge", "20", "2026-3", "2026-02-30", "2026-03-05T08", "xx2026", "2026-03-05 "])
def test_a_search_for_no_date_is_refused(value: str) -> None:
    with pytest.raises(UnsupportedSearch):
        compiled("Observation", (("date", value),))


@given(st.text(max_size=30))
def test_any_value_is_a_search_or_unsupported(text: str) -> None:
    for name in ("code", "date", "patient", "subject", "_id"):
        try:
            matches(observed("2026-03-05", subject={"reference": "Patient/p1"}), (name, text))
        except UnsupportedSearch:
            continue


@given(st.dates(), st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le", "sa", "eb"]), st.dates())
def test_whole_days_compare_as_days(wanted: Any, prefix: str, found: Any) -> None:
    """An oracle: for dates of one precision the prefixes are those of the calendar."""
    expected = {
        "eq": found == wanted,
        "ne": found != wanted,
        "gt": found > wanted,
        "ge": found >= wanted,
        "lt": found < wanted,
        "le": found <= wanted,
        "sa": found > wanted,
        "eb": found < wanted,
    }
    assert sought(f"{prefix}{wanted.isoformat()}").accepts(stretch(found.isoformat())) is expected[prefix]


def test_every_type_about_a_patient_has_the_patient_parameter() -> None:
    """The gateway asks every feed by patient."""
    about_nobody = {"Patient", "Practitioner", "Organization"}
    assert {name for name, known in SEARCH_PARAMETERS.items() if "patient" not in known} == about_nobody
    assert all({"_id", "_lastUpdated"} <= set(known) for known in SEARCH_PARAMETERS.values())


def test_every_path_exists_in_r4() -> None:
    """A mistyped element would never match, and nobody would notice."""
    from fhir.resources.R4B import get_fhir_model_class

    for resource_type, parameters in SEARCH_PARAMETERS.items():
        for name, parameter in parameters.items():
            for path in parameter.paths:
                model: Any = get_fhir_model_class(resource_type)
                for element in path.split("."):
                    fields = {field.alias or key: field for key, field in model.model_fields.items()}
                    assert element in fields, (resource_type, name, path)
                    model = next(
                        (found for found in _models(fields[element].annotation) if hasattr(found, "model_fields")), None
                    )
            assert parameter.kind in Kind


def _models(annotation: Any) -> list[Any]:
    """The classes that an annotation names, whatever lists and options it stands in."""
    from typing import get_args

    from fhir.resources.R4B import get_fhir_model_class

    if isinstance(annotation, type) and hasattr(annotation, "get_model_klass"):
        return [annotation.get_model_klass()]
    name = getattr(annotation, "__resource_type__", None)
    found = [get_fhir_model_class(name)] if name and name.isidentifier() and name != "Resource" else [annotation]
    for argument in get_args(annotation):
        found += _models(argument)
    return found
