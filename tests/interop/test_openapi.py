"""Our OpenAPI description against the gateway as deployed: schemathesis makes requests of it, good ones and bad.

What it finds is a failure here: a status 5xx, an answer, a header or a media type that the description does not have, a
request that should have been turned down and was not, a method that is not described and did something.
"""

import os
import subprocess

import pytest

from policies.vocabulary.purposes import ACT_REASON
from tests.interop.programs import HERE, installed
from tests.interop.site import Site, folder_feed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

PATIENCE = 1_200.0
"""Seconds for a run that takes 60 on an idle machine; what it asks is bounded in number."""
PERSONS = 500
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
)
OF_METHODS = ("unsupported_method", "allow_header_conformance")
"""Whoever is not known learns nothing of methods: for them every address answers 401."""


AUDITOR = {
    "scope": "user/AuditEvent.rs",
    "roles": ["auditor"],
    "patient": None,
    "extensions": {"ihe_iua": {"purpose_of_use": [{"system": ACT_REASON, "code": "HCOMPL"}]}},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory, neighbours):
    """The gateway, with auditors and two types of the sample laboratory: the others are described by the same lines."""
    made = Site(
        tmp_path_factory.mktemp("site"),
        neighbours,
        ehr=f"{neighbours.url}/ehr",
        feeds=folder_feed() + 'types = ["Patient", "Observation"]\n',
        issuers=f"""auditors = {{ claim = "roles", values = ["auditor"] }}
  [[ehr.issuer]]
  issuer = "{neighbours.url}"
  [[ehr.client]]
  id = "results-pane"
  renders_only = true
  default_purpose = "TREAT"
""",
    )
    try:
        yield made.prepare().start()
    finally:
        made.end()


@pytest.fixture
def schemathesis(site, tmp_path):
    """Runs it over a description that is served, by a configuration of ours, with further arguments.

    `claims` are those of the persons who ask; None: nobody whom we know.
    """
    program = installed("python", ".installed") / "bin" / "schemathesis"

    def run(base, configuration, *arguments, claims):
        environment = dict(os.environ)
        if claims is not None:
            tokens = tmp_path / "tokens"
            tokens.write_text("\n".join(site.person(**claims) for _ in range(PERSONS)))
            environment |= {"SCHEMATHESIS_HOOKS": str(HERE / "openapi" / "hooks.py"), "TOKENS": str(tokens)}
        given = ["--config-file", str(HERE / "openapi" / configuration), "run", f"{base}/openapi.json", "--no-color"]
        done = subprocess.run(
            [str(program), *given, "--seed", "1", "--continue-on-failure", "--warnings", "off", *arguments],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env=environment,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
        assert "Traceback" not in site.log.read_text()

    return run


def test_whoever_is_not_known_gets_described_refusals_only(site, schemathesis):
    how = ("--phases", "coverage", "-n", "5", "--checks", ",".join(CHECKS))
    schemathesis(site.fhir("city-lab"), "schemathesis.toml", *how, claims=None)


def test_a_clinicians_requests_good_and_bad_get_described_answers_only(site, schemathesis):
    how = ("--phases", "coverage,fuzzing", "-n", "25", "--checks", ",".join((*CHECKS, *OF_METHODS)))
    schemathesis(site.fhir("city-lab"), "schemathesis.toml", *how, claims={})


def test_results_are_answered_as_described(site, schemathesis):
    """Requests for what is there: a page of results, a result, the patient."""
    how = ("--phases", "fuzzing", "--mode", "positive", "-n", "25", "--checks", ",".join(CHECKS))
    schemathesis(site.fhir("city-lab"), "as_a_clinician.toml", *how, claims={})
    released = [each for each in site.bodies() if each.get("released")]
    assert {each["asked"]["interaction"] for each in released} == {"read", "search-type"}


def test_an_auditors_requests_good_and_bad_get_described_answers_only(site, schemathesis):
    how = ("--phases", "coverage,fuzzing", "-n", "25", "--checks", ",".join((*CHECKS, *OF_METHODS)))
    schemathesis(f"{site.base}/fhir", "schemathesis.toml", *how, claims=AUDITOR)
    assert "log:read" in {each["action"] for each in site.bodies()}
