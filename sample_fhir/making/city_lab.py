"""The city laboratory's folder: who was seen there, when, and the results that are not plain draws."""

from decimal import Decimal

from making import shared_record
from making.datatypes import (
    V2_0074,
    coding,
    concept,
    interpretation,
    labels,
    loinc,
    meta,
    moment,
    quantity,
    reference,
    snomed,
)
from making.laboratory import (
    ALT,
    BASE,
    BIOLOGIST,
    CHEMISTRY,
    CREATININE,
    CRP,
    FERRITIN,
    GLUCOSE,
    HAEMATOLOGY,
    HAEMOGLOBIN,
    HBA1C,
    LABORATORY,
    LEUCOCYTES,
    PATIENT_SYSTEM,
    PLATELETS,
    POTASSIUM,
    TSH,
    Analyte,
    Course,
    Draw,
    draws,
    measured,
    observation,
    panel_report,
    specimen,
)
from making.people import (
    ALMA,
    AMBIGUOUS_TWIN,
    HELOISE,
    JEAN_BAPTISTE,
    KOFI,
    NOE,
    OLGA,
    SIOBHAN,
    STRANGER,
    WEI,
    YOUSSEF,
    ZOE,
    Patient,
    feed_patient,
)
from making.writing import Resource

__all__ = ["BASE", "files"]

QUARTERS = ("2024-11-18", "2025-02-17", "2025-05-19", "2025-08-18", "2025-11-17",
            "2026-02-16", "2026-05-18", "2026-08-17", "2026-11-16")  # fmt: skip
HALF_YEARS = ("2024-11-25", "2025-05-12", "2025-11-24", "2026-05-11", "2026-11-09")

SENSITIVE = labels("R", "HIV")
NEGATIVE = snomed("260385009", "Negative")
POSITIVE = snomed("10828004", "Positive")
HIV_ANTIBODY = loinc("56888-1", "HIV 1+2 Ab+HIV1 p24 Ag")
HIV_ANTIBODY_RAPID = loinc("75622-1", "HIV 1 and 2 tests")
HEPATITIS_B = loinc("5195-3", "Hepatitis B surface Ag")
SYPHILIS = loinc("22587-0", "Treponema pallidum Ab")


def files() -> dict[str, list[Resource]]:
    """File name -> resources."""
    return {
        "organization": _organization(),
        "lab-20417": _alma(),
        "lab-20418": _heloise(),
        "lab-20419": _drawn(YOUSSEF, HALF_YEARS, {ALT: ("24", "61"), TSH: ("2.10", "4.60")}),
        "lab-20420": _drawn(WEI, HALF_YEARS, {CREATININE: ("1.00", "1.30"), FERRITIN: ("180", "410")}),
        "lab-20421": _noe(),
        "lab-20422-and-20423": _two_files_on_jean_baptiste(),
        "lab-20424": _drawn(ZOE, ("2026-03-02",), {}),
        "lab-20425": _drawn(SIOBHAN, ("2026-04-20",), {HAEMOGLOBIN: ("10.9", "10.9"), FERRITIN: ("8", "8")}),
        "lab-20427": _drawn(OLGA, ("2026-01-12",), {}),
        "lab-20428": _drawn(KOFI, ("2026-06-15",), {}),
        "lab-20499": _drawn(STRANGER, ("2026-10-05",), {}),
        "shared-record": shared_record.resources(),
    }


def _person(patient: Patient, feed_id: str | None = None) -> Resource:
    managing = reference("Organization", LABORATORY)
    return feed_patient(patient, feed_id or patient.lab or "", PATIENT_SYSTEM, managing)


def _drawn(patient: Patient, days: tuple[str, ...], courses: dict[Analyte, Course]) -> list[Resource]:
    return [_person(patient), *draws(patient.lab or "", days, courses)]


def _organization() -> list[Resource]:
    name = [{"use": "official", "family": "Keïta", "given": ["Sylvain"], "prefix": ["Dr"]}]
    return [
        {"resourceType": "Organization", "id": LABORATORY, "active": True, "name": "Laboratoire du Beffroi"},
        {"resourceType": "Practitioner", "id": BIOLOGIST, "active": True, "name": name, "gender": "male"},
        {
            "resourceType": "Location",
            "id": "lab-loc-1",
            "status": "active",
            "name": "Salle de prélèvement, place du Beffroi",
            "managingOrganization": reference("Organization", LABORATORY),
        },
    ]


def _alma() -> list[Resource]:
    """Diabetes with falling kidney function, and the results whose status is not plain `final`."""
    courses = {
        CREATININE: ("0.80", "1.50"),
        GLUCOSE: ("1.26", "1.50"),
        HBA1C: ("7.0", "7.8"),
        POTASSIUM: ("4.10", "5.30"),
        CRP: ("3.0", "4.0"),
        HAEMOGLOBIN: ("12.6", "11.4"),
        LEUCOCYTES: ("6.80", "7.10"),
    }
    resources = _drawn(ALMA, QUARTERS, courses)
    by_id = {item["id"]: item for item in resources}
    newest = Draw(ALMA.lab or "", QUARTERS[-1])
    by_id[newest.observation_id(TSH.number)]["status"] = "preliminary"
    by_id[f"rep-{newest.stem}-1"]["status"] = "partial"
    haemolysed = by_id[Draw(ALMA.lab or "", "2026-05-18").observation_id(POTASSIUM.number)]
    haemolysed["status"] = "corrected"
    haemolysed["meta"] = meta(moment("2026-05-19", "09:30"), version="2")
    haemolysed["note"] = [{"text": "Résultat rectifié : premier tube hémolysé (6.20 mmol/L annoncé par erreur)."}]
    mistaken_draw = Draw(ALMA.lab or "", "2025-09-29")
    mistaken = measured(mistaken_draw, GLUCOSE, Decimal("0.30"), status="entered-in-error")
    return [*resources, specimen(mistaken_draw), mistaken, *_urine_culture()]


