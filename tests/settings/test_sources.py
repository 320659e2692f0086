"""Whom the gateway asks is called in the log what the configuration calls it."""

import pytest

from fhir_adapters.interface import Call, Deadline, FeedUnavailable
from plugin import sources
from tests.settings.test_settings import SHORTEST, loaded

NOBODY = "http://127.0.0.1:1/fhir"
CONSENTS = f'consents = {{ kind = "fhir-rest", base = "{NOBODY}" }}'


def test_an_ehr_that_cannot_be_reached_is_called_no_feed(tmp_path):
    """A feed may have the same id, and its operator is somebody else."""
    at_nobody = f'fhir_base = "{NOBODY}"\n{CONSENTS}\n'
    settings = loaded(tmp_path, SHORTEST.replace('fhir_base = "https://ehr.hospital.example/fhir"\n', at_nobody, 1))
    asked = {
        "ehr 'hospital' could": sources.ehr_servers(settings)["hospital"],
        "consents of ehr 'hospital' could": sources.consent_sources(settings)["hospital"].line._feed,
    }
    for named, server in asked.items():
        with pytest.raises(FeedUnavailable, match=f"^{named}"):
            server.read("Patient", "p1", Call(Deadline.after(10), "record"))
