"""The gateway with a ledger that forgets, to see what the record costs. It exists only here: no setting makes it."""

import gc
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from flask import Flask

from plugin import assembly
from plugin.app import create_app
from plugin.cli.given import CONFIG_VARIABLE
from plugin.ledger.record import Position
from plugin.recorder import Recorder
from plugin.settings.file import load


class ForgetfulLedger:
    """Takes a record and keeps nothing."""

    def append(self, body: Mapping[str, object], *, tenant: str, retention_class: str) -> Position:
        """As if it had been written."""
        return Position(0, "")

    def observe(self, on_commit: Callable[[int, float], None]) -> None:
        """Nothing is committed."""


def application() -> Flask:
    """The WSGI application of a worker, otherwise as `plugin.cli.worker` makes it."""
    assembled = assembly.assemble(load(Path(os.environ[CONFIG_VARIABLE])))
    recorder = Recorder(ForgetfulLedger(), {"base": assembled.settings.public_base})  # type: ignore[arg-type]
    app = create_app(replace(assembled, gateway=replace(assembled.gateway, recorder=recorder)))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    return app
