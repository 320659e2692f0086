"""What rules take by themselves: a set as a large site writes it, decided anew each time, and read anew."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from policies import rulebook
from policies.cedar import Question
from policies.decision import facts, facts_of_showing
from policies.labels import Labels
from policies.rulebook import Rulebook
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Identity

SITE_POLICIES = 20
RELOADED_POLICIES = 200
PER_FILE = 20

_POLICY = """
@id("site-{number}")
@en("At site {number} this software shows a care team's results for coordination during the day only.")
@fr("Sur le site {number}, ce logiciel ne montre les résultats pour la coordination que pendant la journée.")
forbid (principal, action in Action::"consult", resource)
when {{ context has purpose && context.purpose == "COC" && context.hour >= {hour} && context.client == "c-{number}" }}
unless {{ context has care_relation && context.care_relation == "launch" && context.roles.contains("s|{number}") }};

@id("shown-{number}")
@en("Results of category {number} with this label are not shown to others than the role of the site.")
@fr("Les résultats de catégorie {number} portant cette étiquette ne sont montrés qu'au rôle du site.")
forbid (principal, action == Action::"show", resource)
when {{ context.sensitivity.contains("S{number}") && context has confidentiality && context.confidentiality == "V" }}
unless {{ context.roles.contains("s|{number}") }};
"""


def site(folder: Path, policies: int) -> Path:
    """A folder of so many policies, half on looks and half on results."""
    texts = [_POLICY.format(number=number, hour=number % 24) for number in range(policies // 2)]
    folder.mkdir(parents=True)
    for number in range(0, len(texts), PER_FILE // 2):
        (folder / f"{number}.cedar").write_text("".join(texts[number : number + PER_FILE // 2]))
    return folder


def steps(identity: Identity, asked: ClinicalConsultation, around: Circumstances) -> dict[str, Callable[[], object]]:
    """Each with its name."""
    place = Path(tempfile.mkdtemp(prefix="rules-"))
    large = site(place / "large", RELOADED_POLICIES)
    rules = _loaded(site(place / "site", SITE_POLICIES))
    known = facts(identity, asked, around)
    question = Question(
        identity.person.key, str(asked.interaction), ("Feed", asked.feed), known | {"purpose": identity.purposes[0]}
    )
    plain = Labels("Observation", "test-results", None, frozenset(), document=False, labelled=False)
    different = [
        plain,
        plain._replace(confidentiality="N", labelled=True),
        plain._replace(confidentiality="R", sensitivity=frozenset({"PSY"}), labelled=True),
        plain._replace(confidentiality="V", sensitivity=frozenset({"HIV"}), labelled=True),
        plain._replace(category="imaging"),
    ]
    showing = facts_of_showing(identity, asked, around) | {"opposed": False, "purpose": identity.purposes[0]}
    shown = [Question(identity.person.key, "show", ("Feed", asked.feed), showing | each.facts()) for each in different]
    return {
        f"Cedar, {SITE_POLICIES} of a site, anew": lambda: rules.complete.decide([question]),
        "Cedar, five label signatures, anew": lambda: rules.complete.decide(shown),
        f"reload {RELOADED_POLICIES} policies": lambda: _loaded(large),
    }


def _loaded(folder: Path) -> Rulebook:
    return rulebook.load(folder, unlabelled_documents="withhold")
