"""What the pages of documents say, French and English side by side."""

from collections.abc import Mapping
from typing import Final

from plugin.faces.pages.wording import Counted, Word
from plugin.faces.viewer.problems import Problem
from plugin.rendering.job import Problem as Unrendered

WORDS: Final[Mapping[str, Word | Counted]] = {
    "document": Word("Document", "Document"),
    "document_open": Word("Ouvrir", "Open"),
    "document_read": Word("Lire le texte", "Read the text"),
    "document_of": Word("Source :", "Source:"),
    "document_files": Word("Fichiers", "Files"),
    "document_file": Word("Fichier", "File"),
    "document_text": Word("Texte du document", "The document’s own text"),
    "document_no_text": Word(
        "Ce document n’a ni texte propre ni fichier.", "This document has neither a text of its own nor a file."
    ),
    "document_text_empty": Word(
        "Le texte propre de ce document est vide.", "This document’s own text is empty."
    ),
    "document_text_unshown": Word(
        "Le texte propre de ce document ne peut pas être montré ici : il est trop long, ou mal formé.",
        "This document’s own text cannot be shown here: it is too long, or malformed.",
    ),
    "document_not_openable": Word(
        "n’est pas ouvert ici : il ne se trouve pas à la source, mais ailleurs.",
        "is not opened here: it is not at the source, but somewhere else.",
    ),
    "document_not_given": Word(
        "n’est pas ouvert ici : la source l’annonce, mais ne le fournit pas.",
        "is not opened here: the source names it, but does not hold it.",
    ),
    "document_other_kind": Word(
        "n’est pas d’un type qui se montre ici.", "is not of a kind that is shown here."
    ),
    "document_unnamed": Counted(
        Word(
            "{n} autre fichier n’est pas nommé ici. Demandez-le à la source.",
            "{n} more file is not named here. Ask the source for it.",
        ),
        Word(
            "{n} autres fichiers ne sont pas nommés ici. Demandez-les à la source.",
            "{n} more files are not named here. Ask the source for them.",
        ),
    ),
    "document_page": Word("Page {page} sur {pages}", "Page {page} of {pages}"),
    "document_pages": Word("Pages du fichier", "Pages of the file"),
    "document_previous": Word("Page précédente", "Previous page"),
    "document_next": Word("Page suivante", "Next page"),
    "document_picture": Word(
        "Image de la page {page} de {title}. Ce qui peut en être lu suit en texte.",
        "Picture of page {page} of {title}. What can be read of it follows as text.",
    ),
    "document_scan": Word(
        "Image de la page {page} de {title}. Le fichier n’en contient pas le texte.",
        "Picture of page {page} of {title}. The file does not hold its text.",
    ),
    "document_page_text": Word("Texte de cette page", "Text of this page"),
    "document_seen": Word(
        "Consulté par {reader}, {when}, enregistrement {record}", "Seen by {reader}, {when}, record {record}"
    ),
    "document_opening": Word(
        "Chaque page ouverte est une consultation, enregistrée. Rien n’est téléchargé.",
        "Each page that you open is a look, and is recorded. Nothing is downloaded.",
    ),
}  # fmt: skip
"""Beside those of the viewer."""

_SOURCE: Final = Word(
    "Si vous en avez besoin, demandez-le à la source.", "If you need it, ask the source for it."
)  # fmt: skip

PROBLEMS: Final[Mapping[str, Problem]] = {
    Unrendered.ENCRYPTED: Problem(
        Word("Ce fichier est protégé par un mot de passe.", "This file is protected by a password."), _SOURCE
    ),
    Unrendered.BROKEN: Problem(
        Word(
            "Ce fichier est abîmé, ou n’est pas ce que la source annonce.",
            "This file is damaged, or is not what the source says.",
        ),
        _SOURCE,
    ),
    Unrendered.NO_SUCH_PAGE: Problem(
        Word("Ce fichier n’a pas cette page.", "This file does not have this page."),
        Word("Revenez à la première page.", "Go back to the first page."),
    ),
    Unrendered.TOO_LARGE: Problem(
        Word("Ce fichier est trop grand pour être montré ici.", "This file is too large to be shown here."), _SOURCE
    ),
    Unrendered.TOO_COMPLEX: Problem(
        Word("Cette page n’a pas pu être dessinée.", "This page could not be drawn."), _SOURCE
    ),
    Unrendered.NOTHING_TO_SHOW: Problem(
        Word("Ce fichier ne contient rien qui se montre ici.", "This file holds nothing that is shown here."), _SOURCE
    ),
    Unrendered.BUSY: Problem(
        Word("Trop de documents s’ouvrent en ce moment.", "Too many documents are being opened at the moment."),
        Word("Réessayez dans un instant.", "Try again in a moment."),
        again=True,
    ),
}  # fmt: skip
"""What the clinician is told of a file that is not shown; the look at it is recorded all the same."""
