"""What a clinician is told when there is no answer: what happened, and what to do, without a rule's text.

Each of our stable reason keys is one problem here; a key that nobody thought of is told as an error of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from plugin.errors import ConsultError, Refused
from plugin.faces.pages.wording import Word
from policies.vocabulary.consultation import Reason

ALL_SOURCES: Final = Word("ces résultats", "these results")
"""Stands for the source on a page that is of none."""
_OF_A_SOURCE: Final = "la source «\u00a0{source}\u00a0»"

SUSPENDED: Final = "suspended"
"""The core rule by which a person, a client or a feed is stopped."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One way of not being answered."""

    title: Word
    """In a section of one source `{source}` is its name."""
    advice: Word
    again: bool = False
    """Trying again makes sense."""

    def titled(self, source: Word | None) -> Word:
        """The title on a page of `source`, or of none."""
        if source is None:
            source, french = ALL_SOURCES, self.title.fr.replace(_OF_A_SOURCE, "{source}")
        else:
            french = self.title.fr
        return Word(french.replace("{source}", source.fr), self.title.en.replace("{source}", source.en))


_REOPEN: Final = Word(
    "Fermez cette fenêtre et rouvrez les résultats externes depuis le dossier du patient.",
    "Close this window and open the outside results again from the patient’s record.",
)
_LATER: Final = Word("Réessayez dans un instant.", "Try again in a moment.")
_ASK: Final = Word(
    "Si vous en avez besoin pour soigner ce patient, adressez-vous au responsable de la sécurité.",
    "If you need this to care for the patient, ask the security officer.",
)

_SILENT = Problem(
    Word("{source} n’a pas répondu.", "{source} did not answer."),
    Word(
        "Des résultats peuvent exister et manquer ici. Réessayez, ou appelez la source.",
        "Results may exist and be missing here. Try again, or call the source.",
    ),
    again=True,
)
_REFUSED = Problem(
    Word(
        "Les règles d’accès ne permettent pas de consulter la source «\u00a0{source}\u00a0» ici.",
        "The access rules do not allow a look at {source} here.",
    ),
    _ASK,
)
_SUSPENDED = Problem(
    Word("L’accès à la source «\u00a0{source}\u00a0» est suspendu.", "Access to {source} is suspended."),
    Word(
        "Votre accès, l’application ou la source ont été suspendus. Adressez-vous au responsable de la sécurité.",
        "Your access, the application or the source has been suspended. Ask the security officer.",
    ),
)
_OVER = Problem(Word("Cette consultation est terminée.", "This view is over."), _REOPEN)
_FAULT = Problem(
    Word("Une erreur s’est produite chez nous.", "Something went wrong on our side."),
    Word(
        "Rien n’a été montré. Réessayez ; si cela persiste, donnez la référence ci-dessous au support.",
        "Nothing was shown. Try again; if it persists, give the reference below to your support.",
    ),
    again=True,
)
_UNAVAILABLE = Problem(
    Word("Le service est momentanément indisponible.", "The service is unavailable at the moment."),
    Word(
        "Sans trace enregistrée, rien ne peut être montré. Réessayez dans un instant.",
        "Without a record, nothing can be shown. Try again in a moment.",
    ),
    again=True,
)
_BUSY = Problem(Word("Le service est très sollicité.", "The service is busy."), _LATER, again=True)
_GONE = Problem(
    Word("Il n’y a rien à montrer à cette adresse.", "There is nothing to show at this address."),
    Word("Revenez à la vue d’ensemble.", "Go back to the overview."),
)

