"""The configuration file: what surface.md promises is accepted or refused by name, and accidents stop the start."""

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.settings.errors import SettingsError
from plugin.settings.feed import SameIdMatch, Title
from plugin.settings.file import load, validated
from plugin.settings.secret import read_secret

TOP = 'public_base = "https://vitrine.hospital.example"\n'
ISSUER = '[[ehr.issuer]]\nissuer = "https://login.hospital.example"\n'
EHR = f'[[ehr]]\nid = "hospital"\nfhir_base = "https://ehr.hospital.example/fhir"\n{ISSUER}'
FEED = """[[feed]]
id = "city-lab"
kind = "fhir-rest"
base = "https://lab.example/fhir"
"""
MATCH = 'match = { by = "identifier", systems = ["urn:oid:1.2.250.1.213.1.4.8"] }\n'
SHORTEST = TOP + EHR + FEED + MATCH

WHOLE = """
public_base = "https://vitrine.hospital.example"
listen      = "127.0.0.1:8080"
ops_listen  = "127.0.0.1:9090"
workers     = 2
state_dir   = "state"
key_file    = "secrets/vitrine.keys"
trusted_proxies = []
cors_origins    = []
demo = false

[ledger]
path     = "ledger/vitrine.sqlite"
key_file = "secrets/checkpoint.key"
sinks    = [{ kind = "file", path = "/mnt/elsewhere/checkpoints" }]

[policies]
directory = "site-policies"
unlabelled_documents = "withhold"

[limits]
patients_per_person_hour      = 60
consultations_per_person_hour = 600
resources_per_consultation    = 1000

[[ehr]]
id        = "hospital"
fhir_base = "https://ehr.hospital.example/fhir"
auth      = { kind = "client_credentials", client_id = "vitrine", client_secret_file = "secrets/ehr", token_url = "https://ehr.example/token" }
auditors  = { claim = "roles", values = ["auditor"] }

  [[ehr.issuer]]
  issuer     = "https://login.hospital.example"
  jwks_uri   = "https://login.hospital.example/jwks"
  advertised = true
  tokens     = "jwt"
  audiences  = ["https://vitrine.hospital.example/fhir"]
  algorithms = ["RS256", "ES256"]
  types      = ["at+jwt"]
  claims     = "smart"
  subjects   = "by-claim"

  [[ehr.client]]
  id              = "results-pane"
  renders_only    = true
  default_purpose = "TREAT"

  [ehr.launch]
  client_id = "vitrine-viewer"
  auth      = { kind = "public" }
  frame_ancestors = ["https://ehr.hospital.example"]

[[feed]]
id    = "city-lab"
title = { fr = "Laboratoire de ville", en = "City laboratory" }
kind  = "fhir-rest"
base  = "https://lab.example/fhir"
auth  = { kind = "none" }
match = { by = "identifier", systems = ["urn:oid:1.2.250.1.213.1.4.8"] }
types = ["Observation", "DiagnosticReport"]

[[feed]]
id    = "folder"
kind  = "bundle-folder"
path  = "bundles"
match = { by = "same-id", shares_patient_ids_with = "hospital" }
"""  # noqa: E501 - as it stands in the documentation


def loaded(tmp_path, text):
    path = tmp_path / "vitrine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def refusal(tmp_path, text):
    """The one sentence that refuses it."""
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, text)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_the_shortest_working_file_is_short(tmp_path):
    read = loaded(tmp_path, SHORTEST)
    assert len(SHORTEST.splitlines()) <= 12
    assert not read.demo
    assert not read.ehr[0].client


def test_every_key_of_the_surface_is_accepted(tmp_path):
    read = loaded(tmp_path, WHOLE)
    assert read.feed[0].types == ("Observation", "DiagnosticReport")
    assert read.ehr[0].launch is not None


@pytest.mark.parametrize("title", ['{ en = "City laboratory" }', '{ fr = "City laboratory" }'])
def test_a_title_in_one_language_stands_for_both(tmp_path, title):
    """A site of one language has one title to give; that must not stop its start."""
    read = loaded(tmp_path, SHORTEST + f"title = {title}\n")
    assert read.feed[0].title == Title(fr="City laboratory", en="City laboratory")


