"""The city laboratory's chemistry and haematology: two years of draws, each with a specimen and two panels."""

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from making.datatypes import (
    LOINC,
    OBSERVATION_CATEGORY,
    V2_0074,
    coding,
    concept,
    interpretation,
    loinc,
    meta,
    moment,
    quantity,
    reference,
    snomed,
)
from making.writing import Resource

BASE = "https://lab.example/fhir"
PATIENT_SYSTEM = "https://lab.example/fhir/identifier/patient"
REPORT_SYSTEM = "https://lab.example/fhir/identifier/report"
LABORATORY = "lab-org-1"
BIOLOGIST = "lab-prac-11"

SPECIMENS = {"blood": snomed("122555007", "Venous blood"), "urine": snomed("122575003", "Urine")}

SEED = 20261124
"""Any number would do; another one rewrites every value."""


@dataclass(frozen=True, slots=True)
class Analyte:
    """What is measured, in which unit, and the range that the laboratory prints (None: no such bound)."""

    number: int
    """Last part of the ids of its observations."""
    code: str
    display: str
    text: str
    unit: str
    ucum: str
    low: str | None
    high: str | None
    usual: str
    """A value of somebody healthy; its decimals are those of every value."""


CREATININE = Analyte(1, "2160-0", "Creatinine", "Créatinine", "mg/dL", "mg/dL", "0.50", "1.10", "0.80")
GLUCOSE = Analyte(2, "2339-0", "Glucose", "Glycémie", "g/L", "g/L", "0.70", "1.10", "0.90")
HBA1C = Analyte(3, "4548-4", "Hemoglobin A1c", "HbA1c", "%", "%", "4.0", "6.0", "5.3")
POTASSIUM = Analyte(4, "2823-3", "Potassium", "Potassium", "mmol/L", "mmol/L", "3.50", "5.10", "4.10")
SODIUM = Analyte(5, "2951-2", "Sodium", "Sodium", "mmol/L", "mmol/L", "136", "145", "140")
CRP = Analyte(6, "1988-5", "C reactive protein", "CRP", "mg/L", "mg/L", None, "5.0", "2.0")
ALT = Analyte(7, "1742-6", "Alanine aminotransferase", "ALAT", "U/L", "U/L", "7", "35", "22")
FERRITIN = Analyte(8, "2276-4", "Ferritin", "Ferritine", "µg/L", "ug/L", "15", "150", "60")
TSH = Analyte(9, "3016-3", "Thyrotropin", "TSH", "mU/L", "mU/L", "0.40", "4.00", "1.80")
HAEMOGLOBIN = Analyte(11, "718-7", "Hemoglobin", "Hémoglobine", "g/dL", "g/dL", "12.0", "16.0", "13.6")
LEUCOCYTES = Analyte(12, "6690-2", "Leukocytes", "Leucocytes", "G/L", "10*9/L", "4.00", "10.00", "6.40")
PLATELETS = Analyte(13, "777-3", "Platelets", "Plaquettes", "G/L", "10*9/L", "150", "400", "250")

CHEMISTRY = (CREATININE, GLUCOSE, HBA1C, POTASSIUM, SODIUM, CRP, ALT, FERRITIN, TSH)
HAEMATOLOGY = (HAEMOGLOBIN, LEUCOCYTES, PLATELETS)

Course = tuple[str, str]
"""An analyte's first and last value over the draws; what lies between follows, with a little noise."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One blood sample of one patient."""

    patient: str
    day: str

    @property
    def stem(self) -> str:
        """`20417-261116`: what the ids of this draw's resources share."""
        return f"{self.patient.removeprefix('lab-')}-{self.day[2:].replace('-', '')}"

    def observation_id(self, number: int) -> str:
        """`obs-20417-261116-04`."""
        return f"obs-{self.stem}-{number:02d}"


def draws(patient: str, days: tuple[str, ...], courses: dict[Analyte, Course]) -> list[Resource]:
    """All specimens, observations and panels of `patient` on `days`; an analyte without a course stays near usual."""
    resources: list[Resource] = []
    values = {
        analyte: _course(patient, analyte, courses.get(analyte, (analyte.usual, analyte.usual)), len(days))
        for analyte in CHEMISTRY + HAEMATOLOGY
    }
    for index, day in enumerate(days):
        draw = Draw(patient, day)
        resources.append(specimen(draw))
        for number, panel in enumerate((CHEMISTRY, HAEMATOLOGY), start=1):
            observations = [measured(draw, analyte, values[analyte][index]) for analyte in panel]
            resources += [*observations, panel_report(draw, number, [item["id"] for item in observations])]
    return resources


