"""The invented patients: who they are in the EHR, and under which ids each feed knows them.

The INS values stand under the test root and name commune 990, which no French department reaches; the two-digit key is
computed as for a real one, so that a check of the form accepts them.
"""

from dataclasses import dataclass, field
from typing import Any

from making.datatypes import V2_0203, coding, concept

INS_TEST_ROOT = "urn:oid:1.2.250.1.213.1.4.10"
IPP_SYSTEM = "urn:oid:1.2.250.1.999.3"
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
RELIABILITY_STATUS = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445"
FR_CORE_V2_0203 = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"

NIR_KEY_MODULUS = 97
"""The key of a NIR is 97 less the thirteen digits modulo 97."""


def ins(sex: int, year_month: str, department: str, order: int) -> str:
    """A well-formed fifteen-digit matricule: sex, YYMM, department, commune 990, order, key."""
    digits = f"{sex}{year_month}{department}990{order:03d}"
    return digits + f"{NIR_KEY_MODULUS - int(digits) % NIR_KEY_MODULUS:02d}"


@dataclass(frozen=True, slots=True)
class Patient:
    """One person. `lab`, `imaging` and `insurer` are the feeds' own ids, None where the feed does not know them."""

    ehr: str | None
    family: str
    given: tuple[str, ...]
    gender: str
    birth_date: str
    matricule: str
    lab: str | None = None
    imaging: str | None = None
    insurer: str | None = None
    status: str | None = "VALI"
    """The EHR's identityStatus; None: the extension is absent, so the INS is not qualified."""
    active: bool = True
    replaced_by: str | None = None
    native_name: str | None = None
    withdrawn_matricule: str | None = None
    birth_dates: dict[str, str] = field(default_factory=dict)
    """Feed id of the patient -> the birth date that this feed holds, where it differs."""

    @property
    def printed(self) -> str:
        """The name as feeds print it."""
        return f"{self.family.upper()} {self.given[0]}"


ALMA = Patient("ehr-1001", "Nguyễn", ("Alma", "Thị Hoa"), "female", "1980-01-12", ins(2, "8001", "59", 901),
               "lab-20417", "img-50361", "inr-7001")  # fmt: skip
HELOISE = Patient("ehr-1002", "D’Aubigné-Lefèvre", ("Héloïse",), "female", "1974-07-30", ins(2, "7407", "69", 902),
                  "lab-20418", "img-50362", "inr-7002")  # fmt: skip
YOUSSEF = Patient("ehr-1003", "Ben Saïd", ("Youssef", "Amîn"), "male", "1991-03-05", ins(1, "9103", "93", 903),
                  "lab-20419", "img-50363", "inr-7003", native_name="يوسف بن سعيد",
                  withdrawn_matricule=ins(1, "9103", "93", 913))  # fmt: skip
NOE = Patient("ehr-1004", "Nguyễn--Martin", ("Noé",), "male", "2019-05-21", ins(1, "1905", "59", 904),
              "lab-20421", "img-50364")  # fmt: skip
JEAN_BAPTISTE = Patient("ehr-1005", "Le Goff", ("Jean-Baptiste", "Maël"), "male", "1948-11-02",
                        ins(1, "4811", "29", 905), "lab-20422", None, "inr-7005")  # fmt: skip
ZOE = Patient("ehr-1006", "Müller-Çelik", ("Zoë",), "female", "1968-02-29", ins(2, "6802", "67", 906),
              "lab-20424", "img-50366", "inr-7006",
              birth_dates={"lab-20424": "1968-02-28", "inr-7006": "1968"})  # fmt: skip
SIOBHAN = Patient("ehr-1007", "O'Connor", ("Siobhán",), "female", "1985-09-17", ins(2, "8509", "99", 907),
                  "lab-20425", None, "inr-7007", status=None)  # fmt: skip
WEI = Patient("ehr-1008", "Wang", ("Wei",), "male", "1959-12-24", ins(1, "5912", "99", 908),
              "lab-20420", native_name="王偉")  # fmt: skip
