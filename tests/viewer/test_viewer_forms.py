"""Purpose, emergency access and the word that the patient was told: forms that only a page of the view can send."""

from pathlib import Path

import pytest

from policies.vocabulary.emergency import WORDS
from tests.launch.launching import configuration
from tests.viewer.clinic import RULES, Clinic, with_emergency
from tests.world import PUBLIC_BASE, observation

CONSENTS = 'consents = { kind = "fhir-rest", base = "https://ehr.example/fhir" }\n'


def test_before_a_purpose_is_stated_nothing_is_shown(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, purpose=None)
    for path in ("", "feed/city-lab", "part/city-lab", "together", "emergency"):
        assert clinic.get(path).headers["Location"] == f"/view/{clinic.view}/purpose?lang=en"
    clinic.get("purpose")
    assert clinic.world.lab.queries == []
    assert [body["action"] for body in clinic.world.named()] == ["session:opened"]


def test_the_purpose_is_treatment_unless_the_person_says_otherwise(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, purpose=None)
    seen = clinic.get("purpose", language="fr")
    assert 'value="TREAT" required checked' in seen.html
    assert "Soigner ce patient" in seen.text
    assert 'value="ETREAT"' not in seen.html, "every look would be refused, and only a new launch leads out"
    after = clinic.post("purpose", {"form": seen.form, "purpose": "COC"})
    assert clinic.follow(after).status == 200
    clinic.get("part/city-lab")
    assert clinic.world.last()["purpose"] == {"codes": ["COC"], "source": "declared"}


ONLY_IN_AN_EMERGENCY = """
@id("site-closed") @en("Closed.") @fr("Fermé.")
forbid (principal, action in Action::"consult", resource) unless { context.break_glass };
"""


def test_whom_only_emergency_access_helps_can_state_a_purpose_and_reach_it(tmp_path: Path) -> None:
    """No purpose to choose would be a form that nobody can send, before the page that leads on."""
    clinic = with_emergency(tmp_path, ONLY_IN_AN_EMERGENCY, purpose=None)
    seen = clinic.get("purpose")
    assert 'value="TREAT" required checked' in seen.html
    after = clinic.follow(clinic.post("purpose", {"form": seen.form, "purpose": "TREAT"}))
    assert f"/view/{clinic.view}/emergency" in after.html


FORMS = ("purpose", "emergency", "emergency/end", "feed/city-lab", "screen", "logout")
FOREIGN: tuple[tuple[bool, dict[str, str], dict[str, str]], ...] = (
    (False, {}, {}),
    (False, {"form": "0" * 64}, {}),
    (False, {"form": "é"}, {}),
    (False, {}, {"Origin": "null"}),
    (True, {}, {"Origin": "https://elsewhere.example"}),
    (True, {}, {"Sec_Fetch_Site": "cross-site"}),
)
"""Whether the token is right, what else the form holds, headers."""


@pytest.mark.parametrize("path", FORMS)
def test_a_form_that_is_not_of_the_view_does_nothing(clinic: Clinic, path: str) -> None:
    """A page elsewhere can make the browser send a form with its cookie. It is counted, and told."""
    token = clinic.get("emergency").form
    for right, form, headers in FOREIGN:
        given = {"reason": "life-threatening", "informed": "yes", **form, **({"form": token} if right else {})}
        seen = clinic.post(path, given, **headers)
        assert seen.status == 403
        assert "Rien n’a été fait." in seen.text
    assert [body["reason"] for body in clinic.world.bodies() if body["action"] == "callers:refused"] == ["form-foreign"]
    assert not [body for body in clinic.world.named() if body["action"].startswith(("break-glass", "page:"))]
    assert clinic.get().status == 200


def test_a_form_is_taken_however_our_own_base_is_written(tmp_path: Path) -> None:
    """Browsers send its origin in small letters and without the usual port."""
    clinic = Clinic(tmp_path, configuration().replace(PUBLIC_BASE, "https://Vitrine.Example:443"), purpose=None)
    form = {"form": clinic.get("purpose").form, "purpose": "TREAT"}
    assert clinic.post("purpose", form, Origin="https://vitrine.example").status == 303


def test_the_form_token_of_one_view_is_not_that_of_another(clinic: Clinic) -> None:
    from plugin.authentication.credential import LaunchSession
    from plugin.faces.viewer.csrf import FormTokens

    tokens = FormTokens([b"k" * 32], "https://vitrine.example")
    made = {tokens.token(LaunchSession(view, secret)) for view in ("a", "b") for secret in ("s", "t")}
    assert len(made) == 4


def test_the_reasons_of_an_emergency_are_said_in_both_languages(clinic: Clinic) -> None:
    for language, place in (("fr", 0), ("en", 1)):
        text = clinic.get("emergency", language=language).text
        assert all(words[place] in text for words in WORDS.values())


def test_emergency_access_is_offered_only_where_a_rule_could_permit_it(clinic: Clinic, tmp_path: Path) -> None:
    """An emergency waits for nobody who is then refused."""
    permits = tmp_path / "permitting"
    permits.mkdir()
    for desk, emergency in ((clinic, False), (with_emergency(permits), True)):
        assert ("/emergency?lang=en" in desk.get().html) is emergency


