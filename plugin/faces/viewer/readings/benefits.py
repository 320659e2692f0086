"""ExplanationOfBenefit: each reimbursed act, medicine or sick leave, and the claim as one row of the overview."""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct

from plugin.faces.viewer.readings.altered import is_altered
from plugin.faces.viewer.readings.elements import (
    MAX_ITEMS,
    Tree,
    amount,
    coded,
    money,
    pairs,
    record,
    records,
    term,
    word,
)
from plugin.faces.viewer.readings.moment import When, period, when
from plugin.faces.viewer.readings.reading import Page, details, identifiers
from plugin.faces.viewer.readings.result import Link, Result, Standing, anchor
from plugin.faces.viewer.readings.text import Text, line
from plugin.faces.viewer.readings.values import Amount, Money, Number, Term, number

_CLAIM_TYPE = "http://terminology.hl7.org/CodeSystem/claim-type"
_ADJUDICATION = "http://terminology.hl7.org/CodeSystem/adjudication"
_SICK_LEAVE = frozenset({"sick-leave", "sickleave", "sick-pay", "IJ"})
"""FHIR has no code for sick leave; insurers write these in systems of their own (IJ: French daily allowances)."""
_LONG_TERM_ILLNESS = frozenset({"ALD", "long-term-illness"})
"""How a claim says that it falls under a long-term illness (French "affection de longue durée")."""
_MAX_LINES = 1000
"""Of one claim, on the page that has their total: what it left out would be missing there. A long stay in hospital has
some hundreds."""
_UNPAID_STATUSES = frozenset({"cancelled", "draft"})
_UNPAID_OUTCOMES = frozenset({"error", "queued"})
_SAID_ELSEWHERE = frozenset({"active", "cancelled"})
"""Statuses that are no remark: one goes without saying, the other has a mark of its own."""


class Nature(StrEnum):
    """What was reimbursed."""

    CARE = "care"
    MEDICINE = "medicine"
    SICK_LEAVE = "sick-leave"


class Reimbursement(Struct, frozen=True):
    """One reimbursed thing."""

    feed: str
    reference: str
    nature: Nature
    category: Term | None
    """The insurer's own word for the kind of care."""
    act: Term | None
    when: When | None
    """The day of care, or the period of a sick leave."""
    quantity: Amount | None
    prescriber_kind: Text | None
    """The speciality of who prescribed; not the name."""
    performer: Text | None
    billed: Money | None
    base: Money | None
    rate: Number | None
    """In per cent."""
    paid: Money | None
    is_whole_claim: bool
    """The amounts are those of the whole claim, of which this is one line."""
    is_long_term_illness: bool
    is_cancelled: bool
    is_paid: bool
    """False: its amounts are foreseen, refused or withdrawn, and no total counts them."""
    status: Term | None
    remarks: tuple[Term | Text, ...]
    """What changes the meaning of its amounts."""
    is_altered: bool = False
    """The source changes the sense of its claim in a way that we do not know: no amount is given."""

    @property
    def link(self) -> Link:
        """To the claim's row."""
        return Link(self.reference, anchor(self.feed, self.reference), self.act, is_shown=True)


def reimbursements(page: Page) -> tuple[Reimbursement, ...]:
    """The lines of one claim; a claim without lines is one line. None of what was entered in error."""
    if page.standing is Standing.MISTAKEN:
        return ()
    tree = page.tree
    items = _items(tree, _MAX_LINES)
    single = len(items) < 2
    if is_altered(tree):
        none = _Amounts()
        return tuple([_line(page, item, none, is_whole_claim=False, is_altered=True) for item in items or [{}]])
    own = [_amounts(item.get("adjudication")) for item in items or [{}]]
    whole = _amounts(tree.get("total"), tree.get("adjudication"))
    # The claim's amount stands once, and only where no line has one of its own, so that nothing is counted twice.
    is_lacking = whole.paid is not None and all(each.paid is None for each in own)
    if is_lacking:
        own[0] = whole.under(own[0])
    if not is_lacking or whole.billed is None:
        own = [_net(item).under(each) for item, each in zip(items or [{}], own, strict=True)]
    return tuple(
        _line(page, item, amounts, is_whole_claim=is_lacking and place == 0 and not single)
        for place, (item, amounts) in enumerate(zip(items or [{}], own, strict=True))
    )


