"""Makes a page: a template of a face over the shared base, in one language, with the headers that go with it.

Style and script stand in the page itself under a nonce of its own: nothing is fetched but what the page shows, and
nothing that was written into a page from outside could run. What a page says is the face's.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Response, request
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from plugin.faces.pages import wording
from plugin.faces.pages.style import PLAIN, Style
from plugin.faces.pages.wording import DEFAULT, Counted, Language, Say, Word, known_language

HERE = Path(__file__).parent
SHARED = HERE / "templates"

WORDS: Mapping[str, Word | Counted] = {
    "skip": Word("Aller au contenu", "Skip to the content"),
    "look_only": Word("Consultation seule", "View only"),
    "recorded": Word(
        "Rien n’est copié dans le dossier. Chaque consultation est enregistrée à votre nom.",
        "Nothing is copied into the record. Every look is recorded under your name.",
    ),
    "print_title": Word("Impression non disponible", "Not available in print"),
    "print_notice": Word(
        "Ces résultats se consultent à l’écran et ne s’impriment pas. Cette tentative d’impression a pu être "
        "enregistrée. Pour un document à conserver, adressez-vous à la source.",
        "These results are for the screen and are not printed. This attempt to print may have been recorded. "
        "For a document to keep, ask the source.",
    ),
    "language": Word("Langue", "Language"),
    "request": Word("Référence", "Reference"),
}
"""Of the base template."""

LANGUAGE_NAMES = {"fr": "Français", "en": "English"}


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds a page of one request."""

    language: Language
    ancestors: Sequence[str] = ()
    """Origins that may frame it."""
    style: Style = PLAIN


class Pages:
    """The pages of one face. Safe to call from several threads."""

    def __init__(self, folder: Path, words: Mapping[str, Word | Counted], *styles: str) -> None:
        """`folder` holds the face's templates, which may extend `base.html`; `styles` name style sheets there."""
        self._words = {**WORDS, **words}
        self._folder = folder
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(SHARED)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        sheets = [SHARED / "pages.css"] + [folder / each for each in styles]
        self._style = "".join(each.read_text(encoding="utf-8") for each in sheets)

    def whole(
        self, template: str, frame: Frame, *, status: int = 200, script: str | None = None, **values: Any
    ) -> Response:
        """A page. `script`: the name of a file beside the templates, without which the page works too."""
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        text = self.part(
            template,
            frame,
            nonce=nonce,
            style=Markup(self._style + frame.style.css),  # noqa: S704 - ours, and colours that were taken apart
            script=None if script is None else Markup((self._folder / script).read_text(encoding="utf-8")),  # noqa: S704
            languages=[(code, name) for code, name in LANGUAGE_NAMES.items() if code != frame.language],
            **values,
        )
        response = Response(text, status, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = policy(nonce, frame.ancestors)
        return response

    def part(self, template: str, frame: Frame, **values: Any) -> str:
        """A piece of HTML for a page that is there already, or for `whole`."""
        language = frame.language
        say = Say(self._words, language)
        tools = {
            "day": lambda moment: wording.day(moment, language),
            "instant": lambda moment: wording.instant(moment, language),
            "clock": lambda moment: wording.clock(moment, language),
            "number": lambda number: wording.number_text(number, language),
            "words": lambda word: word.said(language),
        }
        return self._environment.get_template(template).render(language=language, say=say, **tools, **values)


def policy(nonce: str, ancestors: Sequence[str]) -> str:
    """The Content-Security-Policy of a page (view_only.md section 4): our own origin, our own script, named frames."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"style-src 'nonce-{nonce}'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors " + (" ".join(ancestors) or "'none'"),
        ]
    )


def chosen_language(locale: str | None = None) -> Language:
    """What the address asks for (`lang`), else the EHR's `locale`, else what the browser prefers, else English."""
    asked = known_language(request.args.get("lang")) or known_language(locale)
    if asked is not None:
        return asked
    # Not by `best_match`: to it `fr-CH, en;q=0.5` is English, since only that is a language of ours to the letter.
    preferred = (known_language(tag) for tag, quality in request.accept_languages if quality > 0)
    return next(filter(None, preferred), DEFAULT)