_PROBLEMS: Final[Mapping[str, Problem]] = {
    "no-credential": _OVER,
    "invalid-token": _OVER,
    "expired-token": _OVER,
    "view-over": _OVER,
    "view-unknown": Problem(
        Word("Cette consultation n’est pas ouverte pour vous ici.", "This view is not open for you here."), _REOPEN
    ),
    "form-foreign": Problem(
        Word("Ce formulaire n’a pas été accepté.", "This form was not accepted."),
        Word(
            "Il ne venait pas d’une page ouverte de cette consultation. Rien n’a été fait. Recommencez depuis la page.",
            "It did not come from an open page of this view. Nothing was done. Start again from the page.",
        ),
    ),
    "caller-throttled": Problem(Word("Trop d’essais infructueux.", "Too many failed attempts."), _LATER),
    Reason.ACCESS_DENIED: _REFUSED,
    Reason.INSUFFICIENT_SCOPE: Problem(
        Word(
            "Le dossier du patient n’a pas donné le droit de consulter la source «\u00a0{source}\u00a0».",
            "The patient’s record has not granted a look at {source}.",
        ),
        _ASK,
    ),
    Reason.UNKNOWN_TYPE: _REFUSED,
    Reason.QUOTA: Problem(
        Word(
            "Le nombre de consultations permis par heure est atteint.",
            "The number of looks allowed in an hour is reached.",
        ),
        Word(
            "Consulter n’est pas extraire. Réessayez dans quelques minutes ; en cas d’urgence, appelez la source.",
            "A view is not an extraction. Try again in some minutes; in an emergency, call the source.",
        ),
        again=True,
    ),
    Reason.TOO_COSTLY: Problem(
        Word(
            "{source} a plus de résultats qu’une consultation ne peut en montrer.",
            "{source} has more results than one look can show.",
        ),
        Word(
            "Rien n’est montré plutôt qu’une liste tronquée. Choisissez une période plus courte.",
            "Nothing is shown rather than a list cut short. Choose a shorter period.",
        ),
    ),
    Reason.NOT_FOUND: _GONE,
    Reason.UNKNOWN_ADDRESS: _GONE,
    Reason.UNKNOWN_FEED: _GONE,
    Reason.METHOD_NOT_ALLOWED: Problem(
        Word("Cela ne se fait pas ici.", "This cannot be done here."),
        Word("Ici, on consulte seulement.", "Here, results are looked at and nothing else."),
    ),
    Reason.BREAK_GLASS_OPEN: Problem(
        Word("L’accès d’urgence est déjà ouvert pour ce patient.", "Emergency access to this patient is open already."),
        Word("Revenez à la vue d’ensemble.", "Go back to the overview."),
    ),
    Reason.BREAK_GLASS_NOT_OPEN: Problem(
        Word("Aucun accès d’urgence n’est ouvert pour ce patient.", "No emergency access to this patient is open."),
        Word("Revenez à la vue d’ensemble.", "Go back to the overview."),
    ),
    "purpose-stated": Problem(
        Word("Le motif de cette consultation est déjà indiqué.", "The purpose of this view is stated already."),
        Word(
            "Pour un autre motif, rouvrez les résultats externes depuis le dossier du patient.",
            "For another purpose, open the outside results again from the patient’s record.",
        ),
    ),
    Reason.INVALID_VALUE: Problem(
        Word("Le formulaire n’est pas complet.", "The form is not complete."),
        Word("Vérifiez ce que vous avez saisi, puis recommencez.", "Check what you entered, then try again."),
    ),
    "feed-failed": Problem(
        Word("{source} n’a pas donné de réponse utilisable.", "{source} gave no usable answer."),
        _SILENT.advice,
        again=True,
    ),
    "file-unusable": Problem(
        Word(
            "Le fichier reçu n’est pas celui que la source annonce : abîmé, changé ou d’un autre type.",
            "The file is not what the source says: damaged, changed or of another kind.",
        ),
        Word("Rien n’en est montré. Demandez-le à la source.", "Nothing of it is shown. Ask the source for it."),
    ),
    "feed-unreachable": _SILENT,
    "feed-timeout": _SILENT,
    "feed-busy": _SILENT,
    "ehr-failed": Problem(
        Word("L’identité du patient n’a pas pu être vérifiée.", "The patient’s identity could not be checked."),
        Word(
            "Le dossier du patient ne répond pas : aucune source ne peut être interrogée. Réessayez dans un instant.",
            "The patient’s record does not answer, so no source can be asked. Try again in a moment.",
        ),
        again=True,
    ),
    "ehr-refused": Problem(
        Word("L’identité du patient n’a pas pu être vérifiée.", "The patient’s identity could not be checked."),
        Word(
            "Le dossier du patient n’accepte pas, ou plus, cette consultation. Fermez cette fenêtre et rouvrez les "
            "résultats externes depuis ce dossier ; si cela se reproduit, prévenez votre support.",
            "The patient’s record does not accept this view, or no longer does. Close this window and open the outside "
            "results again from that record; if it happens again, tell your support.",
        ),
    ),
    "issuer-unreachable": _BUSY,
    "overloaded": _BUSY,
    "state-unavailable": _UNAVAILABLE,
    "no-space": _UNAVAILABLE,
    "no-store": _UNAVAILABLE,
    "malformed-request": Problem(
        Word("Cette demande n’a pas pu être lue.", "This request could not be read."), _REOPEN
    ),
}


def problem_of(error: ConsultError) -> Problem:
    """What the clinician is told of `error`."""
    if isinstance(error, Refused) and SUSPENDED in error.rules:
        return _SUSPENDED
    return _PROBLEMS.get(error.reason, _FAULT)
