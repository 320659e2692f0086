"""What a launch says to the person when it opens no view, in French and English."""

from collections.abc import Mapping
from typing import Final

from plugin.errors import LaunchMalformed
from plugin.faces.pages.wording import Counted, Word
from policies.vocabulary.consultation import Reason

_AGAIN: Final = Word(
    "Fermez cette fenêtre et ouvrez de nouveau la consultation depuis le dossier du patient.",
    "Close this window and open the view again from the patient’s record.",
)
_LATER: Final = Word(
    "Réessayez dans un instant depuis le dossier du patient.",
    "Try again in a moment from the patient’s record.",
)
_TELL: Final = Word(
    "Si cela se reproduit, prévenez votre support informatique et donnez-lui la référence ci-dessous.",
    "If it happens again, tell your IT support, with the reference below.",
)
_NO_LAUNCH: Final = (
    Word(
        "La consultation s’ouvre depuis le dossier d’un patient, pas par cette adresse.",
        "The view opens from a patient’s record, not by this address.",
    ),
    _AGAIN,
)

PROBLEMS: Final[Mapping[str, tuple[Word, Word]]] = {
    LaunchMalformed.reason: _NO_LAUNCH,
    Reason.METHOD_NOT_ALLOWED: _NO_LAUNCH,
    Reason.UNKNOWN_ADDRESS: _NO_LAUNCH,
    "launch-foreign": (
        Word(
            "Cette ouverture ne vient pas d’un logiciel de dossier patient connu ici.",
            "This does not come from a record system that is known here.",
        ),
        _TELL,
    ),
    "launch-mixed-up": (
        Word(
            "Cette connexion n’a pas été commencée dans cette fenêtre, a déjà servi, ou a duré trop longtemps ; ou ce "
            "navigateur n’accepte pas les cookies de cette adresse.",
            "This sign-in was not begun in this window, was used already, or took too long; or this browser does not "
            "accept cookies from this address.",
        ),
        _AGAIN,
    ),
    "launch-denied": (
        Word(
            "La connexion a été annulée, ou le logiciel de dossier patient ne l’a pas permise.",
            "The sign-in was cancelled, or the record system did not allow it.",
        ),
        _AGAIN,
    ),
    "launch-unproven": (
        Word(
            "Le logiciel de dossier patient n’a pas prouvé qui vous êtes. Rien n’a été ouvert.",
            "The record system did not prove who you are. Nothing was opened.",
        ),
        _TELL,
    ),
    "access-denied": (
        Word(
            "La consultation est réservée aux professionnels de santé identifiés comme tels.",
            "The view is for health professionals who are identified as such.",
        ),
        _TELL,
    ),
    "patient-required": (
        Word("Aucun patient n’est ouvert dans le dossier.", "No patient is open in the record."),
        _AGAIN,
    ),
    "issuer-unreachable": (
        Word(
            "Le service de connexion du dossier patient ne répond pas, ou signale une panne.",
            "The sign-in service of the record system does not answer, or reports a failure.",
        ),
        _LATER,
    ),
    "caller-throttled": (
        Word("Trop de tentatives ont échoué depuis ce réseau.", "Too many attempts from this network have failed."),
        _LATER,
    ),
}
"""What happened, and what to do: by the reason of the error."""

FORGOTTEN_IN_A_FRAME: Final = Word(
    "Votre navigateur ne garde rien dans ce cadre, et la connexion serait perdue en chemin.",
    "Your browser keeps nothing in this frame, so the sign-in would be lost on the way.",
)
FORGOTTEN: Final = Word(
    "Votre navigateur n’a pas gardé le début de cette connexion, qui serait perdue en chemin.",
    "Your browser did not keep the beginning of this sign-in, which would be lost on the way.",
)
"""In a tab, or where the browser does not say."""

OTHERWISE: Final = (
    Word(
        "La consultation ne peut pas s’ouvrir pour l’instant. Rien n’a été montré.",
        "The view cannot be opened now. Nothing was shown.",
    ),
    _LATER,
)

WORDS: Final[Mapping[str, Word | Counted]] = {
    "not_opened": Word("La consultation ne s’est pas ouverte", "The view did not open"),
    "own_window": Word("Ouvrir dans un onglet", "Open in a tab"),
}
"""Of the templates."""
