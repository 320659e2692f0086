"""The sentences of a patient's report, in French and English."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from plugin.audit.report.entries import Findings, Naming
from plugin.audit.report.words import Language, Word, clock, count, day, number, offset

PAGE: Final[Mapping[str, Word]] = {
    "title": Word("Qui a consulté vos résultats externes", "Who looked at your outside results"),
    "subtitle": Word("Rapport pour le patient", "Report for the patient"),
    "patient": Word("Dossier patient", "Patient file"),
    "period": Word("Période", "Period"),
    "made": Word("Établi le", "Made on"),
    "zone": Word("Heures", "Times"),
    "summary": Word("En bref", "In short"),
    "kinds": Word("Données montrées", "Data shown"),
    "looks_header": Word("Consultations", "Looks"),
    "looks": Word("Consultations", "Looks at your results"),
    "no_looks": Word(
        "Personne n’a consulté vos résultats externes pendant cette période.",
        "Nobody looked at your outside results in this period.",
    ),
    "no_looks_left": Word(
        "Ce qui reste du journal ne montre aucune consultation de vos résultats externes pendant cette période.",
        "What is left of the log shows no look at your outside results in this period.",
    ),
    "attempts": Word("Tentatives sans résultat", "Attempts that showed nothing"),
    "attempts_lead": Word(
        "Ces demandes ont été refusées ou n’ont pas abouti : aucune donnée n’a été montrée.",
        "These requests were refused or failed: no data was shown.",
    ),
    "no_attempts": Word("Aucune.", "None."),
    "who": Word("Qui", "Who"),
    "what": Word("Quoi", "What"),
    "why": Word("Pourquoi", "Why"),
    "where": Word("Depuis", "From"),
    "result": Word("Résultat", "Outcome"),
    "application": Word("application", "application"),
    "address": Word("adresse", "address"),
    "emergency": Word("Accès en urgence", "Emergency access"),
    "about": Word("À propos de ce rapport", "About this report"),
    "proof": Word("Preuve", "Proof"),
    "proof_lead": Word(
        "État signé du journal au moment de ce rapport. Il permet à l’établissement de prouver que le journal n’a pas "
        "été modifié depuis.",
        "The signed state of the log when this report was made. With it the organisation can prove that the log was "
        "not changed since.",
    ),
    "records": Word("Enregistrements lus", "Records read"),
    "name_unknown": Word("nom non enregistré", "name not recorded"),
    "colon": Word("\N{NO-BREAK SPACE}: ", ": "),
}

OWN_FILE: Final = Word("votre propre dossier dans l’établissement", "your own file at the organisation itself")
NOT_STATED: Final = Word("non précisé", "not stated")
NOTHING_SHOWN: Final = Word("aucune donnée montrée", "no data shown")
ORGANISATION_UNKNOWN: Final = Word("établissement non précisé", "organisation not stated")

_LOOK, _LOOKS = Word("consultation", "look at your results"), Word("consultations", "looks at your results")
_PERSON, _PEOPLE = Word("personne", "person"), Word("personnes", "people")
_EMERGENCY = Word("en urgence", "in an emergency")
_OPENING = Word("accès exceptionnel en urgence a été ouvert", "exceptional emergency access was opened")
_OPENINGS = Word("accès exceptionnels en urgence ont été ouverts", "exceptional emergency accesses were opened")
_ATTEMPT = Word("tentative n’a rien montré", "attempt showed nothing")
_ATTEMPTS = Word("tentatives n’ont rien montré", "attempts showed nothing")

_NAMED: Final[Mapping[Naming, Word]] = {
    Naming.PERSON: Word(
        "Les personnes sont désignées par leur nom, leur fonction et leur établissement.",
        "People are given by their name, role and organisation.",
    ),
    Naming.ROLE: Word(
        "Les personnes sont désignées par leur fonction et leur établissement, sans leur nom.",
        "People are given by their role and organisation, without their name.",
    ),
    Naming.ORGANISATION: Word(
        "Seul l’établissement des personnes est indiqué.", "Only the organisation of people is given."
    ),
}
_MEANING = Word(
    "Une consultation veut dire que l’accès a été autorisé et la réponse transmise\N{NO-BREAK SPACE}; ce rapport ne "
    "peut pas dire ce qui a été lu à l’écran. Ce service montre des résultats externes sans les copier dans "
    "votre dossier.",
    "A look means that access was allowed and the answer handed over; this report cannot tell what was read on the "
    "screen. This service shows outside results without copying them into your file.",
)
_SCOPE = Word(
    "Le rapport ne porte que sur les résultats externes consultés par ce service, et non sur tout votre dossier.",
    "The report covers only the outside results that were looked at through this service, not your whole file.",
)
_LOST = Word(
    "Un journal antérieur a été perdu\N{NO-BREAK SPACE}: ce rapport ne dit rien de ce qui a eu lieu avant.",
    "An earlier log was lost: this report says nothing of what happened before.",
)
_DELETED = (
    Word(
        "enregistrement du journal, tous patients confondus, a été effacé après la durée de conservation.",
        "record of the log, of whatever patient, was deleted after its retention period.",
    ),
    Word(
        "enregistrements du journal, tous patients confondus, ont été effacés après la durée de conservation.",
        "records of the log, of whatever patient, were deleted after their retention period.",
    ),
)
_LACKING = (
    Word(
        "enregistrement manque dans le journal\N{NO-BREAK SPACE}: ce rapport peut être incomplet.",
        "record is missing from the log: this report may be incomplete.",
    ),
    Word(
        "enregistrements manquent dans le journal\N{NO-BREAK SPACE}: ce rapport peut être incomplet.",
        "records are missing from the log: this report may be incomplete.",
    ),
)


def at(date: str, time: str, language: Language) -> str:
    """A date with its time."""
    return f"{date} à {time}" if language == "fr" else f"{date}, {time}"


def period(since: datetime | None, until: datetime | None, language: Language) -> str:
    """`until` is the first instant after the period. Whole days are named as days, anything else with its time."""
    first = _moment(since, language) if since is not None else None
    last = _end(until, language) if until is not None else None
    match first, last:
        case None, None:
            return Word("depuis le début du journal", "since the log began").said(language)
        case _, None:
            return f"{Word('depuis le', 'since').said(language)} {first}"
        case None, _:
            return f"{Word('jusqu’au', 'until').said(language)} {last}"
        case _:
            return f"du {first} au {last}" if language == "fr" else f"{first} to {last}"


def _moment(moment: datetime, language: Language) -> str:
    begins_a_day = _before(moment).date() != moment.date()
    date = day(moment, language)
    return date if begins_a_day else at(date, clock(moment, language), language)


def _end(until: datetime, language: Language) -> str:
    last = _before(until)
    return day(last, language) if last.date() != until.date() else _moment(until, language)


def _before(moment: datetime) -> datetime:
    """The last instant before: by way of UTC, since a change of the clock may skip midnight."""
    return (moment.astimezone(UTC) - timedelta(microseconds=1)).astimezone(moment.tzinfo)


def zone(name: str, moment: datetime, language: Language) -> str:
    """The zone of all times, and where it stands now."""
    now = offset(moment)
    if name == now:
        return name
    return f"{name} ({now} à la date du rapport)" if language == "fr" else f"{name} ({now} on the day of this report)"


def no_looks(found: Findings, language: Language) -> str:
    """That nobody looked; where records of the period were deleted, lost or are missing, only that none is left."""
    lacks_some = found.without_body or found.missing or found.follows_a_lost
    return PAGE["no_looks_left" if lacks_some else "no_looks"].said(language)


def summary(looks: int, people: int, emergencies: int, openings: int, attempts: int, language: Language) -> list[str]:
    """The first things that a patient wants to know, but for `no_looks`."""
    told = []
    if looks:
        by = Word("par", "by").said(language)
        sentence = f"{count(looks, _LOOK, _LOOKS, language)} {by} {count(people, _PERSON, _PEOPLE, language)}"
        if emergencies:
            among = Word("dont", "of which").said(language)
            sentence += f", {among} {count(emergencies, _EMERGENCY, _EMERGENCY, language)}"
        told.append(sentence + ".")
    if openings:
        told.append(f"{count(openings, _OPENING, _OPENINGS, language)}.")
    if attempts:
        told.append(f"{count(attempts, _ATTEMPT, _ATTEMPTS, language)}.")
    return told


def notes(found: Findings, naming: Naming, language: Language) -> list[str]:
    """What the report means, and what may be lacking in it."""
    told = [_MEANING.said(language), _SCOPE.said(language), _NAMED[naming].said(language)]
    if found.begins is not None:
        begins = day(found.begins, language)
        told.append(
            f"Le journal lu commence le {begins}." if language == "fr" else f"The log that was read begins on {begins}."
        )
    if found.follows_a_lost:
        told.append(_LOST.said(language))
    if found.without_body:
        told.append(count(found.without_body, *_DELETED, language))
    if found.missing:
        told.append(count(found.missing, *_LACKING, language))
    return told


def records(read: int, first: int, last: int, language: Language) -> str:
    """How much of the log was read."""
    told = number(read, language)
    return f"{told} (positions {first} à {last})" if language == "fr" else f"{told} (positions {first} to {last})"