def test_emergency_access_is_offered_where_the_patient_may_oppose_nothing(tmp_path: Path) -> None:
    """As by the set `france-dmp-like`, under which nothing is shown unless oppositions are known: pages ask nobody."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rules.cedar").write_text(
        f'{RULES}@id("site-known") @en("Known only.")\n'
        'forbid (principal, action in Action::"consult", resource) unless { context has opposition };'
    )
    text = f'{configuration()}\n[policies]\ndirectory = "rules"\n'
    clinic = Clinic(tmp_path, text.replace('id = "hospital"\n', f'id = "hospital"\n{CONSENTS}', 1), purpose=None)
    seen = clinic.get("purpose")
    assert 'value="ETREAT"' not in seen.html
    clinic.post("purpose", {"form": seen.form, "purpose": "TREAT"})
    assert "/emergency?lang=en" in clinic.get().html


def test_where_no_rule_permits_it_emergency_access_is_refused_and_recorded(clinic: Clinic) -> None:
    form = clinic.get("emergency").form
    seen = clinic.post("emergency", {"form": form, "reason": "life-threatening"})
    assert seen.status == 403
    assert "Les règles d’accès" in seen.text
    assert clinic.world.last()["action"] == "break-glass:denied"


def test_a_source_that_wants_the_patient_informed_is_asked_after_the_clinicians_word(tmp_path: Path) -> None:
    text = configuration().replace(
        'title = { fr = "Laboratoire', 'patient_informed = true\ntitle = { fr = "Laboratoire'
    )
    clinic = Clinic(tmp_path, text)
    world = clinic.world
    world.lab.resources.append(observation("o1", code={"text": "Potassium"}))
    seen = clinic.get("feed/city-lab")
    assert "I confirm that I told the patient" in seen.text
    assert world.lab.queries == []
    after = clinic.post("feed/city-lab", {"form": seen.form, "informed": "yes", "back": "feed"})
    assert "Potassium" in clinic.follow(after).text
    assert [body["action"] for body in world.named()[-2:]] == ["patient:informed", "consultation:released"]


def test_without_the_word_the_source_is_not_asked(clinic: Clinic) -> None:
    form = clinic.get("emergency").form
    after = clinic.post("feed/city-lab", {"form": form})
    assert "told=" not in after.headers["Location"]


def test_a_word_is_good_for_its_view_its_source_and_two_minutes() -> None:
    from plugin.faces.viewer.informed import SECONDS, Told
    from plugin.sealing import Seal

    now = [1000.0]
    told = Told(Seal([b"k" * 32], "test"), lambda: now[0])
    word = told.give("v1", "insurer")
    assert told.of("v1", [word, "forged"]) == {"insurer"}
    assert told.of("v2", [word]) == frozenset()
    now[0] += SECONDS + 1
    assert told.of("v1", [word]) == frozenset()


def test_a_print_and_a_copy_are_recorded_under_the_persons_name(clinic: Clinic) -> None:
    """Neither can be prevented in a browser; both are reported by the page's script."""
    form = clinic.get().form
    for what, action in (("print", "page:printed"), ("copy", "page:copied")):
        assert clinic.post("screen", {"form": form, "what": what}).status == 204
        record = clinic.world.last()
        assert record["action"] == action
        assert record["person"]["subject"] == "dr-roy"
        assert record["patient"] == "p1"


def test_reports_of_one_view_end_so_that_a_script_fills_no_log(clinic: Clinic) -> None:
    form = clinic.get().form
    for _ in range(25):
        assert clinic.post("screen", {"form": form, "what": "print"}).status == 204
    assert sum(body["action"] == "page:printed" for body in clinic.world.named()) == 20


def test_what_is_no_report_is_refused_and_recorded(clinic: Clinic) -> None:
    """Only a page of ours reports, and it knows two words: whoever sends another one has a name. Not what was sent."""
    form = clinic.get().form
    for what in ("scroll", "", "x" * 5_000):
        assert clinic.post("screen", {"form": form, "what": what}).status == 400
        record = clinic.world.last()
        assert (record["action"], record["outcome"], record["reason"]) == ("page:refused", "4", "invalid-value")
        assert (record["person"]["subject"], record["patient"], record["rules"]) == ("dr-roy", "p1", ["shape"])
        assert "scroll" not in str(record)


def test_closing_ends_the_view_and_says_so(clinic: Clinic) -> None:
    seen = clinic.post("logout", {"form": clinic.get().form})
    assert seen.status == 200
    assert "Rien n’a été conservé ici." in seen.text
    assert clinic.world.login.revoked
    assert clinic.world.last()["action"] == "session:closed"
    assert clinic.get().status == 401


def test_emergency_access_opens_with_a_reason_has_a_banner_on_every_page_and_closes(tmp_path: Path) -> None:
    """Where a site's rule permits it."""
    clinic = with_emergency(tmp_path)
    after = clinic.post("emergency", {"form": clinic.get("emergency").form, "reason": "other", "text": "unconscious"})
    clinic.follow(after)
    assert clinic.world.last()["action"] in {"break-glass:opened", "consultation:released"}
    for path in ("", "feed/city-lab", "emergency", "feed/nowhere"):
        seen = clinic.get(path)
        assert "Emergency access is open" in seen.text
        assert "data-left=" in seen.html
    clinic.get("part/city-lab")
    assert clinic.world.last()["purpose"]["codes"] == ["BTG"]
    clinic.follow(clinic.post("emergency/end", {"form": clinic.get().form}))
    assert "Emergency access is open" not in clinic.get().text


def test_a_refusal_on_a_page_of_no_source_names_none(clinic: Clinic) -> None:
    """« ces résultats » are no source."""
    form = {"form": clinic.get("emergency").form, "reason": "life-threatening"}
    seen = clinic.post("emergency", form, language="fr")
    assert seen.status == 403
    assert "<h1>Les règles d’accès ne permettent pas de consulter ces résultats ici.</h1>" in seen.html
