"""A feed that speaks the FHIR R4 REST interface: read, search, the pages of a search, and its CapabilityStatement.

It checks that an answer is what was asked for and whole. Whose data it is, and whether it may be shown, is judged by
its callers; sockets and credentials are `upstream` and `credential`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_adapters.client_identity import ClientIdentity
from fhir_adapters.credential import Credential, NoCredential
from fhir_adapters.fhir_form import JSON_TYPES, is_fhir
from fhir_adapters.interface import (
    Call,
    Entry,
    FeedAnswerInvalid,
    FeedFile,
    FeedLinkExpired,
    FeedLinkRefused,
    FeedRefused,
    FeedTypeUnknown,
    FeedUnavailable,
    Offer,
    Page,
    Tree,
)
from fhir_adapters.reach import Address, Reach
from fhir_adapters.resource import binary_file, expect_resource, is_id, is_type, parse
from fhir_adapters.upstream import Answer, HttpUpstream, Upstream

MAX_ENTRIES = 5_000
"""Entries of one page. Servers clamp pages to some hundreds; one that sends more ignores `_count`, and judging them all
would hold a thread for seconds."""

UNLINKED_COUNT = 1_000
"""Entries asked of a server that gives no links, once an answer is as long as was asked: what follows it would be lost.
As many as a consultation reads at most, and as such servers give (Medplum's router)."""

FHIR_VERSIONS = ("4.0.", "4.3.")
"""R4 and R4B: the resources that we know are the same in both."""

_FILE_ACCEPTED = "application/fhir+json, */*;q=0.5"
"""Of a file: as a Binary where the server can, since that says whose it is and how it is labelled."""
_UNAVAILABLE = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class FhirRestConfig:
    """A `[[feed]]` of kind `fhir-rest`, its secrets already inside `credential`."""

    id: str
    base: str
    credential: Credential = field(default_factory=NoCredential)
    identity: ClientIdentity | None = None
    """The certificate for a server that asks for one."""
    name: str | None = None
    """What errors call it; by default the feed of its id."""


class FhirRestFeed:
    """`Feed` over HTTP. One allow-list, the base, holds for questions and for the links of answers.

    Statuses: 404 and 410 are None on a read, FeedLinkExpired on a page; 404 on a search is FeedTypeUnknown, if
    FHIR says so and no proxy. Other 4xx are FeedRefused, 401 after one renewal of the credential; but 429, like 502,
    503 and 504, says that the feed is busy or down: FeedUnavailable.
    500, 501 and the rest of 5xx are FeedAnswerInvalid: the feed is there and failed on this question, so asking others
    is not pointless. A redirect, 304 included, is FeedLinkRefused. A success is 200.
    """

    def __init__(
        self,
        id: str,
        base: str,
        credential: Credential | None = None,
        upstream: Upstream | None = None,
        *,
        identity: ClientIdentity | None = None,
        name: str | None = None,
    ) -> None:
        """Raises ValueError if `base` is no plain http(s) address, or `identity` meets plain http. Contacts nothing."""
        self.id = id
        self._reach = Reach.of(base)
        self.base = self._reach.base.rstrip("/")
        self._name = name or f"feed '{id}'"
        self._source = f"an answer of {self._name}"
        self._credential = credential or NoCredential()
        self._upstream = upstream or HttpUpstream(self._name, self._reach, identity=identity)

    @classmethod
    def from_config(cls, config: FhirRestConfig) -> "FhirRestFeed":
        """The feed of a configuration. Raises ValueError as the constructor does."""
        return cls(config.id, config.base, config.credential, identity=config.identity, name=config.name)

    def read(self, resource_type: str, resource_id: str, call: Call) -> Tree | None:
        """See `Feed`. A type or an id that FHIR does not allow is not there."""
        if not is_type(resource_type) or not is_id(resource_id):
            return None
        answer = self._ask(self._reach.below(resource_type, resource_id), call)
        if answer.status in (404, 410):
            return None
        resource = expect_resource(self._tree(answer), resource_type, self._source)
        if resource["id"] != resource_id:
            raise FeedAnswerInvalid(f"{self._name} gave another resource than asked")
        return resource

    def search(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        """See `Feed`. Parameters are sent as they are: what the feed does not know, it refuses or ignores.

        A server without links says nowhere whether more follows. An answer of such a one that is as long as `_count`
        is asked for anew, longer; FeedAnswerInvalid if it is then as long as `_count` again.
        """
        if not is_type(resource_type):
            raise FeedRefused(f"{self._name} cannot be asked for such a type")
        answer = self._ask(self._reach.below(resource_type, parameters=parameters), call)
        if answer.status == 404 and self._tells_outcome(answer):
            raise FeedTypeUnknown(f"{self._name} has no resources of the type {resource_type}")
        bundle = self._bundle(answer)
        if _may_be_cut(bundle, parameters):
            parameters = (*(pair for pair in parameters if pair[0] != "_count"), ("_count", str(UNLINKED_COUNT)))
            bundle = self._bundle(self._ask(self._reach.below(resource_type, parameters=parameters), call))
            if _may_be_cut(bundle, parameters):
                raise FeedAnswerInvalid(f"{self._name} does not say whether its answer is whole")
        return self._page(bundle)

    def page(self, name: str, call: Call) -> Page:
        """See `Feed`. Names are relative to the base, so that they show no host and lead to no other."""
        answer = self._ask(self._reach.resolve_relative(name), call)
        if answer.status in (404, 410):
            raise FeedLinkExpired(f"{self._name} no longer knows the page that it named")
        page = self._page(self._bundle(answer))
        if page.next == name:
            raise FeedAnswerInvalid(f"{self._name} names a page as the one that follows it")
        return page

    def file(self, url: str, call: Call) -> FeedFile | None:
        """See `Feed`. A `Binary/<id>` may come as the resource or as what it holds (R4 Binary, section 2.40.3).

        Any other resource, and FHIR in any other format and under any other name, is FeedAnswerInvalid: what lies at an
        address is a file, and no second way to ask for results.
        """
        address = self._reach.resolve(url)
        answer = self._ask(address, call, accept=_FILE_ACCEPTED)
        if answer.status in (404, 410):
            return None
        self._expect_success(answer)
        content_type = answer.headers.get("content-type", "")
        if not _is_json(content_type):
            if is_fhir(content_type, answer.body):
                raise FeedAnswerInvalid(f"{self._source} is no file")
            return FeedFile(content_type, answer.body)
        segments = self._reach.relative(address).split("/")
        if len(segments) != 3 or segments[1] != "Binary":
            raise FeedAnswerInvalid(f"{self._source} is no file")
        binary = expect_resource(parse(answer.body, self._source), "Binary", self._source)
        return binary_file(binary, self._source)

    def check(self, call: Call) -> Offer:
        """See `Feed`. Raises FeedAnswerInvalid if the feed is not of R4 or R4B."""
        statement = self._tree(self._ask(self._reach.below("metadata"), call))
        if not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
            raise FeedAnswerInvalid(f"{self._name} has no CapabilityStatement")
        version = statement.get("fhirVersion")
        if not isinstance(version, str) or not version.startswith(FHIR_VERSIONS):
            raise FeedAnswerInvalid(f"{self._name} does not speak FHIR R4")
        software = _object(statement.get("software"))
        words = [software[key] for key in ("name", "version") if isinstance(software.get(key), str)]
        return Offer(version, " ".join(words), _types(statement))

    def _ask(self, address: Address, call: Call, accept: str = "application/fhir+json") -> Answer:
        own = self._credential.headers(call)
        answer = self._get(address, own, call, accept)
        if answer.status == 401 and self._credential.renew(own, call):
            answer = self._get(address, self._credential.headers(call), call, accept)
        return answer

    def _get(self, address: Address, own: Mapping[str, str], call: Call, accept: str) -> Answer:
        # HAPI answers `no-store` with a single page and no next link; `no-cache` is what gives fresh and whole answers.
        headers = {
            "accept": accept,
            "cache-control": "no-cache",
            "x-request-id": call.record,
            **own,
        }
        return self._upstream.get(address, headers, deadline=call.deadline)

    def _tree(self, answer: Answer) -> Any:
        """The parsed body of a success. Raises the FeedError that the status or the media type stands for."""
        self._expect_success(answer)
        if not _is_json(answer.headers.get("content-type", "")):
            raise FeedAnswerInvalid(f"{self._name} did not answer in FHIR JSON")
        return parse(answer.body, self._source)

    def _tells_outcome(self, answer: Answer) -> bool:
        """Whether the body is an OperationOutcome, and so a FHIR server's own word."""
        if not _is_json(answer.headers.get("content-type", "")):
            return False
        try:
            return _object(parse(answer.body, self._source)).get("resourceType") == "OperationOutcome"
        except FeedAnswerInvalid:
            return False

    def _expect_success(self, answer: Answer) -> None:
        """Raises the FeedError that the status stands for, but for 200."""
        status = answer.status
        if status in _UNAVAILABLE:
            raise FeedUnavailable(f"{self._name} is not available (status {status})")
        if 400 <= status < 500:
            raise FeedRefused(f"{self._name} refused the gateway's question (status {status})")
        if 300 <= status < 400:
            raise FeedLinkRefused(f"{self._name} redirects (status {status})")
        if status != 200:
            raise FeedAnswerInvalid(f"{self._name} failed (status {status})")

    def _bundle(self, answer: Answer) -> Tree:
        bundle = self._tree(answer)
        if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle" or bundle.get("type") != "searchset":
            raise FeedAnswerInvalid(f"{self._name} did not answer with a searchset")
        return bundle

    def _page(self, bundle: Tree) -> Page:
        rows = bundle.get("entry", [])
        if not isinstance(rows, list) or len(rows) > MAX_ENTRIES:
            raise FeedAnswerInvalid(f"{self._name} sent no list of entries, or more than {MAX_ENTRIES}")
        entries = [entry for row in rows if (entry := self._entry(row)) is not None]
        return Page(tuple(entries), self._next(bundle.get("link", [])))

    def _entry(self, row: Any) -> Entry | None:
        """The entry of a Bundle, or None where it is about the search and not of its result (R4 3.1.1.1.1)."""
        if not isinstance(row, dict):
            raise FeedAnswerInvalid(f"{self._name} sent an entry that is not an object")
        resource = row.get("resource")
        if resource is None:
            return None
        is_outcome = isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome"
        if is_outcome or _object(row.get("search")).get("mode") == "outcome":
            if is_outcome and _tells_of_failure(resource):
                raise FeedAnswerInvalid(f"{self._name} says that its answer is not whole")
            return None
        full_url = row.get("fullUrl")
        return Entry(expect_resource(resource, None, self._source), full_url if isinstance(full_url, str) else None)

    def _next(self, links: Any) -> str | None:
        if not isinstance(links, list):
            raise FeedAnswerInvalid(f"{self._name} sent links that are not a list")
        following = [_object(link).get("url") for link in links if _object(link).get("relation") == "next"]
        if not following:
            return None
        if len(following) > 1 or not isinstance(following[0], str) or not following[0]:
            raise FeedAnswerInvalid(f"{self._name} does not name one next page")
        return self._reach.relative(self._reach.resolve(following[0]))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _may_be_cut(bundle: Tree, parameters: tuple[tuple[str, str], ...]) -> bool:
    """True if there are no links, as many entries as `_count` allows, and no `total` that says that these are all."""
    counts = [int(value) for name, value in parameters if name == "_count" and value.isdecimal()]
    rows = bundle.get("entry", [])
    if not counts or bundle.get("link") or not isinstance(rows, list) or len(rows) < min(counts):
        return False
    return bundle.get("total") != len(rows)


def _is_json(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = {part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")}
    return media_type in JSON_TYPES and charsets <= {"utf-8"}


def _tells_of_failure(outcome: Tree) -> bool:
    """An error within a success means that a part of the source did not answer: too little, said in passing."""
    issues = outcome.get("issue")
    return isinstance(issues, list) and any(_object(issue).get("severity") in ("error", "fatal") for issue in issues)


def _types(statement: Tree) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for rest in _rows(statement, "rest"):
        if rest.get("mode") != "server":
            continue
        for resource in _rows(rest, "resource"):
            if is_type(resource.get("type")):
                codes = (interaction.get("code") for interaction in _rows(resource, "interaction"))
                found[resource["type"]] = tuple(code for code in codes if isinstance(code, str))
    return found


def _rows(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = parent.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
