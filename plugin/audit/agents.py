"""The agents of an AuditEvent: client, gateway, person, organisation (BALP 1.1.4, REST and OAuth token use).

An agent is made only of what the record says; a fact that the record lacks is absent, never invented.
"""

import re
from functools import lru_cache

import orjson

from plugin.audit import codes
from plugin.audit.characters import printable
from plugin.audit.codes import Element, Roles
from plugin.event import Body, CodingBody, PersonBody
from policies.vocabulary.purposes import ACT_REASON

GATEWAY_NAME = "Vitrine"
_URI, _CODE = re.compile(r"\S+"), re.compile(r"\S+(\s\S+)*")
"""Forms of R4's primitive types (2.24.0.1)."""


def agents(body: Body, roles: Roles) -> list[Element]:
    """Everyone who took part, at least the gateway; the order is client, server, user, organisation."""
    found = []
    user = _user(body)
    if "client" in body:
        # One requestor an event: the client asks in its own name only where nobody stands behind it.
        client = body["client"]
        found.append(_client(roles, client.get("id"), client.get("address"), requestor=user is None))
    found.append(_server(roles, body.get("gateway", {}).get("base")))
    if user is not None:
        found.append(user)
    person = body.get("person")
    if person and (person.get("organisation") or person.get("organisation_id")):
        found.append(_organisation(person))
    return found


@lru_cache(maxsize=64)  # a log has one gateway, or a few
def gateway(base: str | None) -> Element:
    """A Reference to the gateway that wrote the record: by identifier, since no Device resource is published."""
    if base:
        return {"identifier": {"system": codes.URI, "value": base}, "display": GATEWAY_NAME}
    return {"display": GATEWAY_NAME}


@lru_cache(maxsize=codes.REMEMBERED)
def _client(roles: Roles, identifier: str | None, address: str | None, *, requestor: bool) -> Element:
    agent: Element = {"type": roles.client}
    if identifier:
        agent["who"] = {"identifier": {"value": printable(identifier)}}
    agent["requestor"] = requestor
    if address:
        # `local` and `other` are names; IPv6 has a colon, IPv4 (or the network of a count) begins with a digit.
        is_ip = ":" in address or address[0].isdigit()
        agent["network"] = {"address": address, "type": codes.NETWORK_IP if is_ip else codes.NETWORK_NAME}
    return agent


@lru_cache(maxsize=64)  # as with `gateway`
def _server(roles: Roles, base: str | None) -> Element:
    agent: Element = {"type": roles.server, "who": gateway(base), "requestor": False}
    if base:
        agent["network"] = {"address": base + "/fhir", "type": codes.NETWORK_URI}
    return agent


def _user(body: Body) -> Element | None:
    """The person (or machine) behind the request, with the token's reference as policy; None if neither is known."""
    person: PersonBody = body.get("person", {})
    reference = body.get("token", {}).get("reference")
    if not person.get("subject") and not reference:
        return None
    agent = {**_person(orjson.dumps(person), with_token=bool(reference))}
    if reference:
        agent["policy"] = [reference]
    if purposes := body.get("purpose", {}).get("codes"):
        agent["purposeOfUse"] = _purposes(tuple(purposes))
    return agent


@lru_cache(maxsize=codes.REMEMBERED)
def _person(stated: bytes, *, with_token: bool) -> Element:
    """What an agent says of a person, whatever they ask for. `stated` is the JSON of a PersonBody: it can be a key."""
    person: PersonBody = orjson.loads(stated)
    subject = person.get("subject")
    agent: Element = {}
    if extensions := _extensions(person):
        agent["extension"] = extensions
    kinds = [codes.RECIPIENT] if subject else []  # both slices that IRCP selects want an identifier
    if with_token:
        kinds.append(codes.OAUTH_USER)
    agent["type"] = {"coding": kinds}
    if roles := [found for each in person.get("roles", ()) if (found := _role(each))]:
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
    return agent


@lru_cache(maxsize=64)  # there are few purposes
def _purposes(purposes: tuple[str, ...]) -> list[Element]:
    return [{"coding": [{"system": ACT_REASON, "code": code}]} for code in purposes]


def _role(role: CodingBody) -> Element | None:
    """As a Coding; as text where the token's words have not the form of a uri or a code, which would void the event."""
    system, code = role.get("system"), role.get("code")
    if (system and _URI.fullmatch(system) is None) or (code and _CODE.fullmatch(code) is None):
        return {"text": printable("|".join(filter(None, (system, code))))}
    found = _coding(role)
    return {"coding": [found]} if found else None


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
