"""fhirpy: a refusal is an OperationOutcome that it raises, with the text of ours; 405 has no class of its own."""

import json

from fhirpy import SyncFHIRClient
from report import BASE, PATIENT, RESULT, TOKEN, report, step

client = SyncFHIRClient(BASE, authorization=f"Bearer {TOKEN}")


def told(error):
    resource = getattr(error, "resource", None)
    return resource if resource is not None else json.loads(str(error))


def codes():
    found = client.resources("Observation").search(patient=PATIENT, code="http://loinc.org|718-7").fetch()
    return [each["code"]["coding"][0]["code"] for each in found]


def pages():
    return [each["id"] for each in client.resources("Observation").search(patient=PATIENT).limit(20).fetch_all()]


def forged(**more):
    return client.resource(**{**{"resource_type": "Observation"}, **_without_type(), **more})


def _without_type():
    return {name: value for name, value in RESULT.items() if name != "resourceType"}


step("read", lambda: client.reference("Patient", PATIENT).to_resource()["id"])
step("search", codes)
step("pages", pages)
step("count", lambda: client.resources("Observation").search(patient=PATIENT).count(), told)
step("create", lambda: forged().save(), told)
step("update", lambda: forged(id="o1").save(), told)
step("patch", lambda: client.patch("Observation", "o1", status="amended"), told)
step("delete", lambda: client.delete("Observation", "o1"), told)
report()
