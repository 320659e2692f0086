"""Our OpenAPI description against the gateway as deployed: schemathesis makes requests of it, good ones and bad.

What it finds is a failure here: a status 5xx, an answer, a header or a media type that the description does not have, a
request that should have been turned down and was not, a method that is not described and did something.
"""

import os
import subprocess

import pytest

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


@pytest.fixture(scope="module")
def site(tmp_path_factory, neighbours):
    """The gateway, with two types of the sample laboratory: the others are described by the same lines."""
    feeds = folder_feed() + 'types = ["Patient", "Observation"]\n'
    made = Site(tmp_path_factory.mktemp("site"), neighbours, ehr=f"{neighbours.url}/ehr", feeds=feeds)
    try:
        yield made.prepare().start()
    finally:
        made.end()


@pytest.fixture
def schemathesis(site, tmp_path):
    """Runs it over the description that is served, by a configuration of ours, with further arguments."""
    tokens = tmp_path / "tokens"
    tokens.write_text("\n".join(site.person() for _ in range(PERSONS)))

    def run(configuration, *arguments, known):
        program = installed("python", ".installed") / "bin" / "schemathesis"
        hooks = {"SCHEMATHESIS_HOOKS": str(HERE / "openapi" / "hooks.py"), "TOKENS": str(tokens)} if known else {}
        described = f"{site.fhir('city-lab')}/openapi.json"
        given = ["--config-file", str(HERE / "openapi" / configuration), "run", described, "--no-color", "--seed", "1"]
        done = subprocess.run(
            [str(program), *given, "--continue-on-failure", "--warnings", "off", *arguments],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, **hooks},
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
        assert "Traceback" not in site.log.read_text()
        return done.stdout

    return run


def test_whoever_is_not_known_gets_described_refusals_only(schemathesis):
    schemathesis("schemathesis.toml", "--phases", "coverage", "-n", "5", "--checks", ",".join(CHECKS), known=False)


def test_a_clinicians_requests_good_and_bad_get_described_answers_only(schemathesis):
    checks = ",".join((*CHECKS, *OF_METHODS))
    schemathesis("schemathesis.toml", "--phases", "coverage,fuzzing", "-n", "25", "--checks", checks, known=True)


def test_results_are_answered_as_described(schemathesis, site):
    """Requests for what is there: a page of results, a result, the patient."""
    schemathesis(
        "as_a_clinician.toml",
        "--phases",
        "fuzzing",
        "--mode",
        "positive",
        "-n",
        "25",
        "--checks",
        ",".join(CHECKS),
        known=True,
    )
    released = [each for each in site.bodies() if each.get("released")]
    assert {each["asked"]["interaction"] for each in released} == {"read", "search-type"}
