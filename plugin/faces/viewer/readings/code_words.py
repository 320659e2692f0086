"""Words for the codes that FHIR itself defines, French and English, for what comes without words of its own.

Statuses and the like are required codes: a source sends `entered-in-error` and no display, and no reader should meet
that. A code of any other system has the source's words, or stands as itself.
"""

from collections.abc import Mapping
from typing import Final

Pair = tuple[str, str]
"""French, English."""

_STATUS: Final[Mapping[str, Pair]] = {
    "registered": ("enregistré, en attente", "registered, awaited"),
    "partial": ("partiel, provisoire", "partial, preliminary"),
    "preliminary": ("provisoire", "preliminary"),
    "final": ("définitif", "final"),
    "amended": ("modifié", "amended"),
    "corrected": ("rectifié", "corrected"),
    "appended": ("complété", "appended"),
    "cancelled": ("annulé", "cancelled"),
    "entered-in-error": ("saisi par erreur", "entered in error"),
    "unknown": ("statut inconnu", "status unknown"),
    "active": ("en cours", "active"),
    "on-hold": ("suspendu", "on hold"),
    "revoked": ("révoqué", "revoked"),
    "completed": ("terminé", "completed"),
    "stopped": ("arrêté", "stopped"),
    "draft": ("brouillon", "draft"),
    "intended": ("prévu", "intended"),
    "not-taken": ("non pris", "not taken"),
    "declined": ("refusé", "declined"),
    "preparation": ("en préparation", "in preparation"),
    "in-progress": ("en cours", "in progress"),
    "not-done": ("non fait", "not done"),
    "current": ("en vigueur", "current"),
    "superseded": ("remplacé", "superseded"),
    "available": ("disponible", "available"),
    "unavailable": ("indisponible", "unavailable"),
    "unsatisfactory": ("non conforme", "unsatisfactory"),
    "recurrence": ("récidive", "recurrence"),
    "relapse": ("rechute", "relapse"),
    "inactive": ("inactif", "inactive"),
    "remission": ("en rémission", "in remission"),
    "resolved": ("résolu", "resolved"),
    "planned": ("prévu", "planned"),
    "finished": ("terminé", "finished"),
}

_VERIFICATION: Final[Mapping[str, Pair]] = {
    "unconfirmed": ("non confirmé", "unconfirmed"),
    "provisional": ("à confirmer", "provisional"),
    "differential": ("diagnostic différentiel", "differential"),
    "confirmed": ("confirmé", "confirmed"),
    "refuted": ("écarté", "refuted"),
    "entered-in-error": _STATUS["entered-in-error"],
}

_INTERPRETATION: Final[Mapping[str, Pair]] = {
    "L": ("bas", "low"),
    "LL": ("très bas, critique", "critically low"),
    "LU": ("nettement bas", "significantly low"),
    "L<": ("nettement bas", "significantly low"),
    "LX": ("sous le seuil bas", "below the low threshold"),
    "H": ("élevé", "high"),
    "HH": ("très élevé, critique", "critically high"),
    "HU": ("nettement élevé", "significantly high"),
    "H>": ("nettement élevé", "significantly high"),
    "HX": ("au-dessus du seuil haut", "above the high threshold"),
    "EX": ("hors du seuil", "outside the threshold"),
    "<": ("sous le seuil de mesure", "below the scale"),
    ">": ("au-dessus du seuil de mesure", "above the scale"),
    "A": ("anormal", "abnormal"),
    "AA": ("anormal, critique", "critically abnormal"),
    "N": ("normal", "normal"),
    "B": ("en amélioration", "better"),
    "W": ("en aggravation", "worse"),
    "U": ("en nette hausse", "significant change up"),
    "D": ("en nette baisse", "significant change down"),
    "POS": ("positif", "positive"),
    "NEG": ("négatif", "negative"),
    "IND": ("indéterminé", "indeterminate"),
    "E": ("équivoque", "equivocal"),
    "DET": ("détecté", "detected"),
    "ND": ("non détecté", "not detected"),
    "RR": ("réactif", "reactive"),
    "WR": ("faiblement réactif", "weakly reactive"),
    "NR": ("non réactif", "non-reactive"),
    "EXP": ("attendu", "expected"),
    "UNE": ("inattendu", "unexpected"),
    "CAR": ("porteur", "carrier"),
    "S": ("sensible", "susceptible"),
    "I": ("intermédiaire", "intermediate"),
    "R": ("résistant", "resistant"),
    "SDD": ("sensible, selon la dose", "susceptible, dose dependent"),
    "NS": ("non sensible", "non-susceptible"),
    "SYN-R": ("synergie : résistant", "synergy: resistant"),
    "SYN-S": ("synergie : sensible", "synergy: susceptible"),
    "VS": ("très sensible", "very susceptible"),
    "MS": ("modérément sensible", "moderately susceptible"),
    "NCL": ("sans seuil d’interprétation défini", "no defined breakpoint"),
    "TOX": ("substance cytotoxique présente", "cytotoxic substance present"),
    "AC": ("substance anticomplémentaire présente", "anti-complementary substance present"),
    "QCF": ("contrôle de qualité non conforme", "quality control failure"),
    "HM": ("en attente d’une relecture médicale", "held for medical review"),
    "OBX": ("interprétation donnée dans un autre résultat", "interpreted in another result"),
    "IE": ("données insuffisantes", "insufficient evidence"),
}

