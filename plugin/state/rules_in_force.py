"""The rules in force: the accepted set as all processes of one machine share it, and the one that this process uses.

Whoever accepts a set has validated it and recorded the change. What lies here is not trusted to be that set: it is
parsed and validated again, its digest is computed anew, and its core must be the one of this program.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from plugin.errors import StateUnavailable
from policies import rulebook
from policies.cedar import RulesInvalid
from policies.code_table import TablesInvalid
from policies.rulebook import Rulebook, Texts

FOLDER = "rules"
"""In `state_dir`."""
IN_FORCE = "in-force"
"""The file that holds the digest of the accepted set; the set lies beside it, under that name."""
LOCK = "lock"
DIGEST_LENGTH = 64


class RulesInForce:
    """The set that this process decides by. Safe to call from several threads."""

    def __init__(self, rules: Rulebook) -> None:
        self._rules = rules

    def now(self) -> Rulebook:
        """The set, for one request from its beginning to its end: asked again, it may be another one."""
        return self._rules

    def replace(self, rules: Rulebook) -> None:
        """Decide by `rules` from the next request on. What was remembered of verdicts stays with the old set."""
        self._rules = rules


class AcceptedRules:
    """The accepted set, in files that are replaced whole. Safe to call from several processes."""

    def __init__(self, state_dir: Path) -> None:
        """Opens nothing yet."""
        self._folder = state_dir / FOLDER

    def digest(self) -> str | None:
        """Of the accepted set; None if none was accepted yet. Raises StateUnavailable."""
        try:
            text = (self._folder / IN_FORCE).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StateUnavailable from error
        if len(text) != DIGEST_LENGTH or not set(text) <= set("0123456789abcdef"):
            raise StateUnavailable
        return text

    def load(self) -> Rulebook:
        """The accepted set, validated. Raises StateUnavailable: there is none, or it is not what was accepted."""
        digest = self.digest()
        if digest is None:
            raise StateUnavailable
        try:
            stored = orjson.loads((self._folder / f"{digest}.json").read_bytes())
            rules = rulebook.made_of(Texts(stored["schema"], stored["policies"], stored["tables"]))
        except (OSError, ValueError, KeyError, TypeError, RulesInvalid, TablesInvalid) as error:
            raise StateUnavailable from error
        if rules.digest != digest or not rulebook.has_our_core(rules.texts):
            raise StateUnavailable
        return rules

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One at a time, of all processes. Raises StateUnavailable."""
        try:
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateUnavailable from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def keep(self, rules: Rulebook) -> None:
        """Write the set down, not yet in force. Raises StateUnavailable: nothing was changed."""
        stored = {
            "schema": rules.texts.schema,
            "policies": dict(rules.texts.policies),
            "tables": dict(rules.texts.tables),
        }
        self._write(f"{rules.digest}.json", orjson.dumps(stored))

    def accept(self, digest: str) -> None:
        """Put a set into force that is kept; others than it and the last one are forgotten. Raises StateUnavailable."""
        before = self.digest()
        self._write(IN_FORCE, f"{digest}\n".encode())
        for path in self._folder.glob("*.json"):
            if path.stem not in (digest, before):
                path.unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all, whatever happens to the machine."""
        scratch = self._folder / f"{name}.{os.getpid()}.{threading.get_ident()}.new"
        try:
            with scratch.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            scratch.rename(self._folder / name)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise StateUnavailable from error
