"""What the ledger's search columns can tell of a search parameter: which records need to be looked at.

Each condition here holds for every record that meets its parameter, and perhaps for others: the event decides after.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fhir_adapters.escapes import plain, split
from plugin.audit import codes
from plugin.audit.audit_event import to_audit_event
from plugin.audit.codes import Element
from plugin.audit.search_parameters import PARAMETERS, Test, Token, ValueInvalid, day, patients, tester
from plugin.event import GATEWAY_TENANT, AuditAction, Body, Outcome
from plugin.ledger.criteria import Condition, Containing, Criteria, NoneOf, OneOf
from plugin.ledger.record import encode_time
from policies.vocabulary.interactions import CONSULTING, Interaction

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
"""As our own are made."""
_POSITION = re.compile(r"0|[1-9][0-9]{0,17}")
_WRITTEN_OTHERWISE = re.compile(r'[\s"\\\ufffd]')
"""What JSON escapes, and what an event shows in place of what cannot be printed."""


@dataclass(frozen=True, slots=True)
class Question:
    """One parameter of a search: any of its alternatives will do. `of` raises ValueInvalid."""

    name: str
    values: tuple[str, ...]
    tests: tuple[Test, ...]

    @classmethod
    def of(cls, name: str, value: str, bases: Sequence[str]) -> "Question":
        values = tuple(split(value))
        return cls(name, values, tuple(tester(name, each, bases) for each in values))

    def accepts(self, event: Element) -> bool:
        return any(accepts(event) for accepts in self.tests)


def criteria(questions: Sequence[Question], tenant: str | None, ehr_bases: Sequence[str]) -> Criteria:
    """What holds of the stored form of every record that meets all `questions`, the way in being the narrowest.

    `tenant`: whose records are wanted besides the gateway's own; None is everybody's. `ehr_bases`: where patients live.
    """
    conditions: list[Condition] = []
    period = _Period()
    positions: set[int] | None = None
    for question in questions:
        if PARAMETERS[question.name].type == "date":
            period = period.within(_period(question.values))
        elif question.name == "_id":
            meant = {int(each) for each in question.values if _POSITION.fullmatch(each)}
            positions = meant if positions is None else positions & meant
        else:
            conditions += _conditions(question, ehr_bases)
    if tenant is not None:
        conditions.append(OneOf("tenant", (tenant, GATEWAY_TENANT)))
    way_in = _way_in(conditions) if positions is None else None
    others = tuple(each for each in conditions if each is not way_in)
    return Criteria(way_in, others, period.since, period.until, None if positions is None else tuple(sorted(positions)))


def _way_in(conditions: Sequence[Condition]) -> OneOf | None:
    indexed = [each for each in conditions if isinstance(each, OneOf) and each.column in _RANKS]
    return min(indexed, key=_rank, default=None)


def _rank(condition: OneOf) -> int:
    return _RANKS[condition.column] + (len(_RANKS) if _COMMON.intersection(condition.values) else 0)


_RANKS = {"request": 1, "patient": 2, "person": 3, "action": 4, "outcome": 5}
"""How few records a value of an indexed column has, roughly."""
_COMMON = frozenset({str(AuditAction.CONSULTATION_RELEASED), "0"})
"""Values that most records have: to come in by one is hardly better than to go through all."""


@dataclass(frozen=True, slots=True)
class _Period:
    """Moments as the column has them; None is open."""

    since: str | None = None
    until: str | None = None

    def within(self, other: "_Period") -> "_Period":
        return _Period(
            max(filter(None, (self.since, other.since)), default=None),
            min(filter(None, (self.until, other.until)), default=None),
        )


def _period(values: Sequence[str]) -> _Period:
    """From the first moment that any of these dates admits to the last."""
    since: list[str | None] = []
    until: list[str | None] = []
    for value in values:
        sought = day(value)
        start, end = encode_time(sought.stretch.start), encode_time(sought.stretch.end)
        since.append({"gt": end, "sa": end, "eq": start, "ge": start}.get(sought.prefix))
        until.append({"lt": start, "eb": start, "eq": end, "le": end}.get(sought.prefix))
    return _Period(
        None if None in since else min(filter(None, since)),
        None if None in until else max(filter(None, until)),
    )


def _conditions(question: Question, ehr_bases: Sequence[str]) -> list[Condition]:
    """What one parameter says of the stored form; nothing, where that cannot tell."""
    match question.name:
        case "patient" | "patient.identifier" | "entity":
            return _patient(question, ehr_bases) or _literal([_tail(plain(each)) for each in question.values])
        case "agent.identifier":
            return _person(question) or _literal([Token.read(each).code for each in question.values])
        case "entity.identifier":
            named = [Token.read(each).code for each in question.values]
            return _request(question) or _literal([each and each.rpartition("/")[2] for each in named])
        case "policy" | "agent":
            return _literal([plain(each) for each in question.values])
        case "altid":
            return _literal([Token.read(each).code for each in question.values])
        case "address" if _is_plain("".join(question.values)):
            return _literal([plain(each) for each in question.values])
        case "outcome":
            return [OneOf("outcome", tuple(str(each) for each in Outcome if question.accepts({"outcome": str(each)})))]
        case "type" | "subtype" | "action":
            return _action(question)
        case "site":
            sites = [Token.read(each).code for each in question.values]
            return [] if None in sites else [OneOf("tenant", tuple(each for each in sites if each))]
    return []


def _tail(reference: str) -> str:
    """What of a reference stands in the body as it is: `Observation/o9`, but only the id of an EHR's patient."""
    *_, resource_type, resource_id = ["", *reference.split("/")]
    return resource_id if resource_type in {"", "Patient"} else f"{resource_type}/{resource_id}"


