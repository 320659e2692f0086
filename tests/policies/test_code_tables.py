"""Tables of sensitive codes: what a line covers, and every way in which a table is refused with its file and line."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import rulebook
from policies.cedar import RulesInvalid
from policies.code_table import Label, TablesInvalid, read
from policies.code_tables import CodeTables, shipped, texts

PROVENANCE = "# source: us\n# version: 1\n# date: 2026-11-25\n# author: Dr Roy\n"
COLUMNS = "system,codes,sensitivity,confidentiality,comment\n"
HEAD = PROVENANCE + "# system: our-lab = https://lab.example/codes\n" + COLUMNS
FIRST_LINE = HEAD.count("\n") + 1
ICD10, OURS = "http://hl7.org/fhir/sid/icd-10", "https://lab.example/codes"


def tables(*lines: str) -> CodeTables:
    return CodeTables({"site.csv": HEAD + "\n".join(lines)})


def covered(line: str, system: str, *codes: str) -> list[str]:
    found = tables(line)
    return [code for code in codes if found.labels(system, code)]


def test_a_category_covers_what_lies_below_it() -> None:
    """That is what its code means; written with the dot or without, in capitals or not."""
    line = "icd-10,B20,HIV,R,"
    assert covered(line, ICD10, "B20", "B20.1", "B201", "b20.1", "B2", "B21", "B19.9", "A20") == [
        "B20",
        "B20.1",
        "B201",
        "b20.1",
    ]


def test_a_range_covers_its_ends_and_all_below_them() -> None:
    """B20..B24 is B20.0 to B24.9 and beyond."""
    assert covered("icd-10,B20..B24,HIV,R,", ICD10, "B19.9", "B20", "B22.7", "B24", "B24.99", "B25", "B") == [
        "B20",
        "B22.7",
        "B24",
        "B24.99",
    ]


def test_a_beginning_covers_all_that_begin_so() -> None:
    """F* is the whole chapter."""
    assert covered("icd-10,F*,MH,R,", ICD10, "F00", "F99.9", "G00", "E99") == ["F00", "F99.9"]
    assert covered("our-lab,HX*,HIV,R,", OURS, "HX", "HX-1", "H", "HY") == ["HX", "HX-1"]


def test_a_local_code_stands_for_itself() -> None:
    """Nothing is known of how a site makes its codes."""
    assert covered("our-lab,GLU,PRS,R,", OURS, "GLU", "GLUC", "glu") == ["GLU"]
    assert not tables("our-lab,GLU,PRS,R,").labels("https://other.example", "GLU")


@pytest.mark.parametrize("system", ["http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"])
def test_a_system_is_known_by_each_of_its_names(system: str) -> None:
    """A feed that writes OIDs must not escape."""
    assert CodeTables(shipped()).labels(system, "86406008") == (Label("HIV", "R"),)


def test_every_line_that_fits_counts() -> None:
    """Sensitivities add up; an empty part says nothing."""
    found = tables("icd-10,F*,MH,R,", "icd-10,F20..F29,PSY,V,", "icd-10,F10,,N,")
    assert set(found.labels(ICD10, "F21.0")) == {Label("MH", "R"), Label("PSY", "V")}
    assert set(found.labels(ICD10, "F10.2")) == {Label("MH", "R"), Label("", "N")}


SPANS = st.sampled_from(
    [*(f"our-lab,{a}{b}*,{s},{c},," for a in "abc" for b in ("", "a", "b") for s, c in (("HIV", "R"), ("PSY", "R"))),
     "our-lab,a..c,STD,R,", "our-lab,ab..ba,SUD,R,", "our-lab,aa,GDIS,R,"]
)  # fmt: skip


@given(st.lists(SPANS, max_size=6), st.text("abcd", max_size=4))
def test_the_index_finds_what_each_line_by_itself_covers(lines: list[str], code: str) -> None:
    """However lines overlap."""
    expected = {label for line in lines for label in tables(line).labels(OURS, code)}
    assert set(tables(*lines).labels(OURS, code)) == expected


BAD_LINES = {
    "an unknown system": ("icd10,B20,HIV,R,", "system 'icd10' is not known"),
    "an unknown sensitivity": ("icd-10,B20,AIDS,R,", "no sensitivity"),
    "an unknown confidentiality": ("icd-10,B20,HIV,X,", "no confidentiality"),
    "no label at all": ("icd-10,B20,,,", "neither"),
    "a range that goes down": ("icd-10,B24..B20,HIV,R,", "range"),
    "a range of one": ("icd-10,B20..B20,HIV,R,", "range"),
    "a range of unequal ends": ("icd-10,B20..B249,HIV,R,", "range"),
    "a range without an end": ("icd-10,B20..,HIV,R,", "not a code"),
    "a hyphen as a range": ("icd-10,B20-B24,HIV,R,", "not a code"),
    "a range where codes have no order": ("loinc,75622-1..75629-1,HIV,R,", "no order"),
    "a beginning where codes have none": ("snomed-ct,8640*,HIV,R,", "no order"),
    "a beginning of nothing": ("icd-10,*,HIV,R,", "not a code"),
    "a star inside": ("icd-10,B*0,HIV,R,", "not a code"),
    "no code": ("icd-10,,HIV,R,", "not a code"),
    "a LOINC code with a slip": ("loinc,75621-1,HIV,R,", "not a code"),
    "a SNOMED CT code with a slip": ("snomed-ct,86406007,HIV,R,", "not a code"),
    "a code of another system": ("atc,75622-1,HIV,R,", "not a code"),
    "too few cells": ("icd-10,B20,HIV", "5 cells"),
    "too many cells": ("icd-10,B20,HIV,R,x,y", "5 cells"),
    "a quote that never ends": ('icd-10,"B20,HIV,R,', "CSV"),
    "a control character": ("icd-10,B20,HIV,R,\x07", "control character"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "words"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_named(line: str, words: str) -> None:
    """File and line, and what is wrong with it."""
    with pytest.raises(TablesInvalid, match=words) as found:
        tables("icd-10,Z21,HIV,R,", line)
    assert str(found.value).startswith(f"site.csv, line {FIRST_LINE + 1}: ")


BAD_HEADS = {
    "no columns": (PROVENANCE, "no line system"),
    "nothing at all": ("", "no line system"),
    "other columns": (PROVENANCE + "system;codes\n", "columns"),
    **{
        f"no {name}": (HEAD.replace(f"# {name}:", "# other:"), f"lacks '# {name}")
        for name in ("source", "version", "date", "author")
    },
    "an empty author": (HEAD.replace("Dr Roy", ""), "lacks '# author"),
    "a date that is none": (HEAD.replace("2026-11-25", "25/11/2026"), "YYYY-MM-DD"),
    "an author twice": ("# author: x\n" + HEAD, "said twice"),
    "a system without URI": (HEAD.replace("= https://lab.example/codes", ""), "declared as"),
    "a system that is known": (HEAD.replace("our-lab", "loinc"), "known already"),
    "a URI that is known": (HEAD.replace("https://lab.example/codes", "http://loinc.org"), "known already"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BAD_HEADS.values(), ids=BAD_HEADS)
def test_a_table_without_its_provenance_is_refused(text: str, words: str) -> None:
    """Nobody could say who decided, and from what."""
    with pytest.raises(TablesInvalid, match=words) as found:
        CodeTables({"site.csv": text})
    assert str(found.value).startswith("site.csv, line ")


CONTRADICTIONS = {
    "the same code": ("icd-10,B20,HIV,R,", "icd-10,B20,HIV,V,"),
    "a laxer part of a wider line": ("icd-10,F*,PSY,R,", "icd-10,F32,PSY,N,"),
    "a laxer part before the wider line": ("icd-10,F32,PSY,N,", "icd-10,F*,PSY,R,"),
    "ranges that overlap": ("icd-10,F10..F19,SUD,R,", "icd-10,F15..F25,SUD,V,"),
    "no sensitivity in either": ("icd-10,F10..F19,,R,", "icd-10,F19,,N,"),
}


@pytest.mark.parametrize("lines", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_lines_that_contradict_are_refused_and_both_named(lines: tuple[str, str]) -> None:
    """The stricter would win, and whoever wrote the other would believe otherwise."""
    with pytest.raises(TablesInvalid, match="contradicts") as found:
        tables(*lines)
    message = str(found.value)
    assert message.startswith(f"site.csv, line {FIRST_LINE + 1}: ")
    assert f"site.csv, line {FIRST_LINE}:" in message


def test_a_narrower_line_may_be_stricter_and_an_equal_one_may_repeat() -> None:
    """A refinement is no contradiction."""
    assert Label("PSY", "V") in tables("icd-10,F*,PSY,R,", "icd-10,F32,PSY,V,").labels(ICD10, "F32.1")
    tables("icd-10,F*,PSY,R,", "icd-10,F*,PSY,R,", "icd-10,F*,MH,V,")


def test_a_site_may_be_stricter_than_what_ships_and_laxer_only_by_replacing_it(tmp_path: Path) -> None:
    """A laxer line of a site beside a shipped one would have no effect; a copy of the shipped file may say anything."""
    (tmp_path / "site.csv").write_text(f"{HEAD}icd-10,B2*,HIV,V,\n")
    assert Label("HIV", "V") in CodeTables(texts(tmp_path)).labels(ICD10, "B20")
    (tmp_path / "site.csv").write_text(f"{HEAD}icd-10,B20,HIV,N,\n")
    with pytest.raises(TablesInvalid, match=r"site\.csv, line \d+: contradicts icd-10\.csv"):
        CodeTables(texts(tmp_path))
    (tmp_path / "icd-10.csv").write_text(f"{HEAD}icd-10,B20,HIV,N,\n")
    assert CodeTables(texts(tmp_path)).labels(ICD10, "B20") == (Label("HIV", "N"),)
    assert CodeTables(texts(tmp_path)).labels(ICD10, "F20") == ()


def test_what_a_spreadsheet_writes_is_read(tmp_path: Path) -> None:
    """A mark in front, CR LF, quotes, empty cells at the end of a line."""
    text = "\r\n".join(f"{line},,,,," if line.startswith("#") else line for line in HEAD.splitlines())
    (tmp_path / "site.csv").write_bytes(f'\ufeff{text}\r\n"icd-10","Q90","GDIS","R","a, b",,\r\n,,,,\r\n'.encode())
    found = CodeTables(texts(tmp_path))
    assert found.labels(ICD10, "Q90.0") == (Label("GDIS", "R"),)
    assert next(each for each in found.tables if each.file == "site.csv").provenance["author"] == "Dr Roy"


def test_a_folder_that_cannot_be_read_stops_the_load(tmp_path: Path) -> None:
    """Missing, or with a file that is not text: named."""
    with pytest.raises(RulesInvalid, match="none: cannot be read"):
        texts(tmp_path / "none")
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TablesInvalid, match=r"gone\.csv: cannot be read: No such file"):
        texts(tmp_path)
    (tmp_path / "gone.csv").unlink()
    (tmp_path / "bad.csv").write_bytes(b"# a\n\xff\n")
    with pytest.raises(TablesInvalid, match=r"bad\.csv, line 2: is not UTF-8"):
        texts(tmp_path)


def test_the_tables_are_part_of_the_rules_digest(tmp_path: Path) -> None:
    """A record says which rules decided; another table is another set."""
    (tmp_path / "site.csv").write_text(f"{HEAD}icd-10,Q90,GDIS,R,\n")
    digests = {rulebook.load(None, unlabelled_documents="withhold", tables=each).digest for each in (None, tmp_path)}
    assert len(digests) == 2


@given(st.text(string.printable, max_size=60))
def test_no_text_upsets_the_reader(text: str) -> None:
    """It is read, or refused with a line."""
    for whole in (text, HEAD + text):
        try:
            read("site.csv", whole)
        except TablesInvalid as error:
            assert str(error).startswith("site.csv, line ")


@pytest.mark.parametrize("uri", ["https://loinc.org", "http://LOINC.org/", "URN:OID:2.16.840.1.113883.6.1"])
def test_a_known_system_is_not_declared_again_in_another_spelling(uri: str) -> None:
    """Its lines would stand in the place of those that ship."""
    with pytest.raises(TablesInvalid, match="known already"):
        CodeTables({"a.csv": f"{PROVENANCE}# system: ours = {uri}\n{COLUMNS}ours,1,HIV,R,\n"})


def test_two_tables_may_spell_one_system_in_two_ways() -> None:
    """What each says counts."""
    other = f"{PROVENANCE}# system: lab = http://lab.example/codes/\n{COLUMNS}lab,GLU,PRS,R,\n"
    both = CodeTables({"a.csv": HEAD + "our-lab,GLU,HIV,V,", "b.csv": other})
    assert set(both.labels(OURS, "GLU")) == {Label("HIV", "V"), Label("PRS", "R")}
