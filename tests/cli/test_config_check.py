"""`vitrine config check` says what a start would: by the key, as it stands in the file."""

import pytest

from tests.cli.test_commands import NO, vitrine

CLAIM = 'match = "claim"\n'
SERVER = f'[[feed]]\nid = "lab"\nkind = "fhir-rest"\nbase = "https://lab.example/fhir"\n{CLAIM}'


def secret(place, name, text):
    path = place.folder / name
    path.write_text(text)
    path.chmod(0o600)


def checked(place, added, *, before="", code=NO):
    """What `config check` says with `added` at the end of the file, `before` before its first table."""
    place.path.write_text(before + place.path.read_text() + added)
    return vitrine(place.path, "config", "check", code=code).stderr


@pytest.mark.parametrize(
    ("auth", "key"),
    [
        ('kind = "bearer", token_file = "two-words"', "token_file"),
        ('kind = "bearer", token_file = "nowhere"', "token_file"),
        ('kind = "basic", username = "a:b", password_file = "two-words"', "username"),
        ('kind = "basic", username = "a", password_file = "nowhere"', "password_file"),
        (
            'kind = "private_key_jwt", client_id = "a", token_url = "https://a.example", key_file = "two-words"',
            "key_file",
        ),
        ('kind = "mtls", certificate_file = "nowhere", key_file = "two-words"', "certificate_file"),
    ],
)
def test_what_a_credential_lacks_is_named_with_the_feed_or_ehr_that_it_is_of(place, auth, key):
    """Several have the same keys: without a number nobody would know which file to look at."""
    secret(place, "two-words", "two words")
    asked = f"auth = {{ {auth} }}\n"
    consents = f'consents = {{ kind = "fhir-rest", base = "https://a.example", auth = {{ {auth} }} }}\n'
    good = place.path.read_text()
    assert f"feed.1.auth.{key}: " in checked(place, SERVER + asked)
    for given, found in ((asked, f"ehr.0.auth.{key}: "), (consents, f"ehr.0.consents.auth.{key}: ")):
        place.path.write_text(good.replace("[[ehr]]\n", f"[[ehr]]\n{given}"))
        assert found in checked(place, "")


def test_a_kind_of_feed_that_nobody_brings_is_said_of_its_kind(place):
    assert "feed.1.kind: 'shelf' is no kind" in checked(place, f'[[feed]]\nid = "lab"\nkind = "shelf"\n{CLAIM}')


@pytest.mark.parametrize("key", ["directory", "tables"])
def test_a_folder_of_rules_that_is_not_there_is_said_of_its_key(place, key):
    assert f"policies.{key}: " in checked(place, f'[policies]\n{key} = "nowhere"\n')
