"""Reading `vitrine.toml`. This proves its shape only: whether a file behind a key exists is asked by who opens it."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.sentence import sentence

MAX_FILE_BYTES = 1 << 20
"""A configuration is written by hand; a larger file is some other file."""

_KEY_IN_PARTS = re.compile(r"\((?:'[^']*',? ?)+\)")
"""How the parser writes a dotted key."""


def load(path: Path) -> Settings:
    """Read and check the file at `path`. Raises SettingsError with one sentence."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SettingsError(f"{path} is larger than a configuration file can be")
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors put a mark in front
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        raise SettingsError(f"cannot read the configuration file {path}: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {_in_toml(str(error))}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} holds a number of too many digits, or is nested too deeply") from error
    return validated(document, path)


def validated(document: dict[str, Any], path: Path) -> Settings:
    """The settings that a parsed file holds. Raises SettingsError with one sentence."""
    try:
        return Settings.model_validate(document, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise SettingsError(f"{path.name}: {sentence(error, document)}") from error


def _in_toml(why: str) -> str:
    return _KEY_IN_PARTS.sub(lambda found: ".".join(re.findall(r"'([^']*)'", found[0])), why)
