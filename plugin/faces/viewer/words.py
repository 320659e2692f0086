"""What the clinician's pages say, French and English side by side."""

from collections.abc import Mapping
from typing import Final

from plugin.faces.pages.wording import Counted, Word

PAGE: Final[Mapping[str, Word | Counted]] = {
    "title": Word("Résultats externes", "Outside results"),
    "patient": Word("Patient", "Patient"),
    "patient_of_record": Word("Le patient du dossier ouvert", "The patient of the open record"),
    "patient_unnamed": Word("(son nom n’est pas connu ici)", "(the name is not known here)"),
    "born": Word("né(e) le", "born"),
    "close": Word("Terminer", "Close"),
    "overview": Word("Vue d’ensemble", "Overview"),
    "emergency": Word("Accès d’urgence", "Emergency access"),
    "pages": Word("Pages", "Pages"),
    "sources": Word("Sources", "Sources"),
    "source": Word("Source", "Source"),
    "all_sources": Word("Toutes les sources", "All sources"),
    "together": Word("Toutes les sources sur une page", "All sources on one page"),
    "together_waits": Word("(attend la plus lente)", "(waits for the slowest)"),
    "look": Word("Consulter", "Look"),
    "looking": Word("Interrogation en cours…", "Asking…"),
    "back": Word("Retour à la vue d’ensemble", "Back to the overview"),
    "again": Word("Réessayer", "Try again"),
    "lost": Word("La liaison avec cette page est rompue.", "The connection of this page is broken."),
    "results": Counted(Word("{n} résultat", "{n} result"), Word("{n} résultats", "{n} results")),
    "mistaken": Counted(
        Word(
            "{n} résultat saisi par erreur, signalé comme tel par la source, n’est pas montré.",
            "{n} result that the source marks as entered in error is not shown.",
        ),
        Word(
            "{n} résultats saisis par erreur, signalés comme tels par la source, ne sont pas montrés.",
            "{n} results that the source marks as entered in error are not shown.",
        ),
    ),
    "nothing": Word("Rien à montrer de la source «\u00a0{source}\u00a0».", "Nothing to show from {source}."),
    "no_identifier": Word(
        "Ce patient n’a pas d’identité qualifiée, et ne peut donc pas être cherché dans la source "
        "«\u00a0{source}\u00a0».",
        "This patient has no qualified identifier, and so cannot be looked for at {source}.",
    ),
    "no_identifier_advice": Word(
        "Faites vérifier l’identité du patient, puis réessayez.", "Have the patient’s identity checked, then try again."
    ),
    "none_left": Word("Aucun résultat affiché ne correspond à votre choix.", "No result shown here fits your choice."),
    "reference": Word("Référence", "Reference"),
    # filters
    "choose": Word("Choisir les résultats", "Choose the results"),
    "period": Word("Période", "Period"),
    "category": Word("Catégorie", "Category"),
    "all_categories": Word("Toutes les catégories", "All categories"),
    "abnormal_only": Word("Anormaux seulement", "Abnormal only"),
    "text": Word("Chercher dans les résultats", "Search in the results"),
    "apply": Word("Appliquer", "Apply"),
    "apply_note": Word(
        "Chaque affichage est une nouvelle consultation des sources, enregistrée.",
        "Each display is a new look at the sources, and is recorded.",
    ),
    # the table
    "date": Word("Date", "Date"),
    "result": Word("Résultat", "Result"),
    "value": Word("Valeur", "Value"),
    "range": Word("Référence", "Reference range"),
    "undated": Word("sans date", "no date"),
    "untitled": Word("Sans intitulé", "Untitled"),
    "more": Word("Détails", "Details"),
    "contains": Counted(
        Word("contient {n} résultat", "contains {n} result"), Word("contient {n} résultats", "contains {n} results")
    ),
    "left_out": Counted(
        Word("{n} élément de plus n’est pas affiché.", "{n} more entry is not shown."),
        Word("{n} éléments de plus ne sont pas affichés.", "{n} more entries are not shown."),
    ),
    "disagrees": Word(
        "L’intervalle de référence de la source dit autre chose :", "The source’s own reference range says otherwise:"
    ),
    "compared": Word("d’après l’intervalle de référence", "by the reference range"),
    "same_elsewhere": Word("Peut-être le même résultat chez", "Perhaps the same result at"),
    "other_elsewhere": Word("Même examen, autre valeur chez", "Same test, another value at"),
    # the end
    "closed_title": Word("La consultation est terminée", "The view is closed"),
    "closed_text": Word(
        "Rien n’a été conservé ici. Vous pouvez fermer cette fenêtre.",
        "Nothing was kept here. You can close this window.",
    ),
    "over_title": Word("Cette page n’est plus affichée", "This page is no longer shown"),
    "over_text": Word(
        "La consultation est terminée, ou cette page n’a pas servi depuis un quart d’heure.",
        "The view is over, or this page was not used for a quarter of an hour.",
    ),
    "over_again": Word("Afficher de nouveau", "Show again"),
    # purpose
    "purpose_title": Word("Pourquoi consultez-vous ces résultats ?", "Why do you look at these results?"),
    "purpose_intro": Word(
        "Le motif est demandé une fois, et enregistré avec chaque consultation.",
        "The purpose is asked for once, and recorded with each look.",
    ),
    "purpose": Word("Motif", "Purpose"),
    "go_on": Word("Continuer", "Continue"),
    # informed
    "informed_word": Word(
        "Je confirme avoir informé le patient de cette consultation, et qu’il ne s’y est pas opposé.",
        "I confirm that I told the patient of this look, and that the patient did not object.",
    ),
    "informed_note": Word(
        "Votre confirmation est enregistrée avant que la source soit interrogée.",
        "Your word is recorded before the source is asked.",
    ),
    # emergency
    "emergency_title": Word("Ouvrir un accès d’urgence", "Open emergency access"),
    "emergency_intro": Word(
        "En urgence, vous pouvez consulter ce que les règles réservent à cette situation. L’accès dure trente minutes, "
        "pour ce seul patient. Il est signalé au responsable de la sécurité, qui peut vous en demander la raison.",
        "In an emergency you may look at what the rules keep for that case. The access lasts thirty minutes, for this "
        "patient only. The security officer is told, and may ask you why.",
    ),
    "emergency_limits": Word(
        "Il n’ouvre pas ce à quoi le patient s’est opposé.", "It does not open what the patient has objected to."
    ),
    "emergency_reason": Word("Raison", "Reason"),
    "emergency_text": Word("Précision (obligatoire pour une autre urgence)", "Details (needed for another emergency)"),
    "emergency_open": Word("Ouvrir l’accès d’urgence", "Open emergency access"),
    "emergency_banner": Word("Accès d’urgence ouvert", "Emergency access is open"),
    "emergency_until": Word("jusqu’à", "until"),
    "emergency_left": Word("reste", "left"),
    "emergency_over": Word("L’accès d’urgence est terminé.", "Emergency access has ended."),
    "emergency_close": Word("Fermer l’accès d’urgence", "Close emergency access"),
    "emergency_stands": Word(
        "L’accès d’urgence à ce patient est ouvert. Fermez-le dès qu’il n’est plus nécessaire.",
        "Emergency access to this patient is open. Close it as soon as it is not needed.",
    ),
}