def _urine_culture() -> list[Resource]:
    """A report whose organism has an antibiogram as its member."""
    draw = Draw(ALMA.lab or "", "2026-06-22")
    urine = specimen(draw, "urine")
    on_urine = {"specimen": reference("Specimen", urine["id"])}
    count = quantity("1000000", "UFC/mL", "[CFU]/mL", ">=")
    colonies = observation(draw, 60, concept(text="Numération des colonies"), on_urine | {"valueQuantity": count})
    culture = loinc("630-4", "Bacteria identified in Urine by Culture")
    organism_value = {"valueCodeableConcept": snomed("112283007", "Escherichia coli")}
    members = {"hasMember": [reference("Observation", draw.observation_id(62))]}
    organism = observation(draw, 61, culture, on_urine | organism_value | interpretation_of("POS") | members)
    susceptibility = observation(
        draw, 62, loinc("50545-3", "Bacterial susceptibility panel"), on_urine | _antibiogram()
    )
    report = panel_report(
        draw,
        6,
        [colonies["id"], organism["id"], susceptibility["id"]],
        category=[concept(coding(V2_0074, "LAB", "Laboratory"), coding(V2_0074, "MB", "Microbiology"))],
        code=culture,
        specimen=[reference("Specimen", urine["id"])],
        conclusion="Infection urinaire à Escherichia coli, résistante à l'amoxicilline.",
    )
    return [urine, colonies, organism, susceptibility, report]


def interpretation_of(code: str) -> dict[str, object]:
    """The `interpretation` element, to be merged."""
    return {"interpretation": interpretation(code)}


def _antibiogram() -> dict[str, object]:
    tested = (
        ("18861-5", "Amoxicillin", "32", ">=", "R"),
        ("18862-3", "Amoxicillin+Clavulanate", "8.0", None, "I"),
        ("18906-8", "Ciprofloxacin", "0.25", "<=", "S"),
        ("18955-5", "Nitrofurantoin", "16", "<=", "S"),
        ("18998-5", "Trimethoprim+Sulfamethoxazole", "0.50", None, "S"),
    )
    return {
        "component": [
            {"code": loinc(code, display), "valueQuantity": quantity(mic, "mg/L", comparator=comparator)}
            | interpretation_of(result)
            for code, display, mic, comparator, result in tested
        ]
    }


def _heloise() -> list[Resource]:
    """Sensitive results, labelled at the source and not, alone and inside panels that no label speaks for."""
    first, second, third = (Draw(HELOISE.lab or "", day) for day in ("2025-03-11", "2026-02-10", "2026-08-25"))
    positive = {"valueCodeableConcept": POSITIVE} | interpretation_of("POS")
    negative = {"valueCodeableConcept": NEGATIVE} | interpretation_of("NEG")
    restricted = {"meta": meta(moment(first.day, "14:05"), security=SENSITIVE)}
    screening = [
        observation(first, 51, HEPATITIS_B, negative),
        observation(first, 52, SYPHILIS, negative),
        observation(first, 53, HIV_ANTIBODY, positive | restricted),
    ]
    members = [
        observation(second, 51, HEPATITIS_B, negative),
        observation(second, 53, HIV_ANTIBODY_RAPID, positive),
    ]
    group = {"hasMember": [reference("Observation", item["id"]) for item in members]}
    panel = observation(second, 50, concept(text="Sérologies, contrôle annuel"), group)
    below_threshold = {"valueQuantity": quantity("20", "copies/mL", "{copies}/mL", "<")} | interpretation_of("NEG")
    load = observation(
        third,
        54,
        loinc("20447-9", "HIV 1 RNA"),
        below_threshold | {"meta": meta(moment(third.day, "14:05"), security=SENSITIVE)},
    )
    serology = {"category": [concept(coding(V2_0074, "LAB", "Laboratory"), coding(V2_0074, "SR", "Serology"))]}
    return [
        *_drawn(HELOISE, HALF_YEARS, {PLATELETS: ("240", "171"), CRP: ("2.0", "1.5")}),
        *(specimen(draw) for draw in (first, second, third)),
        *screening,
        panel_report(first, 5, [item["id"] for item in screening], **serology),
        *members,
        panel,
        panel_report(second, 5, [panel["id"]], **serology),
        load,
        panel_report(third, 5, [load["id"]], **serology, meta=meta(moment(third.day, "14:10"), security=SENSITIVE)),
    ]


def _noe() -> list[Resource]:
    draw = Draw(NOE.lab or "", "2026-09-08")
    results = [measured(draw, analyte, Decimal(analyte.usual)) for analyte in HAEMATOLOGY]
    results.append(measured(draw, CRP, Decimal("48.0")))
    blood = specimen(draw)
    return [_person(NOE), blood, *results, panel_report(draw, 2, [item["id"] for item in results])]


def _two_files_on_jean_baptiste() -> list[Resource]:
    """The same INS and birth date on two Patients: which one is meant cannot be told."""
    twin = [
        _person(JEAN_BAPTISTE, AMBIGUOUS_TWIN),
        *draws(AMBIGUOUS_TWIN, ("2026-07-20",), {GLUCOSE: ("1.40", "1.40")}),
    ]
    return [*_drawn(JEAN_BAPTISTE, ("2025-10-13",), {CHEMISTRY[0]: ("1.20", "1.20")}), *twin]
