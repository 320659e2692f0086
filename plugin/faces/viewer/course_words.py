"""What the pages of trends and reimbursements say, French and English side by side."""

from collections.abc import Mapping
from typing import Final

from plugin.faces.pages.wording import Counted, Word

COURSES: Final[Mapping[str, Word | Counted]] = {
    # trends
    "trend": Word("Évolution", "Trend"),
    "trend_nothing": Word(
        "Rien à montrer de cet examen pour le moment.", "Nothing to show of this test for the moment."
    ),
    "values_table": Word("Toutes les valeurs", "All values"),
    "local_closed": Word(
        "Les résultats de votre propre dossier ne sont pas joints : votre logiciel n’y donne pas accès ici.",
        "Results of your own record are not shown beside them: your software gives no access to them here.",
    ),
    "local": Word("local", "local"),
    "converted": Word("soit", "that is"),
    "legend": Word("Légende", "Key"),
    "key_band": Word("Bande : intervalle de référence de la source", "Band: the source’s reference range"),
    "key_ring": Word(
        "Cercle autour : anormal ; cercle épais : critique", "Ring around: abnormal; thick ring: critical"
    ),
    "key_hollow": Word(
        "Marque vide : provisoire, ou limite de mesure (flèche)", "Hollow mark: preliminary, or a limit (with an arrow)"
    ),
    "not_drawn": Counted(
        Word(
            "{n} résultat annulé, ou sans nombre, date ou unité certaine, est dans le tableau seulement.",
            "{n} result that is cancelled, or has no number, date or certain unit, is in the table only.",
        ),
        Word(
            "{n} résultats annulés, ou sans nombre, date ou unité certaine, sont dans le tableau seulement.",
            "{n} results that are cancelled, or have no number, date or certain unit, are in the table only.",
        ),
    ),
    "units_apart": Word(
        "Ces unités ne se convertissent pas exactement l’une dans l’autre : chacune a son graphique.",
        "These units do not convert exactly into each other: each has its own chart.",
    ),
    # reimbursements
    "reimbursements": Word("Remboursements", "Reimbursements"),
    "reimbursements_title": Word("Remboursements, douze mois", "Reimbursements, twelve months"),
    "reimbursements_note": Word(
        "Consultés à l’instant chez l’assureur ; rien n’en est conservé.",
        "Looked at just now at the insurer; nothing of it is kept.",
    ),
    "no_insurer": Word("Aucune source ne donne de remboursements.", "No source gives reimbursements."),
    "month_nothing": Word("Rien à montrer ce mois-ci.", "Nothing to show in this month."),
    "all_months": Word("Douze mois", "Twelve months"),
    "older": Word("Plus ancien", "Older"),
    "later": Word("Daté après ce mois", "Dated after this month"),
    "undated_lines": Word("Sans date précise", "Without an exact date"),
    "act": Word("Acte, produit ou prestation", "Act, product or benefit"),
    "quantity": Word("Quantité", "Quantity"),
    "prescriber": Word("Prescripteur", "Prescriber"),
    "billed": Word("Facturé", "Billed"),
    "paid": Word("Remboursé", "Reimbursed"),
    "base": Word("base de remboursement :", "reimbursement base:"),
    "of_whole_claim": Word("pour toute la facture", "for the whole claim"),
    "long_term_illness": Word("ALD", "long-term illness"),
    "cancelled": Word("annulé, non compté", "cancelled, not counted"),
    "not_counted": Word("non compté", "not counted"),
}
"""Of trend.html and reimbursements.html, beside words.PAGE."""

NATURES: Final[Mapping[str, Word]] = {
    "care": Word("Soins", "Care"),
    "medicine": Word("Médicaments", "Medicines"),
    "sick-leave": Word("Arrêt de travail", "Sick leave"),
}
"""Of readings.benefits.Nature."""

IN_MONTH: Final[Mapping[str, Counted]] = {
    "care": Counted(Word("{n} soin", "{n} act of care"), Word("{n} soins", "{n} acts of care")),
    "medicine": Counted(Word("{n} médicament", "{n} medicine"), Word("{n} médicaments", "{n} medicines")),
    "sick-leave": Counted(
        Word("{n} arrêt de travail", "{n} sick leave"), Word("{n} arrêts de travail", "{n} sick leaves")
    ),
}

NO_TOTALS: Final[Mapping[str, Word]] = {
    "nothing": Word("", ""),
    "amount-missing": Word("Pas de total : un montant n’est pas indiqué.", "No total: an amount is not stated."),
    "several-currencies": Word(
        "Pas de total : plusieurs monnaies, ou une monnaie non indiquée.",
        "No total: several currencies, or one that is not stated.",
    ),
    "several-sources": Word(
        "Pas de total : deux sources peuvent parler du même remboursement.",
        "No total: two sources may speak of the same reimbursement.",
    ),
    "not-exact": Word("Pas de total exact.", "No exact total."),
}
"""Of readings.reimbursement_months.NoTotal; nothing is said of a month that is empty anyway."""

TOTAL: Final = Word("Remboursé, total affiché : {0}", "Reimbursed, total shown: {0}")

CHART: Final = Word("{0} : {1}.", "{0}: {1}.")
CHART_SPAN: Final = Word("du {0} au {1}", "from {0} to {1}")
CHART_EXTREMES: Final = Word("La plus basse : {0}. La plus haute : {1}.", "Lowest: {0}. Highest: {1}.")
CHART_TABLE: Final = Word("Le tableau qui suit donne chaque valeur.", "The table below gives every value.")
VALUES: Final = Counted(Word("{n} valeur", "{n} value"), Word("{n} valeurs", "{n} values"))
ABNORMAL: Final = Counted(Word("{n} anormale.", "{n} abnormal."), Word("{n} anormales.", "{n} abnormal."))
TIMELINE: Final = Word(
    "Une colonne par mois, du plus ancien au plus récent. Les tableaux qui suivent disent la même chose.",
    "One column a month, the oldest first. The tables below say the same.",
)
