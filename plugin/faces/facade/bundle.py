"""A Release as FHIR says it: a searchset Bundle, or the resource of a read. Totals are never given."""

import base64
from urllib.parse import quote, urlencode

from fhir_adapters.interface import Tree
from fhir_adapters.resource import encode
from plugin.consultation.release import BUNDLE_HANDLING, Release, labels
from plugin.faces.facade.operation_outcome import REFUSAL_SYSTEM
from plugin.faces.facade.page_link import PARAMETER, Continuation, PageLinks
from policies.vocabulary.consultation import DEFAULT_COUNT
from policies.vocabulary.resource_types import HANDLED
from policies.vocabulary.security_labels import CONFIDENTIALITY

NOTICES = {
    "no-qualified-identifier": "This patient has no qualified identifier at the EHR: no outside result can be matched.",
    "patient-not-active": "This patient's file at the EHR is not in use: no outside result can be matched.",
    "no-person-id": "The access token does not say by an identifier whose data is asked for: no result can be matched.",
    "person-id-of-another": "The access token identifies another patient than this one: no result can be matched.",
}


def searchset(release: Release, public_base: str, links: PageLinks) -> bytes:
    """The Bundle of a search."""
    asked = release.asked
    base = f"{public_base}/fhir/{asked.feed}"
    security = labels(BUNDLE_HANDLING)
    if release.confidentiality is not None:
        security.insert(0, {"system": CONFIDENTIALITY, "code": release.confidentiality})
    bundle: Tree = {
        "resourceType": "Bundle",
        "meta": {"security": security},
        "type": "searchset",
        "link": _links(release, base, links),
    }
    entries = [
        {
            "fullUrl": f"{base}/{each.reference}",
            "resource": each.resource,
            "search": {"mode": "include" if each.companion else "match"},
        }
        for each in release.shown
    ]
    if release.notice is not None:
        entries.append({"resource": _notice(release.notice), "search": {"mode": "outcome"}})
    if entries:
        bundle["entry"] = entries
    return encode(bundle)


def resource(release: Release) -> bytes:
    """The one resource of a read."""
    return encode(release.shown[0].resource)


def binary(release: Release, handle: str) -> bytes:
    """The Binary of a file that was opened by `handle`, labelled as the document that it belongs to (R4 2.40)."""
    document, file = release.shown[0], release.file
    assert file is not None  # noqa: S101 - the caller asked for one
    return encode(
        {
            "resourceType": HANDLED,
            "id": handle,
            "meta": {"security": document.resource["meta"]["security"]},
            "contentType": file.content_type,
            "securityContext": {"reference": document.reference},
            "data": base64.b64encode(file.data).decode("ascii"),
        }
    )


def _links(release: Release, base: str, links: PageLinks) -> list[Tree]:
    asked = release.asked
    told = list(asked.parameters)
    if asked.resource_type != "Patient":
        told.insert(0, ("patient", release.binding.patient))
    if asked.count != DEFAULT_COUNT:
        told.append(("_count", str(asked.count)))
    address = f"{base}/{asked.resource_type}"
    found: list[Tree] = [{"relation": "self", "url": f"{address}?{urlencode(told, quote_via=quote)}"}]
    if release.next is not None:
        going_on = Continuation(release.binding, asked.parameters, asked.count, release.next)
        token = links.issue(asked.feed, str(asked.resource_type), going_on)
        found.append({"relation": "next", "url": f"{address}?{urlencode({PARAMETER: token})}"})
    return found


def _notice(reason: str) -> Tree:
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "information",
                "code": "informational",
                "details": {"coding": [{"system": REFUSAL_SYSTEM, "code": reason}], "text": NOTICES[reason]},
            }
        ],
    }