def test_a_title_in_no_language_is_none(tmp_path):
    assert "title.fr" in refusal(tmp_path, SHORTEST + "title = {}\n")
    assert "title.de" in refusal(tmp_path, SHORTEST + 'title = { en = "City laboratory", de = "Labor" }\n')


def test_relative_paths_are_relative_to_the_file(tmp_path):
    read = loaded(tmp_path, WHOLE)
    assert read.state_dir == tmp_path / "state"
    assert read.key_file == tmp_path / "secrets" / "vitrine.keys"
    assert read.ledger.path == tmp_path / "ledger" / "vitrine.sqlite"
    assert read.policies.directory == tmp_path / "site-policies"
    assert read.feed[1].path == tmp_path / "bundles"
    assert str(read.ledger.sinks[0].path) == "/mnt/elsewhere/checkpoints"


OWN_PROOFS = {
    "private_key_jwt": (
        '{ kind = "private_key_jwt", client_id = "vitrine", key_file = "secrets/ehr.jwk", '
        'token_url = "https://login.example/token", scope = "system/Patient.rs" }'
    ),
    "mtls": (
        '{ kind = "mtls", certificate_file = "secrets/own.pem", key_file = "secrets/own.key", '
        'ca_file = "secrets/lab-ca.pem" }'
    ),
}


@pytest.mark.parametrize("kind", OWN_PROOFS)
def test_a_feed_and_an_ehr_take_the_same_ways_to_prove_oneself(tmp_path, kind):
    """Its files are relative to the configuration like all others."""
    own = 'auth  = { kind = "none" }'
    read = loaded(tmp_path, WHOLE.replace(own, f"auth = {OWN_PROOFS[kind]}"))
    assert read.feed[0].auth.key_file.parent == tmp_path / "secrets"
    shorter = SHORTEST.replace(ISSUER, f"auth = {OWN_PROOFS[kind]}\n{ISSUER}")
    assert loaded(tmp_path, shorter).ehr[0].auth.kind == kind
    assert "feed.0.auth" in refusal(tmp_path, WHOLE.replace(own, f'auth = {{ kind = "{kind}" }}'))


INTROSPECTION = (
    'introspection = { url = "https://login.hospital.example/introspect", client_id = "vitrine", '
    'client_secret_file = "secrets/introspection", implied_audience = false }'
)
OPAQUE = WHOLE.replace('tokens     = "jwt"', f'tokens = "opaque"\n{INTROSPECTION}')


def test_an_issuer_of_opaque_tokens_says_where_it_is_asked(tmp_path):
    """As surface.md has it; one without the other would be a setting that has no effect."""
    asked = loaded(tmp_path, OPAQUE).ehr[0].issuer[0].introspection
    assert asked.client_secret_file == tmp_path / "secrets" / "introspection"
    assert "introspection" in refusal(tmp_path, WHOLE.replace('tokens     = "jwt"', 'tokens = "opaque"'))
    assert "introspection" in refusal(tmp_path, WHOLE.replace('tokens     = "jwt"', INTROSPECTION))


def test_of_several_issuers_one_at_most_takes_opaque_tokens(tmp_path):
    """Shown to two, a token would be known to one that it is none of the business of."""
    second = f'[[ehr.issuer]]\nissuer = "https://other.example"\ntokens = "opaque"\n{INTROSPECTION}\n'
    assert "tokens" in refusal(tmp_path, OPAQUE.replace("  [[ehr.client]]", f"{second}\n  [[ehr.client]]"))


def test_an_issuer_that_two_ehrs_list_is_asked_in_one_way(tmp_path):
    """Else which one of two secrets is used would depend on the order of the file."""
    other = EHR.replace('"hospital"', '"clinic"').replace(ISSUER, f'{ISSUER}tokens = "opaque"\n')
    second = other + INTROSPECTION.replace("secrets/introspection", "secrets/other")
    assert "one way" in refusal(tmp_path, OPAQUE.replace("[[feed]]", f"{second}\n[[feed]]", 1))


