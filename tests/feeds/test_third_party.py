"""Feeds that others wrote: found by entry point, guarded, and a plug-in that fails is one sentence at the start."""

from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.interface import Call, FeedAnswerInvalid, FeedLinkExpired
from fhir_adapters.registry import FEEDS, PlugInBroken, UnknownFeedKind, build
from fhir_adapters.third_party import METHODS, ThirdPartyConfig
from plugin import sources
from plugin.settings.errors import SettingsError
from plugin.settings.feed import ClaimMatch, ThirdParty
from tests.feeds.conftest import SHELF, PlugIn

CONFIG = ThirdPartyConfig("files", {"folder": "none"}, {"token": "s3cret"})
ASKED = "Patient/alma"

BAD = {
    "no such kind": ("x = vitrine_test_bad:Shelf", SHELF, UnknownFeedKind, "no kind of feed"),
    "no such module": ("bad = vitrine_test_nowhere:Shelf", "", PlugInBroken, "cannot be loaded: ModuleNotFoundError"),
    "no such name": ("bad = vitrine_test_bad:Shelf", "", PlugInBroken, "cannot be loaded: AttributeError"),
    "fails when imported": ("bad = vitrine_test_bad:Shelf", "1 / 0", PlugInBroken, "ZeroDivisionError"),
    "cannot be called": ("bad = vitrine_test_bad:Shelf", "Shelf = 1", PlugInBroken, "makes no feed"),
    "makes nothing": ("bad = vitrine_test_bad:Shelf", "def Shelf(config): pass", PlugInBroken, "is no feed"),
    "refuses": (
        "bad = vitrine_test_bad:Shelf",
        "def Shelf(c): raise ValueError('no folder')",
        PlugInBroken,
        "no folder",
    ),
    "fails": (
        "bad = vitrine_test_bad:Shelf",
        "def Shelf(config): raise KeyError(config.secrets['token'])",
        PlugInBroken,
        "failed to make a feed: KeyError$",
    ),
    "another id": (
        "bad = vitrine_test_bad:made",
        f"{SHELF}\nfrom dataclasses import replace\ndef made(config): return Shelf(replace(config, id='other'))",
        PlugInBroken,
        "another id",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_plug_in_that_makes_no_feed_is_refused_with_a_sentence(installed: PlugIn, case: str) -> None:
    """Which distribution to mend, and no secret."""
    lines, code, error, says = BAD[case]
    installed("vitrine_test_bad", code, lines)
    with pytest.raises(error, match=says) as caught:
        build("bad", CONFIG)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_plug_ins_of_one_name_are_none(installed: PlugIn) -> None:
    """The order of installation would decide whose results are shown."""
    installed("vitrine_test_one", SHELF, "shelf = vitrine_test_one:Shelf")
    installed("vitrine_test_two", SHELF, "shelf = vitrine_test_two:Shelf")
    with pytest.raises(PlugInBroken, match="several"):
        build("shelf", CONFIG)


@pytest.mark.parametrize("kind", FEEDS)
def test_no_plug_in_takes_a_name_of_ours(installed: PlugIn, kind: str) -> None:
    """Installing something must not change a feed that works."""
    installed("vitrine_test_thief", SHELF, f"{kind} = vitrine_test_thief:Shelf")
    with pytest.raises(UnknownFeedKind, match="another configuration"):
        build(kind, CONFIG)


def test_what_goes_wrong_inside_is_a_feed_error_that_tells_nothing(installed: PlugIn, folder: Path, call: Call) -> None:
    """The text of somebody else's error may hold the question, the answer or a secret."""
    failing = "".join(
        f"    def {name}(self, *asked):\n        raise KeyError(str(asked) + '{ASKED}')\n" for name in METHODS
    )
    installed(
        "vitrine_test_failing", f"{SHELF}\nclass Failing(Shelf):\n{failing}", "failing = vitrine_test_failing:Failing"
    )
    feed: Any = build("failing", ThirdPartyConfig("files", {"folder": str(folder)}))
    for name, asked in {"read": ("Patient", "p1"), "search": ("Patient", ()), "page": ("x",), "check": ()}.items():
        with pytest.raises(FeedAnswerInvalid, match="feed 'files' failed inside its plug-in") as caught:
            getattr(feed, name)(*asked, call)
        assert ASKED not in str(caught.value)
        assert caught.value.__context__ is None


def test_its_own_feed_errors_keep_their_meaning(installed: PlugIn, folder: Path, call: Call) -> None:
    """A page that expired is no failure of the plug-in."""
    installed("vitrine_test_shelf", SHELF, "shelf = vitrine_test_shelf:Shelf")
    feed = build("shelf", ThirdPartyConfig("files", {"folder": str(folder)}))
    with pytest.raises(FeedLinkExpired):
        feed.page("nowhere", call)


def test_the_assembly_hands_over_options_and_secrets(
    installed: PlugIn, folder: Path, tmp_path: Path, call: Call
) -> None:
    """Secrets are read from files by us, with the same care as our own."""
    installed("vitrine_test_shelf", SHELF, "shelf = vitrine_test_shelf:Shelf")
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    secret.chmod(0o644)
    entry = ThirdParty(
        id="files",
        kind="shelf",
        match=ClaimMatch(by="claim"),
        options={"folder": str(folder)},
        secrets={"token": secret},
    )
    with pytest.raises(SettingsError, match=r"feed\.0\.secrets\.token"):
        sources.feed(entry, "feed.0")
    secret.chmod(0o600)
    assert sources.feed(entry, "feed.0").read("Observation", "o1", call) is not None
    with pytest.raises(SettingsError, match=r"feed\.0\.kind: the plug-in .* refuses its configuration"):
        sources.feed(entry.model_copy(update={"options": {}}), "feed.0")
    with pytest.raises(SettingsError, match=r"feed\.0\.kind: 'drawer' is no kind of feed"):
        sources.feed(entry.model_copy(update={"kind": "drawer"}), "feed.0")