def benefit(page: Page) -> Result:
    """An ExplanationOfBenefit as a row: what was reimbursed, when, how much."""
    tree = page.tree
    items = _items(tree)
    act = next((each for item in items if (each := term(item.get("productOrService"))) is not None), None)
    amounts = _amounts(tree.get("total"), tree.get("adjudication"))
    if len(items) == 1:
        amounts = _net(items[0]).under(_amounts(items[0].get("adjudication")).under(amounts))
    remarks = _remarks(tree)
    return Result(
        origin=page.origin,
        title=act or term(tree.get("type")),
        when=_day(items[0] if items else {}, tree),
        issued=when(tree.get("created")),
        value=amounts.paid,
        standing=page.standing,
        status=page.status,
        performers=page.performers("provider"),
        details=details(
            ("category", term(tree.get("type"))),
            *(("act", other) for item in items[1:] if (other := term(item.get("productOrService"))) is not None),
            ("quantity", amount(items[0].get("quantity")) if len(items) == 1 else None),
            ("amount-billed", amounts.billed),
            ("insurer", page.beside.name(tree.get("insurer"), tree)),
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("item", "addItem"),
        codes=pairs(items[0].get("productOrService")) if len(items) == 1 else (),
        identifiers=identifiers(tree),
        remarks=remarks,
    )


def _items(tree: Tree, most: int = MAX_ITEMS) -> list[Tree]:
    """Its lines, and those that the insurer added."""
    return [*records(tree.get("item"), most), *records(tree.get("addItem"), most)]


class _Amounts(Struct, frozen=True):
    billed: Money | None = None
    base: Money | None = None
    rate: Number | None = None
    paid: Money | None = None

    def under(self, line: "_Amounts") -> "_Amounts":
        """These, where the line does not say its own."""
        return _Amounts(
            line.billed or self.billed, line.base or self.base, line.rate or self.rate, line.paid or self.paid
        )


def _amounts(*adjudications: Any) -> _Amounts:
    """By category of adjudication; one that stands twice is not told apart, and so not shown."""
    moneys: dict[str, list[Money]] = {}
    rates: list[Number] = []
    for adjudication in adjudications:
        for each in records(adjudication):
            codes = [code for system, code in pairs(each.get("category")) if system == _ADJUDICATION]
            value = money(each.get("amount"))
            for code in codes[:1]:
                if value is not None:
                    moneys.setdefault(code, []).append(value)
                elif code == "eligpercent" and (rate := number(each.get("value"))) is not None:
                    rates.append(rate)
        if moneys or rates:
            break

    def only(code: str) -> Money | None:
        found = moneys.get(code, [])
        return found[0] if len(found) == 1 else None

    return _Amounts(only("submitted"), only("eligible"), rates[0] if len(rates) == 1 else None, only("benefit"))


def _net(item: Tree) -> _Amounts:
    """What an item costs (R4: quantity times price), which is what was billed for it."""
    return _Amounts(billed=money(item.get("net")))


def _remarks(tree: Tree) -> tuple[Term | Text, ...]:
    """What changes the meaning of the amounts: what they are for, what came of it, the insurer's own words."""
    use, outcome = tree.get("use"), tree.get("outcome")
    told = (
        None if use == "claim" else coded("use", use),
        None if outcome == "complete" else coded("outcome", outcome),
        line(tree.get("disposition")),
    )
    return tuple([each for each in told if each is not None])


def _is_paid(tree: Tree) -> bool:
    """Whether its amounts are money that was paid. A claim is the only use that leads to a payment."""
    if tree.get("use") not in ("claim", None):
        return False
    return word(tree.get("status")) not in _UNPAID_STATUSES and word(tree.get("outcome")) not in _UNPAID_OUTCOMES


def _line(
    page: Page, item: Tree, amounts: _Amounts, *, is_whole_claim: bool, is_altered: bool = False
) -> Reimbursement:
    tree = page.tree
    return Reimbursement(
        feed=page.origin.feed,
        reference=page.origin.reference,
        nature=_nature(tree, item),
        category=term(tree.get("type")),
        act=term(item.get("productOrService")) or term(tree.get("type")),
        when=_day(item, tree),
        quantity=None if is_altered else amount(item.get("quantity")),
        prescriber_kind=_prescriber_kind(tree, item),
        performer=page.beside.name(tree.get("provider"), tree),
        billed=amounts.billed,
        base=amounts.base,
        rate=amounts.rate,
        paid=amounts.paid,
        is_whole_claim=is_whole_claim,
        is_long_term_illness=_is_long_term_illness(tree),
        is_cancelled=page.standing is Standing.CANCELLED,
        is_paid=_is_paid(tree),
        status=page.status,
        remarks=_line_remarks(page),
        is_altered=is_altered,
    )


def _line_remarks(page: Page) -> tuple[Term | Text, ...]:
    """Those of the claim, after a status that its line does not say otherwise: a draft."""
    status = page.status
    told = () if status is None or status.text.shown in _SAID_ELSEWHERE else (status,)
    return (*told, *_remarks(page.tree))


def _day(item: Tree, tree: Tree) -> When | None:
    return (
        when(item.get("servicedDate"))
        or period(item.get("servicedPeriod"))
        or period(tree.get("billablePeriod"))
        or when(tree.get("created"))
    )


def _nature(tree: Tree, item: Tree) -> Nature:
    codings = (*pairs(tree.get("type")), *pairs(tree.get("subType")))
    codes = {code for _, code in (*codings, *pairs(item.get("productOrService")), *pairs(item.get("category")))}
    if not codes.isdisjoint(_SICK_LEAVE):
        return Nature.SICK_LEAVE
    return Nature.MEDICINE if (_CLAIM_TYPE, "pharmacy") in codings else Nature.CARE


def _prescriber_kind(tree: Tree, item: Tree) -> Text | None:
    """The qualification of the care team's member that the line names, else of the first one that has any."""
    team = records(tree.get("careTeam"))
    named = item.get("careTeamSequence")
    chosen = [each for each in team if isinstance(named, list) and each.get("sequence") in _numbers(named)]
    kinds = (term(each.get("qualification")) for each in (*chosen, *team))
    found = next((each for each in kinds if each is not None), None)
    return None if found is None else found.text


def _numbers(values: list[Any]) -> list[int | Decimal]:
    return [each for each in values if type(each) in (int, Decimal)]


def _told(concept: Any) -> Iterator[str]:
    tree = record(concept)
    yield word(tree.get("text"))
    for _, code in pairs(tree):
        yield code


def _is_long_term_illness(tree: Tree) -> bool:
    return any(
        told in _LONG_TERM_ILLNESS
        for each in records(tree.get("supportingInfo"))
        for name in ("category", "code")
        for told in _told(each.get(name))
    )
