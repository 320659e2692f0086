"""The agents of an AuditEvent: client, gateway, person, organisation (BALP 1.1.4, REST and OAuth token use).

An agent is made only of what the record says; a fact that the record lacks is absent, never invented.
"""

from plugin.audit import codes
from plugin.audit.characters import printable
from plugin.audit.codes import Element, Roles
from plugin.event import Body, CodingBody, PersonBody
from policies.vocabulary.purposes import ACT_REASON

GATEWAY_NAME = "Vitrine"


def agents(body: Body, roles: Roles) -> list[Element]:
    """Everyone who took part, at least the gateway; the order is client, server, user, organisation."""
    found = []
    user = _user(body)
    if "client" in body:
        # One requestor an event: the client asks in its own name only where nobody stands behind it.
        found.append(_client(body, roles.client, requestor=user is None))
    found.append(_server(body, roles.server))
    if user is not None:
        found.append(user)
    person = body.get("person")
    if person and (person.get("organisation") or person.get("organisation_id")):
        found.append(_organisation(person))
    return found


def gateway(body: Body) -> Element:
    """A Reference to the gateway that wrote the record: by identifier, since no Device resource is published."""
    base = body.get("gateway", {}).get("base")
    if base:
        return {"identifier": {"system": codes.URI, "value": base}, "display": GATEWAY_NAME}
    return {"display": GATEWAY_NAME}


def _client(body: Body, kind: Element, *, requestor: bool) -> Element:
    client = body.get("client", {})
    agent: Element = {"type": kind}
    if identifier := client.get("id"):
        agent["who"] = {"identifier": {"value": printable(identifier)}}
    agent["requestor"] = requestor
    if address := client.get("address"):
        # `local` and `other` are names; IPv6 has a colon, IPv4 (or the network of a count) begins with a digit.
        is_ip = ":" in address or address[0].isdigit()
        agent["network"] = {"address": address, "type": codes.NETWORK_IP if is_ip else codes.NETWORK_NAME}
    return agent


def _server(body: Body, kind: Element) -> Element:
    agent: Element = {"type": kind, "who": gateway(body), "requestor": False}
    if base := body.get("gateway", {}).get("base"):
        agent["network"] = {"address": base + "/fhir", "type": codes.NETWORK_URI}
    return agent


def _user(body: Body) -> Element | None:
    """The person (or machine) behind the request, with the token's reference as policy; None if neither is known."""
    person: PersonBody = body.get("person", {})
    reference = body.get("token", {}).get("reference")
    subject = person.get("subject")
    if not subject and not reference:
        return None
    agent: Element = {}
    if extensions := _extensions(person):
        agent["extension"] = extensions
    kinds = [codes.RECIPIENT] if subject else []  # both slices that IRCP selects want an identifier
    if reference:
        kinds.append(codes.OAUTH_USER)
    agent["type"] = {"coding": kinds}
    if roles := [{"coding": [found]} for role in person.get("roles", ()) if (found := _coding(role))]:
        agent["role"] = roles
    name = printable(person.get("name") or "")
    if subject:
        identifier = {"value": printable(subject)}
        if issuer := person.get("issuer"):
            identifier = {"system": issuer, **identifier}
        agent["who"] = {"identifier": identifier, "display": name} if name else {"identifier": identifier}
    if fhir_user := person.get("fhir_user"):
        agent["altId"] = fhir_user
    if name:
        agent["name"] = name
    agent["requestor"] = True
    if reference:
        agent["policy"] = [reference]
    if purposes := body.get("purpose", {}).get("codes"):
        agent["purposeOfUse"] = [{"coding": [{"system": ACT_REASON, "code": code}]} for code in purposes]
    return agent


def _coding(role: CodingBody) -> Element:
    found: Element = {}
    if system := role.get("system"):
        found["system"] = system
    if code := role.get("code"):
        found["code"] = code
    if display := role.get("display"):
        found["display"] = printable(display)
    return found


def _extensions(person: PersonBody) -> list[Element]:
    found: list[Element] = []
    if level := person.get("assurance"):
        found.append({"url": codes.ASSURANCE_LEVEL, "valueCodeableConcept": {"text": printable(level)}})
    if number := person.get("national_identifier"):
        identifier = {"type": codes.NATIONAL_PROVIDER, "value": printable(number)}
        found.append({"url": codes.OTHER_ID, "valueIdentifier": identifier})
    return found


def _organisation(person: PersonBody) -> Element:
    who: Element = {}
    if identifier := person.get("organisation_id"):
        who["identifier"] = {"value": printable(identifier)}
    if name := person.get("organisation"):
        who["display"] = printable(name)
    return {"type": codes.PROVIDER, "who": who, "requestor": False}
