"""What the demonstration's web pages share: language, headers, the words in French and English."""

from collections.abc import Mapping

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

LANGUAGES = ("en", "fr")
LOCAL_NAMES = ["127.0.0.1", "localhost"]
"""A page elsewhere that has its own name point at 127.0.0.1 gets no answer."""

WORDS: Mapping[str, Mapping[str, str]] = {
    "pretend": {
        "en": "A demonstration on this computer only. Every person and result is invented.",
        "fr": "Une démonstration, sur cet ordinateur seulement. Les personnes et les résultats sont inventés.",
    },
    "ehr": {"en": "Pretend EHR", "fr": "Dossier patient fictif"},
    "error": {"en": "This cannot be done", "fr": "Impossible de continuer"},
    "sign_in": {"en": "Who are you pretending to be?", "fr": "Qui voulez-vous être ?"},
    "no_password": {
        "en": "No password: this login is a pretend one. A real one would ask for a professional's card or code.",
        "fr": "Aucun mot de passe : cette connexion est fictive. Une vraie demanderait une carte professionnelle.",
    },
    "practitioner": {"en": "Professional", "fr": "Professionnel"},
    "patient": {"en": "Patient", "fr": "Patient"},
    "born": {"en": "born", "fr": "né(e) le"},
    "wants": {
        "en": "asks to look, without storing anything, at:",
        "fr": "demande à consulter, sans rien enregistrer :",
    },
    "continue": {"en": "Continue", "fr": "Continuer"},
    "cancel": {"en": "Cancel", "fr": "Annuler"},
    "patients": {"en": "Patients", "fr": "Patients"},
    "name": {"en": "Name", "fr": "Nom"},
    "birth_date": {"en": "Birth date", "fr": "Date de naissance"},
    "view_frame": {"en": "Outside results beside the record", "fr": "Résultats externes à côté du dossier"},
    "view_tab": {"en": "Outside results in a tab", "fr": "Résultats externes dans un onglet"},
    "view_intro": {
        "en": "Each patient's outside results open beside the record, or in a tab: to look at, not to take.",
        "fr": "Les résultats externes de chaque patient s'ouvrent à côté du dossier ou dans un onglet : à consulter, "
        "pas à copier.",
    },
    "own_record": {
        "en": "This EHR's own record of the patient would stand here. No outside result ever comes to stand in it.",
        "fr": "Le dossier du patient dans ce logiciel serait ici. Aucun résultat externe n'y est jamais copié.",
    },
    "for_programs": {"en": "For programs: the FHIR facade", "fr": "Pour les programmes : la façade FHIR"},
    "look": {"en": "Look at outside results", "fr": "Consulter les résultats externes"},
    "look_at": {"en": "Get a token", "fr": "Obtenir un jeton"},
    "intro": {
        "en": "Vitrine lets this EHR show results that laboratories and others hold, without importing them. "
        "For each patient, the line to type. $TOKEN stands for an access token: get one by the link beside it.",
        "fr": "Vitrine permet à ce dossier d'afficher les résultats détenus par des laboratoires et d'autres, sans les "
        "importer. Pour chaque patient, la ligne à taper. $TOKEN est un jeton d'accès : le lien à côté en donne un.",
    },
    "lines": {"en": "Lines that work for an hour", "fr": "Des lignes valables une heure"},
    "lines_intro": {
        "en": "Paste one into a terminal. The token is in it. Each look leaves one record, under the name you chose.",
        "fr": "À coller dans un terminal. Le jeton y est. Chaque consultation laisse une trace, au nom choisi.",
    },
    "back": {"en": "Back to the patients", "fr": "Retour aux patients"},
    "other_language": {"en": "Français", "fr": "English"},
    "skip": {"en": "Skip to content", "fr": "Aller au contenu"},
}


def prepare(
    app: Flask,
    form_targets: tuple[str, ...] = (),
    frames: tuple[str, ...] = (),
    framed_by: tuple[str, ...] = (),
) -> None:
    """Give `app` the pages' language, words, headers and error page.

    `form_targets`: origins to which a submitted form may end up being redirected; `frames`: whose pages may stand in
    ours, and `framed_by`: in whose ours may.
    """
    app.config["TRUSTED_HOSTS"] = LOCAL_NAMES
    policy = "; ".join(
        [
            "default-src 'none'",
            "style-src 'self'",
            "form-action " + " ".join(["'self'", *form_targets]),
            "base-uri 'none'",
            "frame-src " + (" ".join(frames) or "'none'"),
            "frame-ancestors " + (" ".join(framed_by) or "'none'"),
        ]
    )

    app.template_filter("day")(_day)

    @app.context_processor
    def _words() -> dict[str, object]:
        language = chosen_language()
        return {
            "language": language,
            "other_language": LANGUAGES[1 - LANGUAGES.index(language)],
            "say": {key: words[language] for key, words in WORDS.items()},
        }

    @app.after_request
    def _headers(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.errorhandler(HTTPException)
    def _error(error: HTTPException) -> tuple[str, int]:
        return render_template("error.html", status=error.code, sentence=error.description), error.code or 500


def _day(date: str) -> str:
    """An ISO date as the page's language writes it: day first in French."""
    return "/".join(reversed(date.split("-"))) if chosen_language() == "fr" else date


def chosen_language() -> str:
    """`lang` of the address if it is one of ours, else what the browser prefers, else English."""
    asked = request.args.get("lang", "")
    return asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or "en"