@pytest.mark.parametrize(
    "claims", ['"iua"', '"pro-sante-connect"', '{ name = "display", patient = ["context", "pid"] }']
)
def test_claim_maps_are_named_or_a_table(tmp_path, claims):
    """The three of surface.md, and a table of the deployer's own."""
    read = loaded(tmp_path, WHOLE.replace('claims     = "smart"', f"claims = {claims}"))
    assert read.ehr[0].issuer[0].claims != "smart"


@pytest.mark.parametrize(
    ("claims", "key"),
    [('{ shoe = "x" }', "shoe"), ("{ name = [] }", "name"), ("{ name = 7 }", "name"), ('"saml"', "claims")],
)
def test_a_claim_map_that_says_nothing_understood_is_refused(tmp_path, claims, key):
    """A mistyped fact would be absent for ever."""
    assert key in refusal(tmp_path, WHOLE.replace('claims     = "smart"', f"claims = {claims}"))


def test_a_feed_of_a_third_party_has_options_and_secrets(tmp_path):
    """Whether there is such a plug-in is asked when feeds are made: settings know none."""
    own = 'options = { folder = "x" }\nsecrets = { token = "s/t" }\n'
    text = f'{TOP}{EHR}[[feed]]\nid = "shelf"\nkind = "shelf"\n{own}'
    read = loaded(tmp_path, text + MATCH).feed[0]
    assert (read.options, read.secrets) == ({"folder": "x"}, {"token": tmp_path / "s" / "t"})
    assert "'base' is for kind 'fhir-rest', which this is not" in refusal(
        tmp_path, SHORTEST.replace("fhir-rest", "fhir-rets")
    )
    assert "kind" in refusal(tmp_path, SHORTEST.replace('kind = "fhir-rest"\nbase', "# base"))
    assert "shoe" in refusal(tmp_path, text + 'shoe = "x"\n' + MATCH)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://*.hospital.example",
        "http://pane.example",
        "https://pane.example/app",
        "https://a@pane.example",
        "https://pane.example;script-src",
        "https://pane.example,other.example",
        "https://p%61ne.example",
        "https://127.1",
        "https://[::1%25eth0]",
        "https://[fe80",
    ],
)
def test_an_origin_that_no_browser_would_send_is_refused(tmp_path, origin):
    """It would never match, or match everybody; and the viewer's own pages send that of `public_base`."""
    assert "cors_origins.0: " in refusal(tmp_path, f'cors_origins = ["{origin}"]\n{SHORTEST}')
    assert "frame_ancestors.0: " in refusal(tmp_path, WHOLE.replace('https://ehr.hospital.example"]', f'{origin}"]'))
    assert "public_base: " in refusal(tmp_path, SHORTEST.replace("https://vitrine.hospital.example", origin))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://pane.example/", "https://pane.example"),
        ("https://pane.example:443", "https://pane.example"),
        ("https://Pane.Example:443/", "https://pane.example"),
        ("HTTPS://pane.example", "https://pane.example"),
        ("https://pane.example:", "https://pane.example"),
        ("https://pane.example:80", "https://pane.example:80"),
        ("https://pane.example:08443", "https://pane.example:8443"),
        ("http://LocalHost:80", "http://localhost"),
        ("https://[0:0::1]:8443", "https://[::1]:8443"),
    ],
)
def test_an_origin_is_understood_as_browsers_send_it_however_it_is_written(tmp_path, written, sent):
    """Our own stays as it is written where it is told to others: it is in tokens and registrations, to the letter."""
    read = loaded(tmp_path, f'cors_origins = ["{written}"]\n{SHORTEST}')
    assert read.cors_origins == (sent,)
    framed = loaded(tmp_path, WHOLE.replace('https://ehr.hospital.example"]', f'{written}"]'))
    assert framed.ehr[0].launch.frame_ancestors == (sent,)
    own = loaded(tmp_path, SHORTEST.replace("https://vitrine.hospital.example", written))
    assert (own.public_base, own.origin()) == (written.removesuffix("/"), sent)


