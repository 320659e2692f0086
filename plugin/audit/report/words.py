"""The codes of the log as words for a patient, in French and English. Tables and dates only.

A code that no table has is shown as it is: better a code than a wrong word. Tests hold the tables against the lists
that they translate.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

Language = Literal["fr", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("fr", "en")


class Word(NamedTuple):
    """One meaning in both languages."""

    fr: str
    en: str

    def said(self, language: Language) -> str:
        """In `language`."""
        return self.fr if language == "fr" else self.en


CATEGORIES: Final[Mapping[str, Word]] = {
    "patient-summary": Word("synthèse médicale (problèmes, allergies, vaccins…)", "patient summary"),
    "discharge-report": Word("comptes rendus d’hospitalisation", "hospital discharge reports"),
    "test-results": Word("résultats d’analyses", "test results"),
    "imaging": Word("imagerie médicale", "medical imaging"),
    "prescription": Word("ordonnances", "prescriptions"),
    "dispensation": Word("médicaments délivrés", "dispensed medicines"),
    "reimbursement": Word("remboursements de soins", "health care reimbursements"),
    "other": Word("autres données de santé", "other health data"),
    "unclassified": Word("données de santé non classées", "unclassified health data"),
}
"""Of `policies/tables/categories.toml`."""

PURPOSES: Final[Mapping[str, Word]] = {
    "TREAT": Word("soins", "treatment"),
    "COC": Word("coordination des soins", "coordination of care"),
    "TREATDS": Word("soins, aide à la décision", "treatment, decision support"),
    "ETREAT": Word("soins en urgence", "emergency treatment"),
    "ERTREAT": Word("soins aux urgences", "emergency room treatment"),
    "BTG": Word("accès exceptionnel en urgence", "exceptional access in an emergency"),
    "CLINTRL": Word("essai clinique", "clinical trial"),
    "POPHLTH": Word("santé publique", "population health"),
    "HRESCH": Word("recherche", "research"),
    "HMARKT": Word("démarchage commercial", "marketing"),
    "HPAYMT": Word("facturation", "payment"),
    "HOPERAT": Word("gestion de l’établissement", "health care operations"),
    "HCOMPL": Word("contrôle de conformité", "compliance check"),
    "HSYSADMIN": Word("administration du système", "system administration"),
    "HLEGAL": Word("raison juridique", "legal reason"),
    "PATRQT": Word("à la demande du patient", "at the patient’s request"),
    "FAMRQT": Word("à la demande de la famille", "at the family’s request"),
}
"""Codes of v3-ActReason that tokens carry."""

OUTCOMES: Final[Mapping[str, Word]] = {
    "0": Word("accès autorisé", "access allowed"),
    "4": Word("accès refusé", "access refused"),
    "8": Word("échec", "failed"),
    "12": Word("service indisponible", "service unavailable"),
}

WITHDRAWN: Final = Word("réponse retirée, non transmise", "answer withdrawn, not handed over")

_SHAPE = Word("demande mal formulée", "the request was not well formed")
_UNKNOWN = Word("demande portant sur quelque chose qui n’existe pas ici", "what was asked for does not exist here")
_PAGE = Word("lien de suite non valable", "the link to a further page was not valid")
_READ_ONLY = Word("tentative de modifier ou d’extraire des données", "an attempt to change or extract data")
_RULES = Word("les règles d’accès ne le permettent pas", "the access rules do not allow it")
_RIGHTS = Word("l’application n’en avait pas le droit", "the application had no right to it")
_SOURCE = Word(
    "la source des résultats n’a pas donné de réponse utilisable", "the source of results gave no usable answer"
)
_BUSY = Word("le service était surchargé ou indisponible", "the service was overloaded or unavailable")
_RECORD = Word("la trace n’a pas pu être écrite : rien n’a été montré", "no record could be written: nothing was shown")
_LOGIN = Word("la personne n’a pas pu être identifiée", "the person could not be identified")
_FAULT = Word("erreur interne", "internal error")

REASONS: Final[Mapping[str, Word]] = {
    "unknown-feed": _UNKNOWN,
    "unknown-type": _UNKNOWN,
    "unknown-address": _UNKNOWN,
    "unknown-operation": _UNKNOWN,
    "unknown-parameter": _SHAPE,
    "refused-parameter": _SHAPE,
    "invalid-value": _SHAPE,
    "repeated-parameter": _SHAPE,
    "patient-ambiguous": _SHAPE,
    "method-override": _SHAPE,
    "not-acceptable": _SHAPE,
    "unsupported-media-type": _SHAPE,
    "body-too-large": _SHAPE,
    "method-not-allowed": _READ_ONLY,
    "page-link-invalid": _PAGE,
    "page-link-expired": _PAGE,
    "page-link-foreign": _PAGE,
    "view-only": _READ_ONLY,
    "operation-refused": _READ_ONLY,
    "patient-required": _SHAPE,
    "access-denied": _RULES,
    "insufficient-scope": _RIGHTS,
    "not-found": Word("rien à montrer", "there was nothing to show"),
    "purged": Word("élément du journal déjà supprimé", "the record of the log was removed already"),
    "quota": Word("trop de consultations en peu de temps", "too many consultations in a short time"),
    "too-costly": Word("trop de résultats demandés à la fois", "too many results asked for at once"),
    "purpose-stated": Word("la finalité était déjà déclarée", "the purpose had been stated already"),
    "break-glass-open": Word("l’accès en urgence était déjà ouvert", "emergency access was open already"),
    "break-glass-not-open": Word("aucun accès en urgence n’était ouvert", "no emergency access was open"),
    "no-space": Word("journal presque plein", "the log was nearly full"),
    "no-credential": _LOGIN,
    "credential-malformed": _LOGIN,
    "invalid-token": _LOGIN,
    "expired-token": _LOGIN,
    "caller-throttled": _LOGIN,
    "launch-malformed": _LOGIN,
    "launch-foreign": _LOGIN,
    "launch-mixed-up": _LOGIN,
    "launch-forgotten": _LOGIN,
    "launch-denied": _LOGIN,
    "launch-unproven": _LOGIN,
    "view-unknown": _LOGIN,
    "view-over": _LOGIN,
    "form-foreign": _LOGIN,
    "issuer-unreachable": _LOGIN,
    "feed-failed": _SOURCE,
    "feed-unreachable": _SOURCE,
    "feed-timeout": _SOURCE,
    "feed-busy": _SOURCE,
    "file-unusable": Word("le fichier reçu n’était pas celui annoncé", "the file was not the one announced"),
    "ehr-failed": Word("le dossier de l’établissement n’a pas répondu", "the patient file did not answer"),
    "ehr-refused": Word("le dossier de l’établissement a refusé la demande", "the patient file refused the request"),
    "state-unavailable": _BUSY,
    "overloaded": _BUSY,
    "log-unreadable": _BUSY,
    "no-store": _RECORD,
    "internal-error": _FAULT,
}
"""Why nothing was shown: `policies.vocabulary.consultation.Reason` and `plugin.errors`."""

INTERACTIONS: Final[Mapping[str, Word]] = {
    "read": Word("lecture d’un document ou résultat", "opening one result or document"),
    "search-type": Word("recherche de résultats", "search for results"),
}
_ATTEMPT = Word("autre opération", "another operation")

EVENTS: Final[Mapping[str, Word]] = {
    "break-glass:opened": Word("accès exceptionnel en urgence ouvert", "exceptional emergency access opened"),
    "break-glass:closed": Word("accès exceptionnel en urgence terminé", "exceptional emergency access ended"),
    "break-glass:denied": Word("accès exceptionnel en urgence demandé", "exceptional emergency access asked for"),
    "break-glass:failed": Word("accès exceptionnel en urgence demandé", "exceptional emergency access asked for"),
    "session:refused": Word("ouverture de la visionneuse", "opening of the viewer"),
    "session:failed": Word("ouverture ou fermeture de la visionneuse", "opening or closing of the viewer"),
    "purpose:refused": Word("finalité déclarée dans la visionneuse", "purpose stated in the viewer"),
}

INFORMED: Final = Word(
    "selon la personne qui a consulté, vous en étiez informé et ne vous y êtes pas opposé",
    "the person who looked stated that you had been told and did not object",
)

SUBJECTS: Final[Mapping[str, Word]] = {
    "professional": Word("professionnel de santé", "health professional"),
    "patient": Word("patient ou proche", "patient or relative"),
    "machine": Word("application sans personne identifiée", "application without an identified person"),
    "operator": Word("administrateur de la machine", "operator of the machine"),
}

DELIVERIES: Final[Mapping[str, Word]] = {
    "rendered": Word("affiché à l’écran", "shown on a screen"),
    "structured": Word("transmis à une application d’affichage", "given to a displaying application"),
}

PROFESSION_SYSTEMS: Final = frozenset(
    {
        "urn:oid:1.2.250.1.71.1.2.7",
        "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante",
    }
)
"""Nomenclature G15 of the French national agency (ANS)."""
PROFESSIONS: Final[Mapping[str, Word]] = {
    "10": Word("médecin", "physician"),
    "21": Word("pharmacien", "pharmacist"),
    "40": Word("chirurgien-dentiste", "dentist"),
    "50": Word("sage-femme", "midwife"),
    "60": Word("infirmier", "nurse"),
    "70": Word("masseur-kinésithérapeute", "physiotherapist"),
    "80": Word("pédicure-podologue", "podiatrist"),
    "86": Word("technicien de laboratoire médical", "medical laboratory technician"),
    "91": Word("orthophoniste", "speech therapist"),
    "92": Word("orthoptiste", "orthoptist"),
    "94": Word("ergothérapeute", "occupational therapist"),
    "95": Word("diététicien", "dietitian"),
    "98": Word("manipulateur d’électroradiologie", "radiographer"),
}

_MONTHS: Final[Mapping[Language, tuple[str, ...]]] = {
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin",
        "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip

_FIXED_SPACE: Final = "\N{NO-BREAK SPACE}"


def word(table: Mapping[str, Word], code: str, language: Language) -> str:
    """The word for `code`, else `code`."""
    found = table.get(code)
    return found.said(language) if found is not None else code


def interaction(code: str, language: Language) -> str:
    """What was tried; writing and other operations are told by the reason of their refusal."""
    return INTERACTIONS.get(code, _ATTEMPT).said(language)


def day(moment: datetime, language: Language) -> str:
    """`1er mars 2026`, `1 March 2026`."""
    number = f"{moment.day}er" if language == "fr" and moment.day == 1 else str(moment.day)
    return f"{number} {_MONTHS[language][moment.month - 1]} {moment.year}"


def clock(moment: datetime, language: Language) -> str:
    """`9 h 05`, `09:05`; with the offset where the clock shows this hour twice."""
    told = f"{moment.hour}{_FIXED_SPACE}h{_FIXED_SPACE}{moment:%M}" if language == "fr" else f"{moment:%H:%M}"
    twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
    return f"{told} ({offset(moment)})" if twice else told


def number(value: int, language: Language) -> str:
    """`1 204`, `1,204`."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if language == "fr" else f"{value:,}"


def count(value: int, one: Word, many: Word, language: Language) -> str:
    """`1 look`, `2 looks`; French says zero in the singular."""
    is_one = value == 1 or (language == "fr" and value == 0)
    return f"{number(value, language)} {(one if is_one else many).said(language)}"


def offset(moment: datetime) -> str:
    """`UTC`, `UTC+1`, `UTC+5:30`."""
    found = moment.utcoffset() or timedelta()
    if not found:
        return "UTC"
    minutes = round(abs(found.total_seconds()) / 60)
    sign = "+" if found > timedelta() else "−"
    return f"UTC{sign}{minutes // 60}" + (f":{minutes % 60:02}" if minutes % 60 else "")