_ABSENT: Final[Mapping[str, Pair]] = {
    "unknown": ("valeur inconnue", "value unknown"),
    "asked-unknown": ("demandée, inconnue", "asked, not known"),
    "temp-unknown": ("pas encore connue", "not yet known"),
    "not-asked": ("non demandée", "not asked"),
    "asked-declined": ("non communiquée par la personne", "asked, declined"),
    "masked": ("masquée par la source", "masked by the source"),
    "not-applicable": ("sans objet", "not applicable"),
    "unsupported": ("non transmise par la source", "not supported by the source"),
    "as-text": ("voir le texte", "see the text"),
    "error": ("erreur de mesure", "measurement error"),
    "not-a-number": ("non calculable", "not a number"),
    "negative-infinity": ("moins l’infini", "negative infinity"),
    "positive-infinity": ("plus l’infini", "positive infinity"),
    "not-performed": ("examen non réalisé", "not performed"),
    "not-permitted": ("non permise", "not permitted"),
}

_RANGE: Final[Mapping[str, Pair]] = {
    "normal": ("valeurs usuelles", "normal range"),
    "recommended": ("valeurs recommandées", "recommended range"),
    "treatment": ("cible thérapeutique", "treatment range"),
    "therapeutic": ("zone thérapeutique", "therapeutic level"),
    "pre": ("avant traitement", "before treatment"),
    "post": ("après traitement", "after treatment"),
}

_CARE: Final[Mapping[str, Pair]] = {
    "institutional": ("établissement", "institution"),
    "oral": ("soins dentaires", "dental care"),
    "pharmacy": ("pharmacie", "pharmacy"),
    "professional": ("professionnel de santé", "health professional"),
    "vision": ("optique", "eye care"),
}

_ADJUDICATION: Final[Mapping[str, Pair]] = {
    "submitted": ("montant facturé", "billed"),
    "eligible": ("base de remboursement", "reimbursement base"),
    "eligpercent": ("taux de remboursement", "rate"),
    "benefit": ("montant remboursé", "reimbursed"),
    "copay": ("participation du patient", "co-payment"),
    "deductible": ("franchise", "deductible"),
    "unallocdeduct": ("franchise non imputée", "unallocated deductible"),
    "tax": ("taxe", "tax"),
}

_SEVERITY: Final[Mapping[str, Pair]] = {
    "mild": ("léger", "mild"),
    "moderate": ("modéré", "moderate"),
    "severe": ("sévère", "severe"),
    "low": ("risque faible", "low risk"),
    "high": ("risque élevé", "high risk"),
    "unable-to-assess": ("risque non évalué", "risk not assessed"),
}

_ALLERGY: Final[Mapping[str, Pair]] = {
    "food": ("aliment", "food"),
    "medication": ("médicament", "medicine"),
    "environment": ("environnement", "environment"),
    "biologic": ("produit biologique", "biologic"),
    "allergy": ("allergie", "allergy"),
    "intolerance": ("intolérance", "intolerance"),
}

_INTENT: Final[Mapping[str, Pair]] = {
    "proposal": ("proposition", "proposal"),
    "plan": ("projet", "plan"),
    "directive": ("consigne", "directive"),
    "order": ("prescription", "order"),
    "original-order": ("prescription initiale", "original order"),
    "reflex-order": ("examen complémentaire automatique", "reflex order"),
    "filler-order": ("demande du laboratoire", "filler order"),
    "instance-order": ("prescription unitaire", "instance order"),
    "option": ("option", "option"),
}

