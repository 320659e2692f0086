"""Cases: looks described in a file, with what the rules must say of them. They are how a set of rules is tested.

```toml
[defaults]                 # facts of every case
purpose = "TREAT"
[[case]]
name = "nobody looks for research"
purpose = "HRESCH"
expect = "deny"            # | "permit"
rules = ["care-only"]      # optional: these must be among those that decide
```
Beside facts a case may say `interaction` ("search-type" unless said), `show = true` (one result, not the look),
`feed`, and `absent = [...]`: defaults that it does without.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.described import SHOWING, Described, described
from policies.facts import FactInvalid
from policies.rulebook import Rulebook
from policies.vocabulary.verdict import Deny, Permit

MAX_CASES_BYTES = 1 << 20
_OWN_KEYS = {"name": str, "expect": str, "rules": list, "interaction": str, "show": bool, "feed": str, "absent": list}


class CasesInvalid(Exception):
    """A file of cases cannot be used. The message names file and line."""


@dataclass(frozen=True, slots=True)
class Case:
    """One look, and what must be said of it."""

    name: str
    place: str
    """`file:line`"""
    question: Described
    permit: bool
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """What the rules said of a case."""

    case: Case
    verdict: Permit | Deny

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one, and the rules that were named are among those that decided."""
        return isinstance(self.verdict, Permit) is self.case.permit and set(self.case.rules) <= set(self.verdict.rules)


def read(file: str, text: str) -> list[Case]:
    """The cases of a file. Raises CasesInvalid: no TOML, unknown keys or facts, a value of a wrong type, no case."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise CasesInvalid(f"{file}: is not TOML: {error}") from error
    if strange := set(document) - {"defaults", "case"}:
        raise CasesInvalid(
            f"{file}: there is no '{min(strange)}' in a file of cases; there are [defaults] and [[case]]"
        )
    defaults, cases = document.get("defaults", {}), document.get("case", [])
    if not isinstance(defaults, dict) or not isinstance(cases, list) or not cases:
        raise CasesInvalid(f"{file}: holds no [[case]]")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[case]]")]
    places = [f"{file}:{lines[index]}" if len(lines) == len(cases) else file for index in range(len(cases))]
    return [_case(place, defaults, each) for place, each in zip(places, cases, strict=True)]


def run(rules: Rulebook, cases: Sequence[Case]) -> list[Tried]:
    """Each case put to the rules, in order."""
    return [Tried(case, case.question.decide(rules)) for case in cases]


def _case(place: str, defaults: Mapping[str, Any], stated: Any) -> Case:
    if not isinstance(stated, dict):
        raise CasesInvalid(f"{place}: a case is a table")
    for key, kind in _OWN_KEYS.items():
        if key in stated and type(stated[key]) is not kind:
            raise CasesInvalid(f"{place}: '{key}' has another type")
    name, expect = stated.get("name"), stated.get("expect")
    if not name or expect not in ("permit", "deny"):
        raise CasesInvalid(f'{place}: a case has a name, and expects "permit" or "deny"')
    show = stated.get("show", False)
    if show and "interaction" in stated:
        raise CasesInvalid(f"{place}: a case says 'show' or 'interaction', not both")
    own = {key: value for key, value in stated.items() if key not in _OWN_KEYS}
    absent = stated.get("absent", [])
    if strange := [each for each in absent if each not in defaults]:
        raise CasesInvalid(f"{place}: 'absent' names {strange[0]!r}, which is no default")
    action = SHOWING if show else stated.get("interaction", "search-type")
    inherited = {key: value for key, value in defaults.items() if key not in own and key not in absent}
    try:
        described(action, own)  # what a case itself says must be a fact of its action
        question = described(action, inherited | own, feed=stated.get("feed", "a-feed"), lenient=True)
    except FactInvalid as error:
        raise CasesInvalid(f"{place}: {error}") from error
    return Case(name, place, question, expect == "permit", tuple(str(each) for each in stated.get("rules", [])))