def _is_plain(text: str) -> bool:
    """Whether a text has neither case nor accents, which a search by its beginning leaves open."""
    return text.isascii() and not any(map(str.isalpha, text))


def _literal(texts: Sequence[str | None]) -> list[Condition]:
    """Whatever event has one of these texts was made from a body that has it too, if it is written there as it is."""
    told = [each for each in texts if each and not _WRITTEN_OTHERWISE.search(each)]
    return [Containing(tuple(told))] if len(told) == len(texts) else []


def _patient(question: Question, ehr_bases: Sequence[str]) -> list[Condition]:
    """By the column where only an EHR's patient can be meant; a feed's own Patient stands among what was released."""
    name = "patient" if question.name == "entity" else question.name
    meant: set[str] = set()
    try:
        for value in question.values:
            meant |= patients(name, value, ehr_bases)
    except ValueInvalid:
        return []
    known = all(each.rpartition("/Patient/")[0] in ehr_bases for each in meant)
    return [OneOf("patient", tuple(sorted(meant)))] if known else []


def _person(question: Question) -> list[Condition]:
    """By the column for `issuer|subject`: no other agent has an identifier with a system, but for the gateway."""
    people = []
    for token in map(Token.read, question.values):
        if not token.system or token.system == codes.URI or not token.code or _WRITTEN_OTHERWISE.search(token.code):
            return []
        people.append(f"{token.system} {token.code}")
    return [OneOf("person", tuple(people))]


def _request(question: Question) -> list[Condition]:
    """By the column for an X-Request-Id of ours; a feed could be named like one, though none is."""
    requests = [Token.read(each).code for each in question.values]
    if not all(each and _REQUEST_ID.fullmatch(each) for each in requests):
        return []
    return [OneOf("request", tuple(each for each in requests if each))]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What an event of this action and interaction looks like, as far as type, subtype and action go."""

    action: str
    interaction: Interaction | None
    event: Element

    @classmethod
    def of(cls, action: str, interaction: Interaction | None = None) -> "_Shape":
        body: Body = {"action": action}
        if interaction is not None:
            body["asked"] = {"interaction": str(interaction)}
        return cls(action, interaction, to_audit_event({"position": 0, "time": ""}, body))


def _shapes(action: AuditAction) -> list[_Shape]:
    if action is AuditAction.CONSULTATION_RELEASED:
        return [_Shape.of(action, each) for each in CONSULTING]
    if action.startswith("consultation:"):
        return [_Shape.of(action, each) for each in Interaction]
    if action in {AuditAction.LOG_DENIED, AuditAction.LOG_FAILED}:
        return [_Shape.of(action), *(_Shape.of(action, each) for each in Interaction if each not in CONSULTING)]
    return [_Shape.of(action)]


_SHAPES = tuple(shape for action in AuditAction for shape in _shapes(action))
_UNKNOWN_ACTION = _Shape.of("").event
"""How an action that this program does not know of is told."""


def _action(question: Question) -> list[Condition]:
    """By the kinds of record whose events can be meant; of consultations by what was tried, too."""
    meant = [shape for shape in _SHAPES if question.accepts(shape.event)]
    actions = dict.fromkeys(shape.action for shape in meant)
    if question.accepts(_UNKNOWN_ACTION):
        return [NoneOf("action", tuple(dict.fromkeys(each.action for each in _SHAPES if each.action not in actions)))]
    narrowed: list[Condition] = [OneOf("action", tuple(actions))]
    if meant and all(shape.interaction is not None for shape in meant):
        interactions = dict.fromkeys(f'"interaction":"{shape.interaction}"' for shape in meant)
        narrowed.append(Containing(tuple(interactions)))  # bodies are stored as JSON without spaces
    return narrowed