def test_origins_are_listed_one_by_one(tmp_path):
    """With a port where it is not the usual one."""
    origins = ["https://pane.example", "https://pane.example:8443", "http://localhost:3000", "http://127.0.0.1"]
    origins += ["http://[::1]:3000", "https://xn--4ca.example", "https://pane_1.intranet"]
    assert list(loaded(tmp_path, f"cors_origins = {origins}\n{SHORTEST}").cors_origins) == origins
    assert loaded(tmp_path, SHORTEST.replace('.example"', '.example/"', 1)).public_base == TOP.split('"')[1]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("fc00::/7", "fc00::/7"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
    ],
)
def test_an_ipv4_network_written_as_ipv6_is_the_ipv4_network(tmp_path, written, meant):
    """Callers' addresses are read so too: as written it would hold nobody, and nobody would be told."""
    zones = f'[policies.network_zones]\nward = ["{written}"]\n'
    read = loaded(tmp_path, f'trusted_proxies = ["{written}"]\n{SHORTEST}{zones}')
    assert read.trusted_proxies == (meant,)
    assert read.policies.network_zones == {"ward": (meant,)}


def test_a_network_of_one_link_of_this_machine_is_refused(tmp_path):
    """An address with a zone is not understood where callers are, so it would hold nobody."""
    for key, text in (
        ("trusted_proxies", f'trusted_proxies = ["fe80::1%eth0"]\n{SHORTEST}'),
        ("network_zones", f'{SHORTEST}[policies.network_zones]\nward = ["fe80::%eth0/64"]\n'),
    ):
        sentence = refusal(tmp_path, text)
        assert key in sentence
        assert "%" in sentence


@pytest.mark.parametrize("match", ['"claim"', '{ by = "claim" }'])
def test_a_feed_is_matched_by_claim(tmp_path, match):
    """Both ways to write it; it takes no settings."""
    by_identifier = '{ by = "identifier", systems = ["urn:oid:1.2.250.1.213.1.4.8"] }'
    assert loaded(tmp_path, WHOLE.replace(by_identifier, match)).feed[0].match.by == "claim"
    wrong = '{ by = "claim", systems = ["x"] }'
    assert "systems" in refusal(tmp_path, WHOLE.replace(by_identifier, wrong))


PLACES = [
    "public_base =",
    "path     =",
    "directory =",
    "patients_per_person_hour",
    "fhir_base =",
    "issuer     =",
    "renders_only",
    "frame_ancestors",
    "title =",
]


@pytest.mark.parametrize("before", PLACES)
def test_an_unknown_key_is_refused_at_every_level(tmp_path, before):
    """A mistyped key would otherwise be a setting that has no effect."""
    assert "shoe_size" in refusal(tmp_path, WHOLE.replace(before, f"shoe_size = 43\n{before}", 1))