AISSATOU = Patient("ehr-1009", "Diallo", ("Aïssatou",), "female", "2001-06-08", ins(2, "0106", "76", 909))
ALMA_OLD_FILE = Patient("ehr-1010", "Nguyen", ("Alma",), "female", "1980-01-12", ALMA.matricule,
                        active=False, replaced_by="ehr-1001")  # fmt: skip
OLGA = Patient("ehr-1011", "Шевченко-Dupré", ("Ольга",), "female", "1936-04-14", ins(2, "3604", "75", 911),
               "lab-20427", active=False)  # fmt: skip
KOFI = Patient("ehr-1012", "N'Guessan", ("Kofi",), "male", "1999-10-01", ins(1, "9910", "13", 912),
               "lab-20428", status="PROV")  # fmt: skip
STRANGER = Patient(None, "Inconnu-Témoin", ("Eudes",), "male", "1970-01-01", ins(1, "7001", "75", 990),
                   "lab-20499", "img-50399", "inr-7099")  # fmt: skip

EHR_PATIENTS = (ALMA, HELOISE, YOUSSEF, NOE, JEAN_BAPTISTE, ZOE, SIOBHAN, WEI, AISSATOU, ALMA_OLD_FILE, OLGA, KOFI)

AMBIGUOUS_TWIN = "lab-20423"
"""The laboratory's second file on Jean-Baptiste Le Goff: same INS, same birth date, hence two candidates."""


def ins_identifier(matricule: str, use: str = "official") -> dict[str, Any]:
    """An INS identifier; `use` is `old` for a withdrawn one."""
    national = coding(V2_0203, "NI", "National unique individual identifier")
    kind = concept(coding(FR_CORE_V2_0203, "INS-NIR", "NIR"), national)
    return {"use": use, "type": kind, "system": INS_TEST_ROOT, "value": matricule}


def own_identifier(system: str, value: str) -> dict[str, Any]:
    """A source's own number for a patient (type PI)."""
    kind = concept(coding(V2_0203, "PI", "Patient internal identifier"))
    return {"use": "usual", "type": kind, "system": system, "value": value}


def ehr_patient(patient: Patient, managing: dict[str, str]) -> dict[str, Any]:
    """The EHR's Patient resource."""
    number = "IPP" + patient.ehr.removeprefix("ehr-").zfill(8) if patient.ehr else ""
    names = [{"use": "official", "family": patient.family, "given": list(patient.given)}]
    if patient.native_name:
        names.append({"use": "usual", "text": patient.native_name})
    identifiers = [ins_identifier(patient.matricule), own_identifier(IPP_SYSTEM, number)]
    if patient.withdrawn_matricule:
        identifiers.append(ins_identifier(patient.withdrawn_matricule, "old"))
    resource: dict[str, Any] = {"resourceType": "Patient", "id": patient.ehr, "meta": {"versionId": "1"}}
    if patient.status:
        status = {"url": "identityStatus", "valueCoding": coding(RELIABILITY_STATUS, patient.status)}
        resource["extension"] = [{"url": RELIABILITY, "extension": [status]}]
    resource |= {
        "identifier": identifiers,
        "active": patient.active,
        "name": names,
        "gender": patient.gender,
        "birthDate": patient.birth_date,
        "managingOrganization": managing,
    }
    if patient.replaced_by:
        resource["link"] = [{"other": {"reference": f"Patient/{patient.replaced_by}"}, "type": "replaced-by"}]
    return resource


def feed_patient(patient: Patient, feed_id: str, system: str, managing: dict[str, str]) -> dict[str, Any]:
    """A feed's Patient resource: the same INS, the feed's own number, and a name spelled as a feed spells it."""
    return {
        "resourceType": "Patient",
        "id": feed_id,
        "meta": {"versionId": "1", "lastUpdated": "2026-11-02T08:00:00+01:00"},
        "identifier": [ins_identifier(patient.matricule), own_identifier(system, feed_id.split("-")[1])],
        "active": True,
        "name": [{"use": "official", "text": patient.printed, "family": patient.family, "given": [patient.given[0]]}],
        "gender": patient.gender,
        "birthDate": patient.birth_dates.get(feed_id, patient.birth_date),
        "managingOrganization": managing,
    }
