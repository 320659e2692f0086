"""A clinician in front of the pages: launched from the EHR of the launch tests, in a browser that keeps its cookies."""

import html
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from plugin.event import LOCAL_FEED
from tests.launch.launching import LaunchWorld, configuration
from tests.world import PUBLIC_BASE, ehr_patient

NAME = [{"use": "official", "text": "Alma MARTIN"}]


@dataclass(frozen=True)
class Seen:
    """A page."""

    status: int
    headers: Headers
    html: str

    @property
    def text(self) -> str:
        """What stands there to be read: without tags, style, script and doubled blanks."""
        bare = re.sub(r"<(style|script)\b.*?</\1>", " ", self.html, flags=re.DOTALL)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())

    @property
    def form(self) -> str:
        """The token of its forms."""
        found = re.search(r'name="form" value="([0-9a-f]+)"', self.html)
        assert found, self.text
        return found.group(1)


class Clinic:
    """What a clinician does in a browser."""

    def __init__(self, folder: Path, text: str | None = None, *, purpose: str | None = "TREAT", **more: Any) -> None:
        self.world = LaunchWorld(folder, text or configuration())
        self.world.ehr.resources[:] = [ehr_patient(**{"name": NAME, **more})]
        self.view = self.world.launched().headers["Location"].split("/")[2]
        if purpose is not None:
            self.post("purpose", {"form": self.get("purpose").form, "purpose": purpose})

    def get(self, path: str = "", *, language: str = "en", browser: FlaskClient | None = None, **headers: str) -> Seen:
        """A page of the view."""
        return self.ask("GET", path, language=language, browser=browser, headers=headers)

    def post(self, path: str, form: Mapping[str, str], *, language: str = "en", **headers: str) -> Seen:
        """A form of the view."""
        return self.ask("POST", path, language=language, headers=headers, form=form)

    def follow(self, seen: Seen) -> Seen:
        """Where a form led."""
        assert seen.status == 303, seen.text
        return self.ask("GET", seen.headers["Location"])

    def looks(self) -> list[dict[str, Any]]:
        """The records of looks at outside feeds, without those of the banner's."""
        return [body for body in self.world.named() if body.get("feed", {}).get("id", LOCAL_FEED) != LOCAL_FEED]

    def later(self, seconds: float) -> None:
        """Nobody touches anything for so long."""
        self.world.at(time.time() + seconds)

    def ask(
        self,
        method: str,
        path: str = "",
        *,
        language: str = "",
        browser: FlaskClient | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Seen:
        """A request. `lang` says in which language, since the EHR's user of this world is French."""
        whole = path if path.startswith("/") else f"/view/{self.view}/{path}"
        if language and method == "GET":
            whole += ("&" if "?" in whole else "?") + f"lang={language}"
        given = {"Accept-Language": language or "en", **(headers or {})}
        answer = (browser or self.world.client).open(
            whole,
            method=method,
            base_url=PUBLIC_BASE,
            headers={name.replace("_", "-"): value for name, value in given.items()},
            data=form,
        )
        return Seen(answer.status_code, answer.headers, answer.get_data(as_text=True))


RULES = """
@id("site-emergency")
@en("In an emergency a professional may look.")
@fr("En urgence, un professionnel peut consulter.")
permit (principal, action in Action::"consult", resource)
when { context has purpose && context.purpose == "BTG" && context.break_glass && context.delivery == "rendered" };
"""


def with_emergency(folder: Path, more: str = "", *, purpose: str | None = "TREAT") -> Clinic:
    """At a site whose rules permit emergency access, and say `more`."""
    rules = folder / "rules"
    rules.mkdir()
    (rules / "emergency.cedar").write_text(RULES + more)
    return Clinic(folder, f'{configuration()}\n[policies]\ndirectory = "rules"\n', purpose=purpose)
