"""`python -m demo.run`: a pretend hospital with three sample feeds, and the gateway beside them, on this computer only.

Prints one line to paste into a terminal that shows a patient's laboratory results through the gateway, and runs until
Ctrl-C. With --once it makes that request itself, shows what came back and what was recorded, and stops.
"""

import argparse
import contextlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from demo.addresses import DEFAULT_PORT_BASE, HIGHEST_PORT_BASE, LOWEST_PORT_BASE, Addresses, PortError
from demo.configuration import FolderError, fresh_folder, write_configuration
from demo.ehr import curl_line, look
from demo.gateway import GatewayError, Vitrine, last_words, wait_until_ready
from demo.hospital import Hospital, build_hospital
from demo.loopback_http import Answer, UnreachableError, get, post_form
from demo.people import PatientName, Practitioner
from demo.results_pane import Granted, SignInError
from demo.servers import serving
from fhir_adapters.interface import FeedAnswerInvalid, FeedError
from fhir_adapters.resource import parse

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "sample_fhir"
STATE = HERE / "run"
SHOWN_RESULTS = 5
AUDIT_REASON = "demo"
WATCH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whom the demonstration signed in, for whom, and the request that shows the result."""

    practitioner: Practitioner
    patient: PatientName
    granted: Granted
    url: str

    def ask(self) -> Answer:
        """Make the request. Raises UnreachableError."""
        return get(self.url, {"Authorization": f"Bearer {self.granted.access_token}"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration. 0: it worked, or was stopped. 1: it showed no result or no record. 2: it could not run."""
    options = _options(arguments)
    addresses = Addresses(options.port_base)
    # SIGTERM, and the terminal going away, end us as Ctrl-C does: through every `finally`.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return _run(addresses, options.state.resolve(), once=options.once)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 0
    except (PortError, FolderError, FeedError, GatewayError, SignInError, UnreachableError) as error:
        print(f"The demonstration cannot run: {error}.", file=sys.stderr)
        return 2


def sign_in(hospital: Hospital) -> Granted:
    """Play the browser: the authorization code flow as the first practitioner, for the first patient.

    Raises SignInError and UnreachableError.
    """
    begun = urlsplit(hospital.pane.begin(hospital.patients[0].id))
    form = {**dict(parse_qsl(begun.query)), "practitioner": hospital.practitioners[0].id, "decision": "continue"}
    answer = post_form(f"{begun.scheme}://{begun.netloc}{begun.path}", form)
    back = urlsplit(answer.headers.get("Location", ""))
    return hospital.pane.finish(dict(parse_qsl(back.query)))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.run", description=__doc__)
    parser.add_argument(
        "--port-base",
        type=_port_base,
        default=DEFAULT_PORT_BASE,
        metavar="N",
        help=f"the gateway's port; the others follow from it (default {DEFAULT_PORT_BASE})",
    )
    parser.add_argument("--state", type=Path, default=STATE, metavar="DIR", help="where state goes (default demo/run)")
    parser.add_argument("--once", action="store_true", help="make the request, show what came back, stop")
    return parser.parse_args(arguments)


def _port_base(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not LOWEST_PORT_BASE <= int(text) <= HIGHEST_PORT_BASE:
        raise argparse.ArgumentTypeError(f"must be a number from {LOWEST_PORT_BASE} to {HIGHEST_PORT_BASE}")
    return int(text)


def _run(addresses: Addresses, state: Path, *, once: bool) -> int:
    addresses.require_free()  # before the state of a demonstration that still runs is removed
    hospital = build_hospital(addresses, SAMPLES)
    fresh_folder(state)
    vitrine = Vitrine(write_configuration(state, addresses, hospital.credentials))
    log = state / "gateway.log"
    with contextlib.ExitStack() as stack:
        for app, port in hospital.servers:
            stack.enter_context(serving(app, port))
        (state / "ledger.vkey").write_text(vitrine.prepare(), encoding="utf-8")
        process = stack.enter_context(vitrine.serving(log))
        stack.callback(_be_left_alone)
        wait_until_ready(process, addresses.ops, log)
        granted = sign_in(hospital)
        url = look(addresses.gateway, "city-lab", granted.patient)
        signed_in = SignedIn(hospital.practitioners[0], hospital.patients[0], granted, url)
        _tell(addresses, state, signed_in)
        if once:
            return _show_once(signed_in, vitrine)
        return _wait(process, log)


def _be_left_alone() -> None:
    """A second Ctrl-C while things are being stopped would leave some of them running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _tell(addresses: Addresses, state: Path, signed_in: SignedIn) -> None:
    print(
        f"""\
Vitrine runs, beside a pretend hospital. Everything is on this computer, everybody in it is invented.

  the gateway                 {addresses.gateway}/fhir/city-lab/metadata
    its health                {addresses.ops}/readyz
  the EHR, in a browser       {addresses.ehr}/
  its authorization server    {addresses.authorization_server}/.well-known/openid-configuration
  sample feeds                {addresses.feed("city-lab")}  {addresses.feed("imaging")}  {addresses.feed("insurer")}
  configuration and state     {state}

Click here first: open a patient in the EHR, say who you are, and look at outside results beside the record:

  {addresses.ehr}/patients/{signed_in.patient.id}

For programs, as {signed_in.practitioner.name}, for an hour: the laboratory results of {signed_in.patient.name}:

{curl_line(signed_in.url, signed_in.granted.access_token)}

See what that left in the log:

{sys.executable} -m plugin.cli --config {state / "vitrine.toml"} audit list --reason {AUDIT_REASON} --format text

Ctrl-C stops everything.
""",
        flush=True,
    )


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """Until Ctrl-C, which is an exception, or until the gateway ends by itself, which is a failure."""
    while True:
        try:
            process.wait(WATCH_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise GatewayError(f"the gateway ended with {process.returncode}; its last words:\n{last_words(log)}")


def _show_once(signed_in: SignedIn, vitrine: Vitrine) -> int:
    answer = signed_in.ask()
    try:
        bundle = parse(answer.body)
    except FeedAnswerInvalid:
        bundle = {}
    results = [entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry]
    observations = [item for item in results if item["resourceType"] == "Observation"]
    print(f"Status {answer.status}, {bundle.get('resourceType', 'no FHIR')}, {len(observations)} results on this page:")
    for observation in observations[:SHOWN_RESULTS]:
        print(f"  {_in_words(observation)}")
    records = vitrine.run("audit", "list", "--reason", AUDIT_REASON, "--format", "text")
    print(f"\nThe log:\n{records}", flush=True)
    return 0 if answer.status == 200 and observations and records.strip() else 1


def _in_words(observation: dict[str, Any]) -> str:
    code = observation.get("code", {})
    name = code.get("text") or next((c["display"] for c in code.get("coding", ()) if "display" in c), "?")
    quantity = observation.get("valueQuantity", {})
    value = f"{quantity['value']} {quantity.get('unit', '')}" if "value" in quantity else "(no number)"
    return f"{observation.get('effectiveDateTime', '')[:10]}  {name}: {value}"


if __name__ == "__main__":
    sys.exit(main())