_PRIORITY: Final[Mapping[str, Pair]] = {
    "routine": ("courante", "routine"),
    "urgent": ("urgente", "urgent"),
    "asap": ("dès que possible", "as soon as possible"),
    "stat": ("immédiate", "immediate"),
}

_USE: Final[Mapping[str, Pair]] = {
    "claim": ("facture", "claim"),
    "preauthorization": ("entente préalable, rien n’a été versé", "prior authorisation, nothing paid"),
    "predetermination": ("estimation, rien n’a été versé", "estimate, nothing paid"),
}

_OUTCOME: Final[Mapping[str, Pair]] = {
    "queued": ("reçu, pas encore traité par l’assureur", "received, not yet processed by the insurer"),
    "complete": ("traité", "processed"),
    "error": ("erreur relevée par l’assureur", "error found by the insurer"),
    "partial": ("traité en partie par l’assureur", "processed in part by the insurer"),
}

_WHEN: Final[Mapping[str, Pair]] = {
    "MORN": ("le matin", "in the morning"),
    "MORN.early": ("tôt le matin", "early in the morning"),
    "MORN.late": ("en fin de matinée", "late in the morning"),
    "NOON": ("à midi", "at noon"),
    "AFT": ("l’après-midi", "in the afternoon"),
    "AFT.early": ("en début d’après-midi", "early in the afternoon"),
    "AFT.late": ("en fin d’après-midi", "late in the afternoon"),
    "EVE": ("le soir", "in the evening"),
    "EVE.early": ("en début de soirée", "early in the evening"),
    "EVE.late": ("tard le soir", "late in the evening"),
    "NIGHT": ("la nuit", "at night"),
    "PHS": ("après l’endormissement", "after falling asleep"),
    "HS": ("au coucher", "at bedtime"),
    "WAKE": ("au réveil", "on waking"),
    "C": ("aux repas", "with meals"),
    "CM": ("au petit-déjeuner", "with breakfast"),
    "CD": ("au déjeuner", "with lunch"),
    "CV": ("au dîner", "with dinner"),
    "AC": ("avant les repas", "before meals"),
    "ACM": ("avant le petit-déjeuner", "before breakfast"),
    "ACD": ("avant le déjeuner", "before lunch"),
    "ACV": ("avant le dîner", "before dinner"),
    "PC": ("après les repas", "after meals"),
    "PCM": ("après le petit-déjeuner", "after breakfast"),
    "PCD": ("après le déjeuner", "after lunch"),
    "PCV": ("après le dîner", "after dinner"),
}

_WEEKDAY: Final[Mapping[str, Pair]] = {
    "mon": ("le lundi", "on Mondays"),
    "tue": ("le mardi", "on Tuesdays"),
    "wed": ("le mercredi", "on Wednesdays"),
    "thu": ("le jeudi", "on Thursdays"),
    "fri": ("le vendredi", "on Fridays"),
    "sat": ("le samedi", "on Saturdays"),
    "sun": ("le dimanche", "on Sundays"),
}

_TIMING: Final[Mapping[str, Pair]] = {
    "QD": ("1 fois par jour", "once a day"),
    "BID": ("2 fois par jour", "twice a day"),
    "TID": ("3 fois par jour", "3 times a day"),
    "QID": ("4 fois par jour", "4 times a day"),
    "QOD": ("un jour sur deux", "every other day"),
    "Q1H": ("toutes les heures", "every hour"),
    "Q2H": ("toutes les 2 heures", "every 2 hours"),
    "Q3H": ("toutes les 3 heures", "every 3 hours"),
    "Q4H": ("toutes les 4 heures", "every 4 hours"),
    "Q6H": ("toutes les 6 heures", "every 6 hours"),
    "Q8H": ("toutes les 8 heures", "every 8 hours"),
    "AM": ("le matin", "in the morning"),
    "PM": ("l’après-midi", "in the afternoon"),
    "BED": ("au coucher", "at bedtime"),
    "WK": ("1 fois par semaine", "once a week"),
    "MO": ("1 fois par mois", "once a month"),
}

_DOSE_TYPE: Final[Mapping[str, Pair]] = {
    "calculated": ("dose calculée", "calculated dose"),
    "ordered": ("dose prescrite", "ordered dose"),
}