def _course(patient: str, analyte: Analyte, course: Course, count: int) -> list[Decimal]:
    """`count` values from first to last of `course`. The ends are exact, so that tests can name them."""
    noise = random.Random(f"{SEED}/{patient}/{analyte.code}")
    first, last = Decimal(course[0]), Decimal(course[1])
    step = Decimal(1).scaleb(int(first.as_tuple().exponent))
    values = []
    for index in range(count):
        inner = 0 < index < count - 1
        between = first + (last - first) * index / max(1, count - 1)
        spread = int(abs(first) / step) // 25
        values.append(between.quantize(step) + (noise.randint(-spread, spread) * step if inner else 0))
    return values


def specimen(draw: Draw, kind: str = "blood") -> Resource:
    """The sample that a draw's observations were made on: one of `SPECIMENS`."""
    return {
        "resourceType": "Specimen",
        "id": f"spec-{draw.stem}-{kind}",
        "meta": meta(moment(draw.day, "08:20")),
        "status": "available",
        "type": SPECIMENS[kind],
        "subject": reference("Patient", draw.patient),
        "receivedTime": moment(draw.day, "08:20"),
        "collection": {"collectedDateTime": moment(draw.day, "07:45")},
    }


def observation(draw: Draw, number: int, code: dict[str, Any], content: dict[str, Any]) -> Resource:
    """A laboratory Observation on blood; `content` adds the value, and may replace status or meta."""
    return {
        "resourceType": "Observation",
        "id": draw.observation_id(number),
        "meta": meta(moment(draw.day, "14:05")),
        "status": "final",
        "category": [concept(coding(OBSERVATION_CATEGORY, "laboratory", "Laboratory"))],
        "code": code,
        "subject": reference("Patient", draw.patient),
        "effectiveDateTime": moment(draw.day, "07:45"),
        "issued": moment(draw.day, "14:00"),
        "performer": [reference("Organization", LABORATORY, "Laboratoire du Beffroi")],
        "specimen": reference("Specimen", f"spec-{draw.stem}-blood"),
    } | content


def measured(draw: Draw, analyte: Analyte, value: Decimal, **content: Any) -> Resource:
    """An Observation of one analyte, judged against its printed range."""
    code = concept(coding(LOINC, analyte.code, analyte.display), text=analyte.text)
    result = {
        "valueQuantity": quantity(format(value, "f"), analyte.unit, analyte.ucum),
        "interpretation": interpretation(_judge(analyte, value)),
        "referenceRange": [_range(analyte)],
    }
    return observation(draw, analyte.number, code, result | content)


def _judge(analyte: Analyte, value: Decimal) -> str:
    if analyte.high is not None and value > Decimal(analyte.high):
        return "H"
    return "L" if analyte.low is not None and value < Decimal(analyte.low) else "N"


def _range(analyte: Analyte) -> dict[str, Any]:
    bounds = {"low": analyte.low, "high": analyte.high}
    text = f"{analyte.low} - {analyte.high}" if analyte.low else f"< {analyte.high}"
    return {
        name: quantity(bound, analyte.unit, analyte.ucum) for name, bound in bounds.items() if bound is not None
    } | {"text": f"{text} {analyte.unit}"}


def panel_report(draw: Draw, number: int, results: list[str], **content: Any) -> Resource:
    """The DiagnosticReport of one panel: 1 chemistry, 2 haematology; others say their own code in `content`."""
    code = loinc("58410-2", "CBC panel") if number == 2 else loinc("11502-2", "Laboratory report")
    category = coding(V2_0074, "HM", "Hematology") if number == 2 else coding(V2_0074, "CH", "Chemistry")
    return {
        "resourceType": "DiagnosticReport",
        "id": f"rep-{draw.stem}-{number}",
        "meta": meta(moment(draw.day, "14:10")),
        "identifier": [{"system": REPORT_SYSTEM, "value": f"{draw.stem}-{number}"}],
        "status": "final",
        "category": [concept(coding(V2_0074, "LAB", "Laboratory"), category)],
        "code": code,
        "subject": reference("Patient", draw.patient),
        "effectiveDateTime": moment(draw.day, "07:45"),
        "issued": moment(draw.day, "14:10"),
        "performer": [reference("Organization", LABORATORY, "Laboratoire du Beffroi")],
        "resultsInterpreter": [reference("Practitioner", BIOLOGIST, "Dr Sylvain Keïta")],
        "specimen": [reference("Specimen", f"spec-{draw.stem}-blood")],
        "result": [reference("Observation", result) for result in results],
    } | content