@pytest.mark.parametrize(
    ("now", "wrong", "key"),
    [
        ('"https://vitrine.hospital.example"\nlisten', '"http://vitrine.hospital.example"\nlisten', "public_base"),
        ('"https://vitrine.hospital.example"\nlisten', '"https://vitrine.example/x"\nlisten', "public_base"),
        ('"https://vitrine.hospital.example"\nlisten', '"https://u:p@vitrine.example"\nlisten', "public_base"),
        ('fhir_base = "https:', 'fhir_base = "http:', "fhir_base"),
        ('issuer     = "https:', 'issuer     = "http:', "issuer"),
        ('jwks_uri   = "https:', 'jwks_uri   = "http:', "jwks_uri"),
        ('token_url = "https:', 'token_url = "http:', "token_url"),
        ('base  = "https://lab', 'base  = "http://lab', "base"),
        ('"127.0.0.1:8080"', '"8080"', "listen"),
        ('"127.0.0.1:8080"', '"vitrine..example:8080"', "listen"),
        ('"127.0.0.1:8080"', f'"{"x" * 64}.example:8080"', "listen"),
        ('"127.0.0.1:9090"', '"127.0.0.1:99999"', "ops_listen"),
        ('"127.0.0.1:9090"', '"127.0.0.1:8080"', "ops_listen"),
        ('"127.0.0.1:9090"', '"0.0.0.0:8080"', "ops_listen"),
        ('"127.0.0.1:9090"', '"localhost:8080"', "ops_listen"),
        ('"https://vitrine.hospital.example"\nlisten', '"https://vitrine.example#"\nlisten', "public_base"),
        ('"https://vitrine.hospital.example"\nlisten', '"https://vitrine.example?"\nlisten', "public_base"),
        ('"https://vitrine.hospital.example"\nlisten', '"https://vitrine.example:0"\nlisten', "public_base"),
        ('"https://vitrine.hospital.example"\nlisten', '"https://vitrine hospital"\nlisten', "public_base"),
        ('"https://vitrine.hospital.example"\nlisten', '"https://vitriné.example"\nlisten', "public_base"),
        ("workers     = 2", "workers = 0", "workers"),
        ("workers     = 2", 'workers = "2"', "workers"),
        ("workers     = 2", "workers = true", "workers"),
        ("demo = false", 'demo = "yes"', "demo"),
        ("trusted_proxies = []", 'trusted_proxies = ["0.0.0.0/0"]', "trusted_proxies"),
        ("trusted_proxies = []", 'trusted_proxies = ["::/0"]', "trusted_proxies"),
        ("trusted_proxies = []", 'trusted_proxies = ["0.0.0.0/1", "128.0.0.0/1"]', "trusted_proxies"),
        ("trusted_proxies = []", 'trusted_proxies = ["::/1", "8000::/1"]', "trusted_proxies"),
        ("trusted_proxies = []", 'trusted_proxies = ["2000::/3"]', "trusted_proxies"),
        ("trusted_proxies = []", 'trusted_proxies = ["::ffff:0:0/96"]', "trusted_proxies"),
        ('"/mnt/elsewhere/checkpoints"', '"ledger/vitrine.sqlite"', "sinks"),
        ('"/mnt/elsewhere/checkpoints"', '"secrets/checkpoint.key"', "sinks"),
        ('state_dir   = "state"', 'state_dir = "a\\u0000b"', "state_dir"),
        ('state_dir   = "state"', "state_dir = 7", "state_dir"),
        ("trusted_proxies = []", 'trusted_proxies = ["everybody"]', "trusted_proxies"),
        ("_hour      = 60", "_hour      = 61", "patients_per_person_hour"),
        ("_hour = 600", "_hour = 100000", "consultations_per_person_hour"),
        ("_consultation    = 1000", "_consultation = 1001", "resources_per_consultation"),
        ("_consultation    = 1000", "_consultation = 0", "resources_per_consultation"),
        ('id    = "city-lab"', 'id = "City Lab"', "id"),
        ('id    = "city-lab"', 'id = "metadata"', "metadata"),
        ('id    = "city-lab"', 'id = "folder"', "feed"),
        ('kind  = "bundle-folder"', 'kind = "carrier-pigeon"', "kind"),
        ('shares_patient_ids_with = "hospital"', 'shares_patient_ids_with = "clinic"', "shares_patient_ids_with"),
        ('algorithms = ["RS256", "ES256"]', 'algorithms = ["none"]', "algorithms"),
        ('algorithms = ["RS256", "ES256"]', 'algorithms = ["HS256"]', "algorithms"),
        ('algorithms = ["RS256", "ES256"]', "algorithms = []", "algorithms"),
        ('default_purpose = "TREAT"', 'default_purpose = "ETREAT"', "default_purpose"),
        ('types = ["Observation", "DiagnosticReport"]', 'types = ["Group"]', "types"),
        ('types = ["Observation", "DiagnosticReport"]', 'types = ["Observation", "Observation"]', "types"),
        ('values = ["auditor"]', "values = []", "values"),
        ('systems = ["urn:oid:1.2.250.1.213.1.4.8"]', "systems = []", "systems"),
    ],
)
def test_what_would_be_unsafe_by_accident_is_refused_by_its_key(tmp_path, now, wrong, key):
    assert now in WHOLE
    assert key in refusal(tmp_path, WHOLE.replace(now, wrong, 1))


@pytest.mark.parametrize("key", ["public_base", "[[ehr]]", "[[feed]]"])
def test_what_is_missing_is_named(tmp_path, key):
    without = SHORTEST.replace({"public_base": TOP, "[[ehr]]": EHR, "[[feed]]": FEED + MATCH}[key], "")
    assert key.strip("[]") in refusal(tmp_path, without)