_SUBSTITUTION: Final[Mapping[str, Pair]] = {
    "E": ("équivalent", "equivalent"),
    "EC": ("composition équivalente", "equivalent composition"),
    "BC": ("spécialité de marque", "brand composition"),
    "G": ("générique", "generic"),
    "TE": ("alternative thérapeutique", "therapeutic alternative"),
    "TB": ("alternative thérapeutique de marque", "therapeutic brand"),
    "TG": ("alternative thérapeutique générique", "therapeutic generic"),
    "F": ("selon le livret thérapeutique", "formulary"),
    "N": ("aucune", "none"),
}

_WARNING: Final[Mapping[str, Pair]] = {
    "do-not-give": ("Ne pas donner", "Do not give"),
    "not-to-be-done": ("À ne pas faire", "Not to be done"),
    "high-risk": ("Risque de réaction grave", "Risk of a serious reaction"),
    "severe-reaction": ("Réaction sévère", "Severe reaction"),
    "subpotent": ("Dose insuffisamment active", "Subpotent dose"),
}
"""For elements that are no codes, or whose code alone would not say what it is about."""

_SPECIMEN: Final[Mapping[str, Pair]] = {
    "AUT": ("autolysé", "autolysed"),
    "CFU": ("centrifugé", "centrifuged"),
    "CLOT": ("coagulé", "clotted"),
    "CON": ("contaminé", "contaminated"),
    "COOL": ("réfrigéré", "cool"),
    "FROZ": ("congelé", "frozen"),
    "HEM": ("hémolysé", "haemolysed"),
    "LIVE": ("vivant", "live"),
    "ROOM": ("à température ambiante", "at room temperature"),
    "SNR": ("non reçu", "not received"),
}

_SIDE: Final[Mapping[str, Pair]] = {
    "7771000": ("côté gauche", "left"),
    "24028007": ("côté droit", "right"),
    "51440002": ("des deux côtés", "both sides"),
}
"""SNOMED CT's sides of the body, which R4 proposes for ImagingStudy.series.laterality."""

TABLES: Final[Mapping[str, Mapping[str, Pair]]] = {
    "status": _STATUS,
    "verification": _VERIFICATION,
    "interpretation": _INTERPRETATION,
    "absent": _ABSENT,
    "range": _RANGE,
    "care": _CARE,
    "adjudication": _ADJUDICATION,
    "severity": _SEVERITY,
    "allergy": _ALLERGY,
    "intent": _INTENT,
    "priority": _PRIORITY,
    "use": _USE,
    "outcome": _OUTCOME,
    "when": _WHEN,
    "weekday": _WEEKDAY,
    "timing": _TIMING,
    "dose-type": _DOSE_TYPE,
    "substitution": _SUBSTITUTION,
    "warning": _WARNING,
    "specimen": _SPECIMEN,
    "side": _SIDE,
}

WORDS: Final[Mapping[str, Pair]] = {
    f"{table}/{code}": pair for table, words in TABLES.items() for code, pair in words.items()
}
"""`status/final` -> its words. What Term.key names."""

_HL7 = "http://terminology.hl7.org/CodeSystem/"

SYSTEMS: Final[Mapping[str, str]] = {
    f"{_HL7}v3-ObservationInterpretation": "interpretation",
    f"{_HL7}v2-0078": "interpretation",
    "urn:oid:2.16.840.1.113883.12.78": "interpretation",
    "http://hl7.org/fhir/v2/0078": "interpretation",
    "urn:oid:2.16.840.1.113883.5.83": "interpretation",
    f"{_HL7}data-absent-reason": "absent",
    f"{_HL7}referencerange-meaning": "range",
    f"{_HL7}v2-0493": "specimen",
    "http://hl7.org/fhir/v2/0493": "specimen",
    f"{_HL7}condition-clinical": "status",
    f"{_HL7}condition-ver-status": "verification",
    f"{_HL7}allergyintolerance-clinical": "status",
    f"{_HL7}allergyintolerance-verification": "verification",
    f"{_HL7}claim-type": "care",
    f"{_HL7}adjudication": "adjudication",
    f"{_HL7}v3-GTSAbbreviation": "timing",
    f"{_HL7}dose-rate-type": "dose-type",
    f"{_HL7}v3-substanceAdminSubstitution": "substitution",
}
"""Code system -> the table of its codes."""
