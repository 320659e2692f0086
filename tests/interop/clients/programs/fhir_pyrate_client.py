"""FHIR-PYrate: it turns searches into tables, and only reads; its refusals are warnings and an empty answer."""

import logging

import requests
from fhir_pyrate import Pirate
from report import BASE, PATIENT, TOKEN, report, step

session = requests.Session()
session.headers["Authorization"] = f"Bearer {TOKEN}"
pirate = Pirate(auth=session, base_url=BASE, num_processes=1)


class _Heard(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def heard(work):
    listener = _Heard()
    logging.getLogger().addHandler(listener)
    try:
        gave = work()
    finally:
        logging.getLogger().removeHandler(listener)
    return {"gave": gave, "logged": listener.lines}


def read():
    bundles = pirate.steal_bundles(resource_type=f"Patient/{PATIENT}", request_params={})
    return next(entry.resource.id for bundle in bundles for entry in bundle.entry)


def others():
    return len(list(pirate.steal_bundles("Observation", {"patient": "ehr-1002"})))


def pages():
    asked = {"patient": PATIENT, "_count": 20}
    bundles = pirate.steal_bundles(resource_type="Observation", request_params=asked)
    return [entry.resource.id for bundle in bundles for entry in bundle.entry]


def table():
    asked = {"patient": PATIENT, "code": "http://loinc.org|718-7"}
    columns = [("value", "valueQuantity.value"), ("code", "code.coding[0].code")]
    frame = pirate.steal_bundles_to_dataframe(resource_type="Observation", request_params=asked, fhir_paths=columns)
    return list(frame["code"])


step("read", read)
step("search", table)
step("pages", pages)
step("others", lambda: heard(others))
report()