def test_plain_http_is_for_loopback_only(tmp_path):
    for host in ("127.0.0.1", "localhost", "[::1]"):
        loaded(tmp_path, SHORTEST.replace("https://lab.example", f"http://{host}:81"))
    for host in ("127.0.0.1.example", "localhost.example", "10.0.0.1", "0.0.0.0"):
        assert "base" in refusal(tmp_path, SHORTEST.replace("https://lab.example", f"http://{host}"))


SECOND = EHR.replace('"hospital"', '"clinic"').replace("ehr.hospital", "ehr.clinic")
CLIENT = '[[ehr.client]]\nid = "results-pane"\n'


def test_what_is_sent_to_an_address_is_sent_to_that_one(tmp_path):
    """A server that wants the slash at the end would redirect without it, which is not followed."""
    there = '{ kind = "https", url = "https://there.example/hook/" }'
    own = WHOLE.replace("[policies]", f"[alerts]\nreceivers = [{there}]\n\n[policies]", 1)
    settings = loaded(tmp_path, own.replace("sinks    = [", f"sinks    = [{there}, ", 1))
    assert settings.ledger.sinks[0].url == settings.alerts.receivers[0].url == "https://there.example/hook/"


def test_an_issuer_and_client_that_select_two_ehrs_are_refused(tmp_path):
    """A token could open another hospital's patients."""
    assert "results-pane" in refusal(tmp_path, TOP + EHR + CLIENT + SECOND + CLIENT + FEED + MATCH)
    loaded(tmp_path, TOP + EHR + CLIENT + SECOND + CLIENT.replace("results", "other") + FEED + MATCH)


def test_of_several_issuers_exactly_one_is_advertised(tmp_path):
    other = SECOND.replace("login.hospital", "login.clinic")
    advertised = "advertised = true\n"
    assert "advertised" in refusal(tmp_path, TOP + EHR + other + FEED + MATCH)
    assert "advertised" in refusal(tmp_path, TOP + EHR + advertised + other + advertised + FEED + MATCH)
    read = loaded(tmp_path, TOP + EHR + other + advertised + FEED + MATCH)
    assert read.advertised_issuer().issuer == "https://login.clinic.example"


def test_two_ehrs_or_issuers_of_one_name_are_refused(tmp_path):
    assert "ehr" in refusal(tmp_path, TOP + EHR + EHR + FEED + MATCH)
    assert "issuer" in refusal(tmp_path, TOP + EHR + ISSUER + FEED + MATCH)


@pytest.mark.parametrize(
    "match",
    [
        'match = { by = "same-id", shares_patient_ids_with = "hospital" }\n',
        'match = { by = "same-id" }\nshares_patient_ids_with = "hospital"\n',
        'match = "same-id"\nshares_patient_ids_with = "hospital"\n',
    ],
)
def test_same_id_may_be_said_in_the_forms_that_the_surface_can_be_read_in(tmp_path, match):
    found = loaded(tmp_path, TOP + EHR + FEED + match).feed[0].match
    assert found == SameIdMatch(by="same-id", shares_patient_ids_with="hospital")


def test_same_id_says_whose_ids(tmp_path):
    assert "shares_patient_ids_with" in refusal(tmp_path, TOP + EHR + FEED + 'match = "same-id"\n')
    assert "shares_patient_ids_with" in refusal(tmp_path, SHORTEST + 'shares_patient_ids_with = "hospital"\n')


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"\x7fELF\x00\x00",
        b"a = [" * 5_000,
        b"workers = " + b"9" * 5_000,
        b"a = 1\na = 2",
        b"x" * (2 << 20),
        b"public_base = 2024-01-01",
        b"ehr = 1\nfeed = true",
        b"[[ehr]]\n[[feed]]\nmatch = []",
        b"feed = [1, 'x', {}]",
    ],
    ids=repr,
)
def test_what_is_no_configuration_is_refused_in_one_sentence(tmp_path, content):
    refusal(tmp_path, content)


