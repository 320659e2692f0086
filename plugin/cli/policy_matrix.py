"""`vitrine policy matrix`: professions and categories as the rules have them, as text, CSV or a page of HTML."""

import csv
import io
from html import escape
from pathlib import Path

import click

from plugin.audit.characters import printable
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.given import settings_at
from plugin.cli.rules import LANGUAGE, SHIPPED_SET, feed_of, rules_at
from policies.matrix import GLASS, NO, PROFESSIONS, YES, Cell, Matrix, Profession, compute
from policies.rulebook import Rulebook

WORDS = {
    "fr": {
        "title": "Qui voit quoi",
        "lead": "Calculé à partir des règles, cellule par cellule ; celles qui refusent sont nommées sous le tableau.",
        "profession": "Profession",
        YES: "oui",
        GLASS: "bris de glace",
        NO: "non",
        "assumed": "Chaque cellule suppose :",
        "digest": "Empreinte des règles :",
        "why": "Pourquoi non",
        "true": "oui",
        "patient-summary": "Synthèse médicale",
        "prescription": "Prescription",
        "dispensation": "Délivrance",
        "imaging": "Imagerie",
        "test-results": "Résultats d'examens",
        "discharge-report": "Lettre de sortie",
        "reimbursement": "Remboursements",
        "other": "Autre",
        "unclassified": "Non classé",
    },
    "en": {
        "title": "Who sees what",
        "lead": "Computed from the rules, cell by cell; the rules that refuse are named below the table.",
        "profession": "Profession",
        YES: "yes",
        GLASS: "break-glass",
        NO: "no",
        "assumed": "Every cell takes for granted:",
        "digest": "Digest of the rules:",
        "why": "Why not",
        "true": "yes",
        "patient-summary": "Patient summary",
        "prescription": "Prescription",
        "dispensation": "Dispensation",
        "imaging": "Imaging",
        "test-results": "Test results",
        "discharge-report": "Discharge report",
        "reimbursement": "Reimbursements",
        "other": "Other",
        "unclassified": "Unclassified",
    },
}

STYLE = """
:root { color-scheme: light; }
body { font: 1rem/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; margin: 1.5rem; max-width: 80rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { border: 1px solid #767676; padding: .35rem .6rem; text-align: left; }
thead th { vertical-align: bottom; background: #f0f0f0; }
tbody th { position: sticky; left: 0; background: #f0f0f0; font-weight: 600; }
td.yes { background: #e3f2e1; } td.glass { background: #fff3cd; } td.no { background: #f7dddd; font-weight: 600; }
code { overflow-wrap: anywhere; } dt { font-weight: 600; } dd { margin: 0 0 .5rem; }
@media print { body { margin: 0; } .wide { overflow: visible; } }
"""


@click.command(name="matrix")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "html"]),
    default="text",
    show_default=True,
    help="Of the table.",
)
@click.option(
    "--delivery",
    type=click.Choice(["rendered", "structured"]),
    default="rendered",
    show_default=True,
    help="As a page of the viewer, or as data.",
)
@click.option("--feed", metavar="ID", help="The feed that is asked; else the first one that is configured.")
@click.option("--role", "roles", multiple=True, metavar="NAME=SYSTEM|CODE", help="A row of your own; in place of ours.")
@SHIPPED_SET
@LANGUAGE
@click.pass_obj
def show_matrix(
    path: Path,
    form: str,
    delivery: str,
    feed: str | None,
    roles: tuple[str, ...],
    shipped_set: str | None,
    language: str,
) -> None:
    """Print which profession is shown which category of data, computed from the rules as their files stand.

    Reads no log and changes nothing.
    """
    settings = settings_at(path)
    rules = rules_at(settings, shipped_set)
    rows = [_row(text) for text in roles] or PROFESSIONS
    found = compute(rules, rows, delivery=delivery, feed=feed_of(settings, feed))
    match form:
        case "html":
            text = as_html(found, language, _sentences(found, rules, language))
        case "csv":
            text = as_csv(found, language)
        case _:
            text = as_text(found, language)
    click.echo(text, nl=False)


def _row(text: str) -> Profession:
    name, equals, role = text.partition("=")
    if not name or not equals or "|" not in role:
        raise Failure(f"--role is NAME=SYSTEM|CODE; {text!a} is not", CANNOT)
    return Profession(name, name, (role,))


def _sentences(matrix: Matrix, rules: Rulebook, language: str) -> dict[str, str]:
    """The sentence of each rule that stands in somebody's way."""
    named = {rule for row in matrix.cells for cell in row if cell.value != YES for rule in cell.rules}
    known = rules.complete.rules
    return {rule: known[rule].sentences[language] if rule in known else rule for rule in sorted(named)}


def _named(profession: Profession, language: str) -> str:
    return profession.fr if language == "fr" else profession.en


def _grid(matrix: Matrix, language: str) -> list[list[str]]:
    words = WORDS[language]
    rows = [[words["profession"], *(words[each] for each in matrix.categories)]]
    for profession, cells in zip(matrix.professions, matrix.cells, strict=True):
        rows.append([_named(profession, language), *(words[each.value] for each in cells)])
    return rows


def as_text(matrix: Matrix, language: str) -> str:
    """Columns of equal width, and the digest."""
    grid = [[printable(cell) for cell in row] for row in _grid(matrix, language)]
    widths = [max(len(row[index]) for row in grid) for index in range(len(grid[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in grid]
    return "\n".join([*lines, "", f"{WORDS[language]['digest']} {matrix.digest}", ""])


def as_csv(matrix: Matrix, language: str) -> str:
    """RFC 4180, with a line for each profession."""
    out = io.StringIO()
    writer = csv.writer(out)
    # A cell that begins like a formula would be one in a spreadsheet.
    writer.writerows(
        [[f"'{cell}" if cell[:1] in "=+-@\t\r" else cell for cell in row] for row in _grid(matrix, language)]
    )
    return out.getvalue()


def as_html(matrix: Matrix, language: str, sentences: dict[str, str]) -> str:
    """One page without scripts or anything from elsewhere."""
    words = WORDS[language]
    head = "".join(f'<th scope="col">{escape(words[each])}</th>' for each in matrix.categories)
    body = "\n".join(
        f'<tr><th scope="row">{escape(_named(profession, language))}</th>'
        f"{''.join(_cell(each, words) for each in cells)}</tr>"
        for profession, cells in zip(matrix.professions, matrix.cells, strict=True)
    )
    why = "".join(f"<dt><code>{escape(rule)}</code></dt><dd>{escape(text)}</dd>" for rule, text in sentences.items())
    assumed = ", ".join(
        f"{name} = {words['true'] if value is True else value}" for name, value in matrix.assumed.items()
    )
    return f"""<!DOCTYPE html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(words["title"])}</title><style>{STYLE}</style></head>
<body><main>
<h1>{escape(words["title"])}</h1>
<p>{escape(words["lead"])}</p>
<div class="wide" tabindex="0" role="region" aria-label="{escape(words["title"])}"><table>
<thead><tr><th scope="col">{escape(words["profession"])}</th>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>
{f"<h2>{escape(words['why'])}</h2><dl>{why}</dl>" if why else ""}
<p>{escape(words["assumed"])} <code>{escape(assumed)}</code></p>
<p>{escape(words["digest"])} <code>{matrix.digest}</code></p>
</main></body></html>
"""


def _cell(cell: Cell, words: dict[str, str]) -> str:
    title = f' title="{escape(", ".join(cell.rules))}"' if cell.value != YES else ""
    return f'<td class="{cell.value}"{title}>{escape(words[cell.value])}</td>'