PERIODS: Final[Mapping[str, tuple[Word, int | None]]] = {
    "all": (Word("Toutes les dates", "All dates"), None),
    "3m": (Word("3 derniers mois", "Last 3 months"), 92),
    "1y": (Word("12 derniers mois", "Last 12 months"), 366),
    "5y": (Word("5 dernières années", "Last 5 years"), 1827),
}
"""Name -> words, days. Everything is the default: a result that is older than a default would be missed."""

PURPOSES: Final[Mapping[str, Word]] = {
    "TREAT": Word("Soigner ce patient", "To treat this patient"),
    "COC": Word("Coordonner ses soins avec d’autres professionnels", "To coordinate the patient’s care with others"),
    "TREATDS": Word("Soigner, avec une aide à la décision", "To treat, with decision support"),
    "ETREAT": Word("Soigner en urgence", "To treat in an emergency"),
}
"""Of v3-ActReason, the first one by default."""

CATEGORIES: Final[Mapping[str, Word]] = {
    "laboratory": Word("Biologie", "Laboratory"),
    "microbiology": Word("Microbiologie", "Microbiology"),
    "imaging": Word("Imagerie", "Imaging"),
    "documents": Word("Documents", "Documents"),
    "medicines": Word("Médicaments", "Medicines"),
    "reimbursements": Word("Remboursements", "Reimbursements"),
    "other": Word("Autres", "Other"),
}

STANDINGS: Final[Mapping[str, Word]] = {
    "awaited": Word("en attente", "awaited"),
    "preliminary": Word("provisoire", "preliminary"),
    "final": Word("définitif", "final"),
    "corrected": Word("corrigé", "corrected"),
    "amended": Word("modifié", "amended"),
    "cancelled": Word("annulé", "cancelled"),
    "superseded": Word("remplacé par une version plus récente", "replaced by a newer version"),
    "entered-in-error": Word("saisi par erreur", "entered in error"),
    "other": Word("", ""),
    "unstated": Word("statut non précisé", "status not stated"),
}
"""`other` is told by the status itself."""

LEVELS: Final[Mapping[str, Word]] = {
    "noted": Word("! signalé", "! noted"),
    "abnormal": Word("! anormal", "! abnormal"),
    "low": Word("▼ bas", "▼ low"),
    "high": Word("▲ élevé", "▲ high"),
    "critical": Word("!! critique", "!! critical"),
    "critically-low": Word("▼▼ critique bas", "▼▼ critically low"),
    "critically-high": Word("▲▲ critique élevé", "▲▲ critically high"),
    "normal": Word("normal", "normal"),
}
"""A sign and a word: colour only adds to them."""

