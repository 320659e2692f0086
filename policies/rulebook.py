"""The rules in force: the core set, what ships beside it, and the site's own, validated together and named by a digest.

The core is also kept by itself, since it decides before anything of the site is looked at. The tables of sensitive
codes belong to the rules: what they say of a result decides with them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from policies import code_tables
from policies.cedar import PolicySet, RulesInvalid
from policies.code_tables import CodeTables

MAX_SITE_BYTES = 4 << 20
"""A few thousand policies; a larger folder is some other folder."""

CORE = "core.cedar"


@dataclass(frozen=True, slots=True)
class Texts:
    """Everything that a set of rules is made of, as text: equal texts are the same rules."""

    schema: str
    policies: Mapping[str, str]
    """File name -> policies: the core, what ships, `sets/<name>/…`, then the site's."""
    tables: Mapping[str, str]
    """File name -> tables of codes."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """An accepted set. Immutable: another set is another Rulebook."""

    core: PolicySet
    complete: PolicySet
    tables: CodeTables
    digest: str
    """SHA-256 of schema, policies and tables, in every record."""
    texts: Texts


def load(
    site: Path | None, *, unlabelled_documents: str, tables: Path | None = None, shipped_set: str | None = None
) -> Rulebook:
    """Read and validate the rules; `site` is a folder of `*.cedar`, `tables` one of `*.csv`.

    Raises RulesInvalid naming file and line; of tables, TablesInvalid.

    `unlabelled_documents` is "withhold" or "show"; `shipped_set` one of SETS.
    """
    policies = {CORE: shipped(CORE), "shipped.cedar": shipped("shipped.cedar")}
    if unlabelled_documents == "withhold":
        policies["unlabelled_documents.cedar"] = shipped("unlabelled_documents.cedar")
    if shipped_set is not None:
        policies |= _set_texts(shipped_set)
    if site is not None:
        policies |= _site_texts(site)
    return made_of(Texts(shipped("vitrine.cedarschema"), policies, code_tables.texts(tables)))


def made_of(texts: Texts) -> Rulebook:
    """The rules that `texts` state. Raises RulesInvalid."""
    codes = CodeTables(texts.tables)
    core = PolicySet({CORE: texts.policies[CORE]}, texts.schema)
    return Rulebook(core, PolicySet(texts.policies, texts.schema), codes, _digest(texts, codes), texts)


def has_our_core(texts: Texts) -> bool:
    """Whether the core among `texts`, and the schema, are those inside this program."""
    return texts.schema == shipped("vitrine.cedarschema") and texts.policies.get(CORE) == shipped(CORE)


def shipped(name: str) -> str:
    """A file of `policies/rules`."""
    return files("policies").joinpath("rules", name).read_text(encoding="utf-8")


@cache
def sets() -> tuple[str, ...]:
    """The names of the ready-made sets."""
    return tuple(sorted(each.name for each in files("policies").joinpath("sets").iterdir() if each.is_dir()))


def cases_of(shipped_set: str | None) -> str:
    """The cases that ship for a ready-made set, or for the rules without one, as TOML."""
    folder = files("policies").joinpath(*(("rules",) if shipped_set is None else ("sets", shipped_set)))
    return folder.joinpath("cases.toml").read_text(encoding="utf-8")


def _set_texts(name: str) -> dict[str, str]:
    if name not in sets():
        raise RulesInvalid(f"there is no set '{name}'; there are {', '.join(sets())}")
    folder = files("policies").joinpath("sets", name)
    found = sorted(each.name for each in folder.iterdir() if each.name.endswith(".cedar"))
    return {f"sets/{name}/{each}": folder.joinpath(each).read_text(encoding="utf-8") for each in found}


def _site_texts(site: Path) -> dict[str, str]:
    """`site/<file name>` -> text, in the order of names."""
    try:
        paths = sorted(path for path in site.iterdir() if path.suffix == ".cedar")
        if sum(path.stat().st_size for path in paths) > MAX_SITE_BYTES:
            raise RulesInvalid(f"the folder {site} holds more than policies")
        contents = {f"{site.name}/{path.name}": path.read_bytes() for path in paths}
    except OSError as error:
        raise RulesInvalid(f"{error.filename or site}: cannot be read: {error.strerror}") from error
    return {name: _decoded(name, content) for name, content in contents.items()}


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")  # editors put a mark in front
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RulesInvalid(f"{name}:{line}: cannot be read: it is not UTF-8") from error


def _digest(texts: Texts, codes: CodeTables) -> str:
    """Over names too: a policy that moves to another file is another set, though it decides alike."""
    told = [part.encode() for name, text in texts.policies.items() for part in (name, text)]
    whole = hashlib.sha256(texts.schema.encode())
    for part in (*told, codes.digest.encode()):
        whole.update(len(part).to_bytes(8) + part)
    return whole.hexdigest()
