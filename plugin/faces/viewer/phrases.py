"""Sentences about values of a source, French and English side by side: how a dose, its rhythm or an age is told."""

from collections.abc import Mapping
from typing import Final

from plugin.faces.pages.wording import Counted, Word

_SPACE: Final = "\u00a0"
"""Between a number and its unit, which stay on one line."""


def _number_of(fr: Word, en: Word) -> Counted:
    """What is counted, behind its number; here a Word is a singular and its plural."""
    return Counted(*[Word(*[f"{{0}}{_SPACE}{each}" for each in pair]) for pair in zip(fr, en, strict=True)])


_LENGTHS: Final[Mapping[str, Counted]] = {
    "s": _number_of(Word("seconde", "secondes"), Word("second", "seconds")),
    "min": _number_of(Word("minute", "minutes"), Word("minute", "minutes")),
    "h": _number_of(Word("heure", "heures"), Word("hour", "hours")),
    "d": _number_of(Word("jour", "jours"), Word("day", "days")),
    "wk": _number_of(Word("semaine", "semaines"), Word("week", "weeks")),
    "mo": _number_of(Word("mois", "mois"), Word("month", "months")),
    "a": _number_of(Word("an", "ans"), Word("year", "years")),
}

_PER: Final[Mapping[str, Word]] = {
    "s": Word("par seconde", "a second"),
    "min": Word("par minute", "a minute"),
    "h": Word("par heure", "an hour"),
    "d": Word("par jour", "a day"),
    "wk": Word("par semaine", "a week"),
    "mo": Word("par mois", "a month"),
    "a": Word("par an", "a year"),
}

_EACH: Final[Mapping[str, Word]] = {
    "s": Word("chaque seconde", "each second"),
    "min": Word("chaque minute", "each minute"),
    "h": Word("chaque heure", "each hour"),
    "d": Word("chaque jour", "each day"),
    "wk": Word("chaque semaine", "each week"),
    "mo": Word("chaque mois", "each month"),
    "a": Word("chaque année", "each year"),
}

_EVERY: Final[Mapping[str, Word]] = {
    unit: Word("toutes les {0}" if unit in ("s", "min", "h", "wk") else "tous les {0}", "every {0}")
    for unit in _LENGTHS
}

_DOSES: Final[Mapping[str, Counted]] = {
    "ampoule": _number_of(Word("ampoule", "ampoules"), Word("ampoule", "ampoules")),
    "capsule": _number_of(Word("gélule", "gélules"), Word("capsule", "capsules")),
    "drop": _number_of(Word("goutte", "gouttes"), Word("drop", "drops")),
    "patch": _number_of(Word("patch", "patchs"), Word("patch", "patches")),
    "puff": _number_of(Word("bouffée", "bouffées"), Word("puff", "puffs")),
    "sachet": _number_of(Word("sachet", "sachets"), Word("sachet", "sachets")),
    "suppository": _number_of(Word("suppositoire", "suppositoires"), Word("suppository", "suppositories")),
    "tablet": _number_of(Word("comprimé", "comprimés"), Word("tablet", "tablets")),
}

PHRASES: Final[Mapping[str, Word | Counted]] = {
    **{f"length/{unit}": words for unit, words in _LENGTHS.items()},
    **{f"per/{unit}": words for unit, words in _PER.items()},
    **{f"each/{unit}": words for unit, words in _EACH.items()},
    **{f"every/{unit}": words for unit, words in _EVERY.items()},
    **{f"dose/{unit}": words for unit, words in _DOSES.items()},
    "to": Word("{0} à {1}", "{0} to {1}"),
    "beside": Word("{0} {1}", "{0} {1}"),
    "in-brackets": Word("{0} ({1})", "{0} ({1})"),
    # how often
    "once": Word("1 fois", "once"),
    "twice": Word("2 fois", "twice"),
    "times": Word("{0} fois", "{0} times"),
    "up-to": Word("jusqu’à {0}", "up to {0}"),
    "in-all": Word("{0} en tout", "{0} in all"),
    "over": Word("en {0}", "over {0}"),
    "for": Word("pendant {0}", "for {0}"),
    "on": Word("le {0}", "on {0}"),
    "at": Word("à {0}", "at {0}"),
    # how much
    "amount-in": Word("{0} en {1}", "{0} in {1}"),
    "amount-for": Word("{0} pour {1}", "{0} for {1}"),
    "rate": Word("débit : {0}", "rate: {0}"),
    "at-most": Word("maximum {0}", "at most {0}"),
    "at-most-at-once": Word("maximum {0} par prise", "at most {0} at a time"),
    "at-most-in-life": Word("maximum {0} au cours de la vie", "at most {0} in a lifetime"),
    # how
    "as-needed": Word("si besoin", "as needed"),
    "as-needed-for": Word("si besoin ({0})", "as needed ({0})"),
    "route": Word("voie : {0}", "route: {0}"),
    "site": Word("site : {0}", "site: {0}"),
    "method": Word("mode d’administration : {0}", "method: {0}"),
    # one dosage after another
    "then": Word("puis : {0}", "then: {0}"),
    "together": Word("en même temps : {0}", "at the same time: {0}"),
    "dosage-cut": Word(
        "une partie de la posologie n’est pas affichée ici", "part of the dosage is not shown here"
    ),
    # elsewhere
    "aged": Word("à l’âge de {0}", "aged {0}"),
    "about": Word("concerne {0}, et non le patient lui-même", "about {0}, not the patient"),
    "about-another": Word("ne concerne pas le patient lui-même", "not about the patient"),
    "about-own": Word("concerne {0}", "about {0}"),
    "about-own-entry": Word("concerne un autre élément du dossier", "about another entry of the record"),
    "reported": Word("rapporté, non constaté par la source", "reported, not recorded first-hand by the source"),
    "reported-by": Word("rapporté par : {0}", "reported by: {0}"),
    "specimen-is": Word("prélèvement : {0}", "specimen: {0}"),
    "related/appends": Word("complète {0}", "adds to {0}"),
    "related/signs": Word("signe {0}", "signs {0}"),
    "related/transforms": Word("transcrit {0}", "transformed from {0}"),
    "another-document": Word("un autre document", "another document"),
    "because": Word("motif : {0}", "reason: {0}"),
    "dose": Word("dose {0}", "dose {0}"),
    "out-of": Word("{0} sur {1}", "{0} of {1}"),
}  # fmt: skip
"""What a `Said` can say. `{0}` and `{1}` are its values."""
