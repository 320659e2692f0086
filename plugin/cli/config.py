"""`vitrine config`: make a configuration to start from, and say what is wrong with one."""

import os
from collections.abc import Mapping
from datetime import datetime
from itertools import starmap
from pathlib import Path

import click

from plugin import assembly, sources
from plugin.cli.certificates import ending, ends_of
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import settings_at
from plugin.consultation.patient_match import INS_TEST_SYSTEMS
from plugin.sealing import new_key
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.feed import IdentifierMatch
from plugin.settings.file import load
from plugin.settings.ledger import FileSinkSettings

TEMPLATE = """\
# Vitrine, a consult-only gateway. Every key is described in docs/configuration.md; unknown keys stop the start.
public_base = "http://127.0.0.1:8080"
listen      = "127.0.0.1:8080"
ops_listen  = "127.0.0.1:9090"

[ledger]
path     = "ledger/vitrine.sqlite"
key_file = "secrets/checkpoint.key"

[[ehr]]
id        = "hospital"
fhir_base = "https://ehr.hospital.example/fhir"

  [[ehr.issuer]]
  issuer = "https://login.hospital.example"

  [[ehr.client]]
  id              = "results-pane"
  renders_only    = false          # true is your word that it displays and never stores
  default_purpose = "TREAT"

[[feed]]
id    = "city-lab"
title = { fr = "Laboratoire de ville", en = "City laboratory" }
kind  = "fhir-rest"
base  = "https://lab.example/fhir"
match = { by = "identifier", systems = ["urn:oid:1.2.250.1.213.1.4.8"] }
"""


@click.group()
def config() -> None:
    """The configuration file."""


@config.command()
@click.pass_obj
def init(path: Path) -> None:
    """Write a configuration to start from, and the keys that seal links. What exists already is kept."""
    try:
        if path.exists():
            click.echo(f"{path} exists and is kept", err=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(TEMPLATE, encoding="utf-8")
            click.echo(f"wrote {path}: say in it which EHR and which feeds there are", err=True)
        settings = settings_at(path)
        if settings.key_file.exists():
            click.echo(f"{settings.key_file} exists and is kept", err=True)
        else:
            settings.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_secret(settings.key_file, new_key() + "\n")
            click.echo(f"wrote {settings.key_file}", err=True)
    except OSError as error:
        raise Failure(f"cannot write {error.filename or path.parent}: {error.strerror}", CANNOT) from error
    click.echo("next: vitrine config check, vitrine audit init, vitrine serve", err=True)


@config.command()
@click.pass_obj
def check(path: Path) -> None:
    """Say whether the configuration can be used: its keys, secrets, rules and ledger. Asks nobody but its database."""
    if not path.is_file():
        raise Failure(f"there is no file {path}; `vitrine config init` writes one", CANNOT)
    try:
        settings = load(path)
        rules = assembly.examine(settings)
        there_is_a_ledger = _has_ledger(settings)
        if there_is_a_ledger:
            assembly.check_ledger(assembly.open_ledger(settings))
        assembly.examine_sinks(settings, there_is_a_ledger=there_is_a_ledger)
        if not there_is_a_ledger:
            click.echo("there is no ledger yet: `vitrine audit init` makes it, with its key", err=True)
    except SettingsError as error:
        raise Failure(str(error), NO) from error
    for warning in warnings_of(settings, ends_of(settings)):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{path}: good; {len(settings.ehr)} EHR, {len(settings.feed)} feeds, {len(rules.complete.ids)} rules")


def _has_ledger(settings: Settings) -> bool:
    """False on a new machine. A key without its ledger is none: a history was lost, or its path mistyped."""
    path = settings.ledger.path
    return (path is not None and path.exists()) or settings.ledger.key_file.exists()


def warnings_of(settings: Settings, certificates: Mapping[str, datetime]) -> list[str]:
    """What a careful deployer would want to know, though the start goes on. `certificates`: see `ends_of`."""
    found = []
    if not settings.ledger.sinks:
        found.append("ledger.sinks: no checkpoint goes elsewhere: the owner of this machine could cut the log unseen")
    found += [
        f"ledger.sinks.{number}.path: there is no folder {sink.path.parent}; until there is one, no checkpoint is kept"
        for number, sink in enumerate(settings.ledger.sinks)
        if isinstance(sink, FileSinkSettings) and not os.access(sink.path.parent, os.X_OK)
    ]
    if not any(client.renders_only for ehr in settings.ehr for client in ehr.client):
        found.append("ehr.client: no client is listed as renders_only, so the FHIR facade answers nobody")
    found += [
        f"{key}: there is no folder {folder} that can be read; until there is one, nothing is shown that depends on it"
        for key, folder in sources.bundle_folders(settings)
        if not os.access(folder, os.R_OK | os.X_OK)
    ]
    found += filter(None, starmap(ending, certificates.items()))
    if settings.demo:
        found.append("demo: test identities are accepted")
    else:
        found += [
            f"feed.{number}.match.systems.{position}: {system} is of test identities, which match nobody without demo"
            for number, feed in enumerate(settings.feed)
            if isinstance(feed.match, IdentifierMatch)
            for position, system in enumerate(feed.match.systems)
            if system in INS_TEST_SYSTEMS
        ]
    return found


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
