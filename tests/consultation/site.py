"""A world whose site withholds what is restricted, for tests of what must not be seen."""

from pathlib import Path
from typing import Any

from fhir_adapters.interface import Tree
from tests.world import CONFIGURATION, World

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
RULE = """
@id("restricted-is-not-shown") @fr("F.") @en("E.")
forbid (principal, action == Action::"show", resource)
when { context has confidentiality && context.confidentiality == "R" };
"""


def strict_world(folder: Path, more: str = "") -> World:
    """The world, with a site policy that withholds confidentiality R; `more` is configuration."""
    (folder / "rules").mkdir()
    (folder / "rules" / "site.cedar").write_text(RULE)
    return World(folder, f'{CONFIGURATION}\n[policies]\ndirectory = "rules"\n{more}')


def labelled(resource: Tree, code: str = "R") -> Tree:
    """`resource` with a confidentiality code of its source."""
    return {**resource, "meta": {"security": [{"system": CONFIDENTIALITY, "code": code}]}}


def shape(tree: Any) -> Any:
    """The shape of a body: names and kinds, without texts."""
    if isinstance(tree, dict):
        return {name: shape(value) for name, value in tree.items()}
    return [shape(each) for each in tree] if isinstance(tree, list) else type(tree).__name__