CONTRADICTORY: Final = Word("! contradictoire", "! contradictory")
"""Called normal by its source, whose own range says otherwise."""

HINTS: Final[Mapping[str, Word]] = {
    "reported-in": Word("Fait partie du compte rendu", "Part of the report"),
    "reports": Word("Contient", "Contains"),
    "same-result": Word("Peut-être le même résultat :", "Perhaps the same result as"),
    "other-value": Word("Même examen, autre valeur :", "Same test, another value:"),
    "same-day": Word("Peut-être le même résultat, le même jour :", "Perhaps the same result, on the same day:"),
    "same-identifier": Word("Même numéro :", "Same number as"),
    "replaces": Word("Remplace", "Replaces"),
    "replaced-by": Word("Remplacé par", "Replaced by"),
}

TYPES: Final[Mapping[str, Word]] = {
    "Observation": Word("Résultat", "Result"),
    "DiagnosticReport": Word("Compte rendu", "Report"),
    "DocumentReference": Word("Document", "Document"),
    "ImagingStudy": Word("Examen d’imagerie", "Imaging study"),
    "Condition": Word("Problème de santé", "Condition"),
    "AllergyIntolerance": Word("Allergie ou intolérance", "Allergy or intolerance"),
    "Immunization": Word("Vaccination", "Immunisation"),
    "Procedure": Word("Acte", "Procedure"),
    "MedicationRequest": Word("Prescription", "Prescription"),
    "MedicationDispense": Word("Médicament délivré", "Dispensed medicine"),
    "MedicationStatement": Word("Médicament pris", "Medicine taken"),
    "ExplanationOfBenefit": Word("Remboursement", "Reimbursement"),
}
"""Of the overview. Stands for a title that the source does not give."""

DETAILS: Final[Mapping[str, Word]] = {
    "abatement": Word("Résolution ou rémission", "Resolved or in remission"),
    "act": Word("Acte", "Act"),
    "amount-billed": Word("Montant facturé", "Amount billed"),
    "authenticator": Word("Validé par", "Authenticated by"),
    "author": Word("Auteur", "Author"),
    "body-site": Word("Site anatomique", "Body site"),
    "category": Word("Catégorie", "Category"),
    "complication": Word("Complication", "Complication"),
    "conclusion": Word("Conclusion", "Conclusion"),
    "condition": Word("État", "Condition"),
    "criticality": Word("Gravité possible", "Criticality"),
    "custodian": Word("Détenteur", "Custodian"),
    "days-supply": Word("Durée du traitement", "Days of supply"),
    "device": Word("Dispositif", "Device"),
    "dosage": Word("Posologie", "Dosage"),
    "dose": Word("Dose", "Dose"),
    "dose-number": Word("Schéma vaccinal", "Vaccination schedule"),
    "evidence": Word("Éléments en faveur", "Evidence"),
    "fasting": Word("À jeun", "Fasting"),
    "follow-up": Word("Suivi", "Follow-up"),
    "form": Word("Forme", "Form"),
    "ingredient": Word("Composition", "Ingredient"),
    "instances": Word("Nombre d’images", "Images"),
    "instruction": Word("Consigne", "Instruction"),
    "insurer": Word("Assureur", "Insurer"),
    "intent": Word("Intention", "Intent"),
    "interpreter": Word("Interprété par", "Interpreted by"),
    "issued": Word("Publié le", "Issued"),
    "last-occurrence": Word("Dernière survenue", "Last occurrence"),
    "location": Word("Lieu", "Place"),
    "lot-number": Word("Numéro de lot", "Lot number"),
    "manufacturer": Word("Fabricant", "Manufacturer"),
    "method": Word("Méthode", "Method"),
    "modality": Word("Modalité", "Modality"),
    "outcome": Word("Issue", "Outcome"),
    "patient-instruction": Word("Consigne au patient", "Instruction to the patient"),
    "priority": Word("Priorité", "Priority"),
    "quantity": Word("Quantité", "Quantity"),
    "reaction": Word("Réaction", "Reaction"),
    "reaction-onset": Word("Début de la réaction", "Reaction began"),
    "reason": Word("Motif", "Reason"),
    "received": Word("Reçu le", "Received"),
    "recorded": Word("Noté le", "Recorded"),
    "repeats": Word("Renouvellements", "Repeats"),
    "requester": Word("Prescripteur", "Requester"),
    "route": Word("Voie", "Route"),
    "series": Word("Séries", "Series"),
    "severity": Word("Sévérité", "Severity"),
    "specimen": Word("Prélèvement", "Specimen"),
    "stage": Word("Stade", "Stage"),
    "substance": Word("Substance en cause", "Substance"),
    "substitutable": Word("Substitution permise", "Substitution allowed"),
    "substituted": Word("Substitué", "Substituted"),
    "substitution": Word("Type de substitution", "Kind of substitution"),
    "target": Word("Maladie visée", "Target disease"),
    "validity": Word("Valable", "Valid"),
    "verification": Word("Vérification", "Verification"),
}
"""Of `readings.result.DETAIL_NAMES`."""