@given(data=st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_refused_or_read(tmp_path, data):
    with pytest.raises(SettingsError):
        loaded(tmp_path, data)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 99), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=8), inner, max_size=2)),
    max_leaves=4,
)


@given(data=st.data(), value=VALUES)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_in_any_place_is_refused_in_one_sentence_or_read(tmp_path, data, value):
    """Whatever a hand slips to: never another error than ours."""
    document = tomllib.loads(WHOLE)
    here = document
    while True:
        key = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else list(range(len(here)))))
        if isinstance(here[key], dict | list) and here[key] and data.draw(st.booleans()):
            here = here[key]
            continue
        here[key] = value
        break
    try:
        validated(document, tmp_path / "vitrine.toml")
    except SettingsError as error:
        assert "\n" not in str(error)


def test_a_secret_that_others_can_touch_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    for mode in (0o644, 0o604, 0o620, 0o602, 0o601):
        secret.chmod(mode)
        with pytest.raises(SettingsError, match=r"feed\.auth\.password_file.*chmod 600"):
            read_secret(secret, "feed.auth.password_file")
    for mode in (0o600, 0o400, 0o640):
        secret.chmod(mode)
        assert read_secret(secret, "x") == "s3cret"


def test_the_mark_that_some_editors_put_in_front_of_utf8_is_no_part_of_what_was_written(tmp_path):
    """A password with it would be another one, refused by its server for no reason that can be seen."""
    secret = tmp_path / "secret"
    secret.write_bytes("\ufeffs3cret\n".encode())
    secret.chmod(0o600)
    assert read_secret(secret, "x") == "s3cret"
    assert loaded(tmp_path, f"\ufeff{SHORTEST}") == loaded(tmp_path, SHORTEST)


def test_a_secret_that_is_none_is_refused_by_its_key(tmp_path):
    empty, large, binary = tmp_path / "empty", tmp_path / "large", tmp_path / "binary"
    empty.write_text(" \n")
    large.write_text("x" * 100_000)
    binary.write_bytes(b"\xff\xfe")
    for path in (empty, large, binary):
        path.chmod(0o600)
    for path in (empty, large, binary, tmp_path, tmp_path / "missing", tmp_path / "empty" / "below"):
        with pytest.raises(SettingsError, match="the_key"):
            read_secret(path, "the_key")


LAUNCHES = {
    'auth = { kind = "mutual" }': "auth",
    'auth = { kind = "client_secret" }': "client_secret_file",
    'auth = { kind = "private_key_jwt" }': "key_file",
    'auth = { kind = "public", client_secret_file = "x" }': "client_secret_file",
    'frame_ancestors = ["https://ehr.example/path"]': "frame_ancestors",
    'frame_ancestors = ["https://*.ehr.example"]': "frame_ancestors",
    'frame_ancestors = ["http://ehr.example"]': "frame_ancestors",
    "scopes = []": "scopes",
    'scopes = ["patient/*.cruds"]': "scopes",
    'scopes = ["user/Observation.rs"]': "scopes",
    'scopes = ["offline_access"]': "scopes",
    'scopes = ["patient/*.rs openid"]': "scopes",
    'redirect_uri = "https://elsewhere.example"': "redirect_uri",
}


@pytest.mark.parametrize(("line", "key"), LAUNCHES.items())
def test_a_launch_is_registered_strictly(tmp_path, line, key):
    """What is not known is refused, and nothing but looking at one patient is asked for."""
    text = WHOLE.replace('  client_id = "vitrine-viewer"\n', f'  client_id = "vitrine-viewer"\n  {line}\n')
    for name in ("auth      = { kind", 'frame_ancestors = ["https://ehr.hospital'):
        if line.startswith(name.split()[0]):
            text = "\n".join(each for each in text.splitlines() if not each.strip().startswith(name))
    assert key in refusal(tmp_path, text)


def test_the_address_that_every_launch_comes_back_to_is_no_ehrs(tmp_path):
    text = WHOLE.replace('id        = "hospital"', 'id        = "callback"').replace(
        'shares_patient_ids_with = "hospital"', 'shares_patient_ids_with = "callback"'
    )
    assert "callback" in refusal(tmp_path, text)
