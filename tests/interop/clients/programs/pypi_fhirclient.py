"""fhirclient (PyPI): the HTTP error that it raises holds the answer."""

from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from report import BASE, PATIENT, RESULT, TOKEN, report, step


def told(error):
    response = getattr(error, "response", None)
    return {"status": response.status_code, **response.json()} if response is not None else str(error)


smart = FHIRClient(settings={"app_id": "results-pane", "api_base": BASE})
server = smart.server


def endpoints():
    """Where it would send the user to sign in: it knows only what the CapabilityStatement says."""
    server.get_capability()
    return type(server.auth).__name__, server.auth._authorize_uri, server.auth._token_uri


def codes():
    found = Observation.where({"patient": PATIENT, "code": "http://loinc.org|718-7"}).perform_resources(server)
    return [each.code.coding[0].code for each in found]


def pages():
    search = Observation.where({"patient": PATIENT, "_count": "20"})
    return [each.id for each in search.perform_resources_iter(server)]


def transaction():
    return Bundle({"type": "transaction"}).create(server)


step("capabilities", lambda: server.capabilityStatement.fhirVersion)
step("endpoints", endpoints)
server.session.headers["Authorization"] = f"Bearer {TOKEN}"
step("read", lambda: Patient.read(PATIENT, server).id)
step("search", codes)
step("pages", pages)
step("create", lambda: Observation(RESULT).create(server), told)
step("update", lambda: Observation({**RESULT, "id": "o1"}).update(server), told)
step("delete", lambda: Observation({**RESULT, "id": "o1"}).delete(server), told)
report()
