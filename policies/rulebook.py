"""The rules in force: the core set, what ships beside it, and the site's own, validated together and named by a digest.

The core is also kept by itself, since it decides before anything of the site is looked at. The tables of sensitive
codes belong to the rules: what they say of a result decides with them.
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from policies import code_tables
from policies.cedar import PolicySet, RulesInvalid
from policies.code_tables import CodeTables

MAX_SITE_BYTES = 4 << 20
"""A few thousand policies; a larger folder is some other folder."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """An accepted set. Immutable: another set is another Rulebook."""

    core: PolicySet
    complete: PolicySet
    tables: CodeTables
    digest: str
    """SHA-256 of schema, policies and tables, in every record."""


def load(site: Path | None, *, unlabelled_documents: str, tables: Path | None = None) -> Rulebook:
    """Read and validate the rules; `site` is a folder of `*.cedar`, `tables` one of `*.csv`.

    Raises RulesInvalid naming the file's problem; of a table, TablesInvalid with file and line.

    `unlabelled_documents` is "withhold" or "show".
    """
    shipped = files("policies").joinpath("rules")
    schema = shipped.joinpath("vitrine.cedarschema").read_text(encoding="utf-8")
    core = shipped.joinpath("core.cedar").read_text(encoding="utf-8")
    parts = [core, shipped.joinpath("shipped.cedar").read_text(encoding="utf-8")]
    if unlabelled_documents == "withhold":
        parts.append(shipped.joinpath("unlabelled_documents.cedar").read_text(encoding="utf-8"))
    if site is not None:
        for name, text in _site_texts(site):
            parts.append(text)
            try:
                # By itself too: two files could otherwise make one policy between them that neither shows.
                PolicySet(text, schema)
            except RulesInvalid as error:
                raise RulesInvalid(f"{name}: {error}") from error
    text = "\n".join(parts)
    codes = CodeTables(code_tables.texts(tables))
    digest = hashlib.sha256(b"\0".join([schema.encode(), text.encode(), codes.digest.encode()])).hexdigest()
    return Rulebook(PolicySet(core, schema), PolicySet(text, schema), codes, digest)


def _site_texts(site: Path) -> list[tuple[str, str]]:
    """(file name, text), in the order of names."""
    try:
        paths = sorted(path for path in site.iterdir() if path.suffix == ".cedar")
        if sum(path.stat().st_size for path in paths) > MAX_SITE_BYTES:
            raise RulesInvalid(f"the folder {site} holds more than policies")
        return [(path.name, path.read_text(encoding="utf-8")) for path in paths]
    except (OSError, UnicodeDecodeError) as error:
        raise RulesInvalid(f"the folder {site} cannot be read") from error
