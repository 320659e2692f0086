"""What a refusal says: the key as it stands in the file, and what is wrong in the words of TOML."""

import copy
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from plugin.settings.errors import SettingsError
from plugin.settings.file import load, validated
from plugin.settings.values import Section

EVERY_KEY = tomllib.loads(Path(__file__).with_name("every_key.toml").read_text(encoding="utf-8"))
FILE = Path("vitrine.toml")
OF_OTHER_TYPES = [7, 1.5, float("inf"), "", "\0", True, [], [7], [[]], {}, {"x": 1}, date(2024, 1, 1)]
OF_PYTHON = re.compile(
    r"\b(tuples?|dict|dictionary|str|strings?|int|integer|bool|boolean|null|class|instance|objects?|attributes?"
    r"|inputs?|items?|values?|valid|validation|errors?|expected|[A-Z]\w+(Settings|Auth|Error))\b"
    r"|\(.*,\)",
    re.IGNORECASE,
)
QUOTED = re.compile("'[^']*'")
"""What the file may hold there."""


def places(here: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Of every value of a document, but for the options of a plug-in, which are not ours."""
    inner = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
    for key, value in inner:
        if key != "options":
            yield (*at, key)
            yield from places(value, (*at, key))


def dotted(place: tuple[str | int, ...]) -> str:
    return ".".join(map(str, place))


def changed(place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(EVERY_KEY)
    here: Any = document
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    return document


def said(document: dict[str, Any]) -> tuple[str, str] | None:
    """The key and what is wrong with it; None where nothing is."""
    try:
        validated(document, FILE)
    except SettingsError as refused:
        key, _, what = str(refused).removeprefix("vitrine.toml: ").partition(": ")
        return key, what
    return None


def given(section: Section) -> Iterator[tuple[type[Section], str]]:
    """The keys that stand in the file, each with its table."""
    for name in section.model_fields_set:
        yield type(section), name
        value = getattr(section, name)
        for each in value if isinstance(value, tuple) else [value]:
            if isinstance(each, Section):
                yield from given(each)


def tables(above: type[Section] = Section) -> Iterator[type[Section]]:
    for table in above.__subclasses__():
        yield table
        yield from tables(table)


def test_the_file_of_every_key_has_every_key():
    """So that the sweep below leaves none out."""
    in_a_file = {**EVERY_KEY, "ledger": {"path": "ledger.sqlite"}}
    found = {key for document in (EVERY_KEY, in_a_file) for key in given(validated(document, FILE))}
    for table in tables():
        assert set(table.__annotations__) <= {name for each, name in found if issubclass(each, table)}, table


@pytest.mark.parametrize("place", [*places(EVERY_KEY)], ids=dotted)
def test_a_value_of_a_wrong_type_is_refused_by_its_key_in_the_words_of_toml(place):
    """Who reads it wrote TOML, and may never have heard of what reads it."""
    for value in OF_OTHER_TYPES:
        refused = said(changed(place, value))
        if refused is None:
            continue
        key, what = refused
        assert f"{key}.".startswith(f"{dotted(place)}."), (value, refused)
        assert not OF_PYTHON.search(QUOTED.sub("", what)), (value, refused)


def test_what_is_required_is_named_where_it_is_lacking():
    for place in places(EVERY_KEY):
        document = changed(place, None)
        here: Any = document
        for key in place[:-1]:
            here = here[key]
        del here[place[-1]]
        refused = said(document)
        if refused is not None and refused[1] == "is required":
            assert refused[0] == dotted(place)


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("feed", 0, "kind"), "fhir-rets", "feed.0.kind"),
        (("feed", 0, "match", "systems", 0), "1.2.250.1.213.1.4.8", "feed.0.match.systems.0"),
        (("feed", 0, "match", "systems", 0), "urn:oid:1.2 .3", "feed.0.match.systems.0"),
        (("feed", 0, "match"), "same-id", "feed.0.match.shares_patient_ids_with"),
        (("feed", 1), {**EVERY_KEY["feed"][1], "match": "same-id", "shares_patient_ids_with": 7}, "feed.1.shares_pa"),
        (("ehr", 0, "consents", "kind"), "fhir-rets", "ehr.0.consents.kind"),
        (("ledger", "sinks", 0, "kind"), "fiel", "ledger.sinks.0.kind"),
        (("ledger", "retention"), {"consultations": "1-year"}, "ledger.retention.consultations"),
        (("ledger", "dns file"), "x", 'ledger."dns file"'),
        (("ledger", "path"), "x", "ledger.path"),
        (("ledger", "anonymous_space_floor_mb"), 0, "ledger.anonymous_space_floor_mb"),
        (("ledger", "sinks", 0, "path"), "p", "ledger.sinks.0.path"),
        (("limits", "tighter", 0, "client"), "nobody", "limits.tighter.0.client"),
        (("ehr", 1, "id"), "hospital", "ehr.1.id"),
        (("ehr", 0, "id"), "gateway", "ehr.0.id"),
        (("feed", 0, "id"), "metadata", "feed.0.id"),
        (("ehr", 0, "fhir_base"), "https://ehr.example/fhir?tenant=1", "ehr.0.fhir_base"),
        (("ehr", 0, "fhir_base"), "https://ehr.example/fhir?", "ehr.0.fhir_base"),
        (("ehr", 0, "fhir_base"), "https://ehr.example/%2e%2e/fhir", "ehr.0.fhir_base"),
        (("ehr", 0, "auth", "token_url"), "https://ehr.example/token?a=b", "ehr.0.auth.token_url"),
        (("ehr", 0, "issuer", 0, "issuer"), "https://under_score.example", "ehr.0.issuer.0.issuer"),
        (("ehr", 0, "issuer", 0, "jwks_uri"), "https://a_b.example/jwks", "ehr.0.issuer.0.jwks_uri"),
        (("ehr", 0, "issuer", 0, "introspection", "url"), "https://a.example/i?a", "ehr.0.issuer.0.introspection.url"),
        (("ledger", "sinks", 3, "url"), "https://witness.example/?a=b", "ledger.sinks.3.url"),
        (("alerts", "receivers", 0, "url"), "https://pager.example/?a=b", "alerts.receivers.0.url"),
        (("policies", "network_zones", "ward", 0), "10.0.0.1/8", "policies.network_zones.ward.0"),
    ],
    ids=str,
)
def test_what_a_hand_slips_to_is_named_as_it_stands_in_the_file(place, value, named):
    refused = said(changed(place, value))
    assert refused is not None
    assert refused[0].startswith(named), refused


LOGIN, OFFICE = ("https://login.hospital.example", "https://login.office.example")


@pytest.mark.parametrize(
    ("place", "value", "named", "other"),
    [
        (("ehr", 0, "issuer", 0, "advertised"), False, "ehr.0.issuer.0.advertised", "none is"),
        (("ehr", 1, "issuer", 0, "advertised"), True, "ehr.1.issuer.0.advertised", "ehr.0.issuer.0 is"),
        (("ehr", 2, "issuer", 0), "opaque", "ehr.2.issuer.0.tokens", "ehr.0.issuer.0 is"),
        (("ehr", 2, "issuer", 0, "issuer"), LOGIN, "ehr.2.issuer.0.introspection", "ehr.0.issuer.0 says another"),
        (("ehr", 2, "issuer"), [{"issuer": OFFICE}, {"issuer": OFFICE}], "ehr.2.issuer.1.issuer", "is the same"),
        (("ehr", 0, "client"), [{"id": "pane"}, {"id": "pane"}], "ehr.0.client.1.id", "ehr.0.client.0.id is the same"),
    ],
    ids=str,
)
def test_what_tables_must_agree_on_is_named_at_one_of_them_with_the_other(place, value, named, other):
    """A key that stands nowhere in the file leaves its reader to search two dozen issuers."""
    if value == "opaque":
        value = {**EVERY_KEY["ehr"][0]["issuer"][0], "issuer": OFFICE, "advertised": False}
    document = changed(place, value)
    if place == ("ehr", 0, "client"):
        del document["limits"]
    refused = said(document)
    assert refused is not None
    assert refused[0] == named
    assert other in refused[1]


MAY_BE_EMPTY = {
    ("trusted_proxies",),
    ("cors_origins",),
    ("ledger", "sinks"),
    ("alerts", "receivers"),
    ("limits", "tighter"),
    ("ehr", 0, "client"),
    ("ehr", 0, "launch", "frame_ancestors"),
}
"""Lists of whom something is given to or kept from: an empty one is as if it were not there."""


def test_a_list_without_which_nothing_would_come_is_refused_when_it_is_empty():
    """A feed without types would be dead, and audiences that are none would mean those of the default."""
    for place in places(EVERY_KEY):
        here: Any = EVERY_KEY
        for key in place:
            here = here[key]
        if isinstance(here, list):
            refused = said(changed(place, []))
            expected = None if place in MAY_BE_EMPTY else (dotted(place), "may not be an empty list")
            assert refused == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[ledger]\n[ledger]\n", "Cannot declare ledger twice (at line 2"),
        ("a = { b = 1 }\n[a.c]\n", "Cannot declare a.c twice"),
        (f"workers = {'9' * 5_000}", "too many digits"),
        (f"feed = {'[' * 5_000}", "nested too deeply"),
    ],
    ids=["twice", "dotted", "digits", "nesting"],
)
def test_what_is_not_toml_is_said_without_the_words_of_its_parser(tmp_path, text, what):
    path = tmp_path / "vitrine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load(path)
    assert what in str(refused.value)
    assert not OF_PYTHON.search(str(refused.value).removeprefix(str(path)))
