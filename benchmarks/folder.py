"""A deployment of the gateway in a folder of its own: `vitrine.toml`, keys and ledger, made by its own commands."""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.people import CLIENT, HOST, INS_SYSTEM, PUBLIC_BASE
from demo.gateway import Vitrine

CHECKOUT = Path(__file__).resolve().parent.parent
BYTECODE = CHECKOUT / ".cache" / "bytecode"
FEEDS = ("lab-0", "lab-1", "lab-2", "lab-3")
"""All of them the one static upstream. Several, since a bulkhead keeps a single feed from taking all threads."""

TROUBLED = {"lab-slow": "slow", "lab-hung": "hung"}
"""Feeds that answer after a second, and never (`benchmarks.upstream`); where `deploy` is asked for them."""

_TEMPLATE = """\
public_base = "{public_base}"
listen      = "{host}:{port}"
ops_listen  = "{host}:{ops_port}"
workers     = {workers}
demo        = true

[[ehr]]
id        = "hospital"
fhir_base = "http://{host}:{upstream}/ehr"
  [[ehr.issuer]]
  issuer = "http://{host}:{upstream}/issuer"
  [[ehr.client]]
  id              = "{client}"
  renders_only    = true
  default_purpose = "TREAT"
"""
_FEED = """
[[feed]]
id    = "{id}"
kind  = "fhir-rest"
base  = "http://{host}:{upstream}/{path}"
match = {{ by = "identifier", systems = ["{system}"] }}
"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A configuration file and where the gateway that it describes will listen."""

    configuration: Path
    port: int
    ops_port: int


def deploy(
    folder: Path, *, port: int, ops_port: int, upstream: int, workers: int, troubled: bool = False
) -> Deployment:
    """Write the configuration for a gateway in front of the upstream at that port, and make its keys and its ledger.

    `troubled`: with the feeds of TROUBLED.
    """
    folder.mkdir(mode=0o700)
    text = _TEMPLATE.format(
        public_base=PUBLIC_BASE,
        host=HOST,
        port=port,
        ops_port=ops_port,
        workers=workers,
        upstream=upstream,
        client=CLIENT,
    )
    paths = dict.fromkeys(FEEDS, "feed") | (TROUBLED if troubled else {})
    text += "".join(
        _FEED.format(id=each, host=HOST, upstream=upstream, path=path, system=INS_SYSTEM)
        for each, path in paths.items()
    )
    configuration = folder / "vitrine.toml"
    configuration.write_text(text, encoding="utf-8")
    Vitrine(configuration).prepare()
    return Deployment(configuration, port, ops_port)


def environment(**more: str) -> dict[str, str]:
    """Ours, with this checkout on the import path, and its modules compiled once, as an installation has them."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, "PYTHONPATH": str(CHECKOUT), "PYTHONPYCACHEPREFIX": str(BYTECODE), **more}
