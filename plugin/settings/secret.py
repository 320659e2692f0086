"""Files that hold a secret: read only where nobody else can."""

import stat
from pathlib import Path

from plugin.settings.errors import SettingsError

OTHERS = stat.S_IRWXO | stat.S_IWGRP
"""Nobody but the owner, and for reading the group, may touch a secret."""

MAX_SECRET_BYTES = 64 * 1024


MAX_PUBLIC_BYTES = 1024 * 1024
"""A bundle of authorities; that of a whole system is some hundred kB."""


def read_public(path: Path, key: str) -> str:
    """The text of a file that is no secret, such as a certificate. Raises SettingsError."""
    try:
        if path.stat().st_size > MAX_PUBLIC_BYTES:
            raise SettingsError(f"{key}: {path} is too large")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{key}: {path} is not text") from error
    except OSError as error:
        raise SettingsError(f"{key}: cannot read {path}: {error.strerror}") from error


def read_secret(path: Path, key: str) -> str:
    """The stripped text of the secret file that `key` names. Raises SettingsError: absent, empty, open to others."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{key}: {path} is not a file")
        if status.st_mode & OTHERS:
            raise SettingsError(f"{key}: {path} can be read or changed by others; chmod 600 it")
        if status.st_size > MAX_SECRET_BYTES:
            raise SettingsError(f"{key}: {path} is too large for a secret")
        text = path.read_text(encoding="utf-8-sig").strip()  # a mark that an editor put in front is no part of it
    except UnicodeDecodeError as error:
        raise SettingsError(f"{key}: {path} is not text") from error
    except OSError as error:
        raise SettingsError(f"{key}: cannot read {path}: {error.strerror}") from error
    if not text:
        raise SettingsError(f"{key}: {path} is empty")
    return text
