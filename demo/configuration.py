"""The demonstration's folder: made anew at each start, with the gateway's `vitrine.toml` and its secret files."""

import shutil
from pathlib import Path

from demo.addresses import HOST, OPS_OFFSET, Addresses
from demo.hospital import CITY_LAB_USER, Credentials
from demo.oauth_clients import EHR_SCOPE, INSURER_SCOPE, RESULTS_PANE

MARKER = ".vitrine-demo"
"""Stands in every folder that we made. A folder without it is somebody's, and stays as it is."""
INS_TEST_SYSTEM = "urn:oid:1.2.250.1.213.1.4.10"
"""The test root of the French national identifier (INS-NIR); the gateway takes it only with `demo = true`."""

_TEMPLATE = """\
# Written by `python -m demo.run`; every start writes it anew.
public_base = "{gateway}"
listen      = "{host}:{port}"
ops_listen  = "{host}:{ops_port}"
workers     = 1
state_dir   = "state"
key_file    = "secrets/vitrine.keys"
demo        = true

[ledger]
path     = "ledger/vitrine.sqlite"
key_file = "secrets/checkpoint.key"

[[ehr]]
id        = "hospital"
fhir_base = "{ehr_fhir}"
auth      = {{ kind = "client_credentials", client_id = "{ehr_client}", client_secret_file = "secrets/ehr-client", \
token_url = "{issuer}/token", scope = "{ehr_scope}" }}

  [[ehr.issuer]]
  issuer = "{issuer}"

  [[ehr.client]]
  id              = "{results_pane}"
  renders_only    = true
  default_purpose = "TREAT"

  [ehr.launch]
  client_id       = "{viewer}"
  auth            = {{ kind = "client_secret", client_secret_file = "secrets/viewer" }}
  frame_ancestors = ["{ehr}"]

[[feed]]
id    = "city-lab"
title = {{ fr = "Laboratoire de ville", en = "City laboratory" }}
kind  = "fhir-rest"
base  = "{city_lab}"
auth  = {{ kind = "basic", username = "{city_lab_user}", password_file = "secrets/city-lab" }}
match = {{ by = "identifier", systems = ["{system}"] }}
types = ["Patient", "Observation", "DiagnosticReport", "Specimen", "Condition", "AllergyIntolerance", "Immunization", \
"Procedure", "MedicationRequest", "MedicationStatement"]

[[feed]]
id    = "imaging"
title = {{ fr = "Imagerie", en = "Imaging" }}
kind  = "fhir-rest"
base  = "{imaging}"
auth  = {{ kind = "none" }}
match = {{ by = "identifier", systems = ["{system}"] }}
types = ["Patient", "DiagnosticReport", "DocumentReference", "ImagingStudy", "ServiceRequest"]

[[feed]]
id    = "insurer"
title = {{ fr = "Assurance maladie", en = "Insurer" }}
kind  = "fhir-rest"
base  = "{insurer}"
auth  = {{ kind = "client_credentials", client_id = "{insurer_client}", client_secret_file = "secrets/insurer-client", \
token_url = "{issuer}/token", scope = "{insurer_scope}" }}
match = {{ by = "identifier", systems = ["{system}"] }}
types = ["Patient", "ExplanationOfBenefit", "MedicationDispense"]
"""


class FolderError(Exception):
    """The folder for the demonstration's state is in use for something else."""


def fresh_folder(folder: Path) -> None:
    """Make `folder` empty, for this user only. Raises FolderError if something that is not ours stands there."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FolderError(f"{folder} is not a folder")
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / MARKER).is_file():
            raise FolderError(f"{folder} holds something that the demonstration did not make: remove it or use --state")
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True)
    (folder / MARKER).touch()


def write_configuration(folder: Path, addresses: Addresses, credentials: Credentials) -> Path:
    """Write `vitrine.toml` and the secrets that it names into `folder`; the path of the former."""
    for name in ("secrets", "state", "ledger"):
        (folder / name).mkdir(mode=0o700)
    _write_secret(folder / "secrets" / "ehr-client", credentials.ehr.secret)
    _write_secret(folder / "secrets" / "insurer-client", credentials.insurer.secret)
    _write_secret(folder / "secrets" / "viewer", credentials.viewer.secret)
    _write_secret(folder / "secrets" / "city-lab", credentials.city_lab_password)
    path = folder / "vitrine.toml"
    text = _TEMPLATE.format(
        gateway=addresses.gateway,
        host=HOST,
        port=addresses.port_base,
        ops_port=addresses.port_base + OPS_OFFSET,
        ehr=addresses.ehr,
        viewer=credentials.viewer.client_id,
        ehr_fhir=addresses.ehr_fhir,
        ehr_client=credentials.ehr.client_id,
        ehr_scope=EHR_SCOPE,
        issuer=addresses.authorization_server,
        results_pane=RESULTS_PANE,
        city_lab=addresses.feed("city-lab"),
        city_lab_user=CITY_LAB_USER,
        imaging=addresses.feed("imaging"),
        insurer=addresses.feed("insurer"),
        insurer_client=credentials.insurer.client_id,
        insurer_scope=INSURER_SCOPE,
        system=INS_TEST_SYSTEM,
    )
    path.write_text(text, encoding="utf-8")
    return path


def _write_secret(path: Path, secret: str) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(secret, encoding="utf-8")
