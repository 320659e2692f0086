"""A feed that is a folder of JSON files: each a Bundle of any type, or a single resource.

The folder is read anew at every question and nothing of it is kept. It is meant for deliveries of files, demonstrations
and tests: some megabytes, not an archive.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fhir_adapters.interface import (
    Call,
    Entry,
    FeedAnswerInvalid,
    FeedFile,
    FeedLinkExpired,
    FeedLinkRefused,
    FeedRefused,
    FeedTimeout,
    FeedUnavailable,
    Offer,
    Page,
    Tree,
)
from fhir_adapters.matching import UnsupportedSearch, compiled, first_moment, parameter_of
from fhir_adapters.resource import binary_file, expect_resource, parse
from fhir_adapters.search_table import SEARCH_PARAMETERS, Kind

MAX_FILES = 2_000
"""More are an archive, and each question lists them all."""

MAX_FOLDER_BYTES = 32 * 1024 * 1024
"""All files together: about a second of parsing, within the deadline of a feed."""

DEFAULT_COUNT = 50
MAX_COUNT = 200
"""A larger `_count` is clamped, as R4 3.1.1.5.4 allows."""

_PAGING = frozenset({"_count", "_sort"})
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_FULL_URL = re.compile(
    r"(https?://.+)/[A-Z][A-Za-z]{0,63}/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?", re.IGNORECASE
)
"""`<base>/<Type>/<id>`: the form of fullUrl that gives relative references a meaning (R4, references in Bundles)."""
_SEPARATOR = "~"
"""Between the parts of a page's name. No FHIR type, digest or number holds it, and the query part encodes it."""


@dataclass(frozen=True, slots=True)
class BundleFolderConfig:
    """A `[[feed]]` of kind `bundle-folder`."""

    id: str
    path: Path


@dataclass(frozen=True, slots=True)
class _Contents:
    """What the files held when they were read."""

    digest: str
    """Of names, sizes and times: pages of one answer are counted in one state of the folder."""
    entries: dict[tuple[str, str], Entry]
    """(type, id) -> entry, in the order of file names and of entries."""

    def identities(self) -> dict[str, str]:
        """fullUrl -> `Type/id`."""
        return {entry.full_url: f"{key[0]}/{key[1]}" for key, entry in self.entries.items() if entry.full_url}


class BundleFolderFeed:
    """`Feed` over `*.json` of one folder, without its sub-folders; names that start with a dot are left alone.

    A broken file makes every answer FeedAnswerInvalid, since nobody could tell what is missing; the message names the
    file and quotes nothing of it. The same resource in two files is one if both say the same, and invalid otherwise.
    All absolute fullUrls share one base: a relative reference means a place under the base of its own fullUrl, so that
    with two of them `Patient/1` would be two people.
    Unknown types, parameters and modifiers are FeedRefused. A page is FeedLinkExpired once a file has changed.
    """

    base = ""

    def __init__(self, id: str, path: Path) -> None:
        """Nothing is read yet; a folder that does not exist is FeedUnavailable when it is asked."""
        self.id = id
        self._path = path
        self._name = f"feed '{id}'"

    @classmethod
    def from_config(cls, config: BundleFolderConfig) -> "BundleFolderFeed":
        """The feed of a configuration."""
        return cls(config.id, config.path)

    def read(self, resource_type: str, resource_id: str, call: Call) -> Tree | None:
        """See `Feed`."""
        entry = self._contents(call).entries.get((resource_type, resource_id))
        return None if entry is None else entry.resource

    def search(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        """See `Feed`."""
        return self._page(self._contents(call), resource_type, parameters, 0)

    def page(self, name: str, call: Call) -> Page:
        """See `Feed`."""
        contents = self._contents(call)
        digest, _, rest = name.partition(_SEPARATOR)
        offset, _, rest = rest.partition(_SEPARATOR)
        resource_type, _, query = rest.partition(_SEPARATOR)
        if digest != contents.digest or not _NUMBER.fullmatch(offset):
            raise FeedLinkExpired(f"{self._name} has changed since that page was named")
        return self._page(
            contents,
            resource_type,
            tuple(parse_qsl(query, keep_blank_values=True, errors="surrogatepass")),
            int(offset),
        )

    def file(self, url: str, call: Call) -> FeedFile | None:
        """See `Feed`. Its own are the Binaries that it holds: `Binary/<id>`, or the fullUrl of one."""
        entries = self._contents(call).entries
        binaries = {entry.full_url: entry for (kind, _), entry in entries.items() if kind == "Binary"}
        kind, _, name = url.partition("/")
        entry = entries.get((kind, name)) if kind == "Binary" else binaries.get(url)
        if entry is None and kind != "Binary":
            raise FeedLinkRefused(f"{self._name} would be asked outside what is allowed")
        return None if entry is None else binary_file(entry.resource, self._name)

    def check(self, call: Call) -> Offer:
        """See `Feed`. All searchable types are offered, whether a file holds some or not."""
        self._contents(call)
        return Offer("4.0.1", "bundle-folder", dict.fromkeys(SEARCH_PARAMETERS, ("read", "search-type")))

    def _page(
        self, contents: _Contents, resource_type: str, parameters: tuple[tuple[str, str], ...], offset: int
    ) -> Page:
        try:
            matches = compiled(resource_type, tuple(pair for pair in parameters if pair[0] not in _PAGING))
            count = _count([value for name, value in parameters if name == "_count"])
            identities = contents.identities()
            found = [
                entry
                for (held_type, _), entry in contents.entries.items()
                if held_type == resource_type and matches(entry.resource, identities)
            ]
            found = _sorted(found, resource_type, [value for name, value in parameters if name == "_sort"])
        except UnsupportedSearch as error:
            raise FeedRefused(f"{self._name}: {error}") from None
        end = offset + count
        following = None
        if end < len(found):
            following = _SEPARATOR.join(
                [
                    contents.digest,
                    str(end),
                    resource_type,
                    urlencode(parameters, errors="surrogatepass").replace(_SEPARATOR, "%7E"),
                ]
            )
        return Page(tuple(found[offset:end]), following)

    def _contents(self, call: Call) -> _Contents:
        try:
            return self._read_folder(call)
        except OSError:
            # A missing folder, a missing right, a file that went away between the listing and the reading.
            failure = FeedUnavailable(f"{self._name} has a folder or a file that cannot be read")
        raise failure

    def _read_folder(self, call: Call) -> _Contents:
        digest = hashlib.sha256()
        entries: dict[tuple[str, str], Entry] = {}
        bases: set[str] = set()
        total = 0
        for file in self._files():
            if call.deadline.remaining() <= 0:
                raise FeedTimeout(f"{self._name} could not be read in time")
            data, facts = _read(file, MAX_FOLDER_BYTES - total + 1)
            total += len(data)
            if total > MAX_FOLDER_BYTES:
                raise FeedAnswerInvalid(f"{self._name} holds more than {MAX_FOLDER_BYTES} bytes")
            digest.update(os.fsencode(file.name) + f"\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
            self._add(entries, bases, file.name, data)
        return _Contents(digest.hexdigest()[:16], entries)

    def _files(self) -> list[Path]:
        files = sorted(
            path
            for path in self._path.iterdir()
            if path.suffix == ".json" and not path.name.startswith(".") and path.is_file()
        )
        if len(files) > MAX_FILES:
            raise FeedAnswerInvalid(f"{self._name} holds more than {MAX_FILES} files")
        return files

    def _add(self, entries: dict[tuple[str, str], Entry], bases: set[str], file_name: str, data: bytes) -> None:
        shown = os.fsencode(file_name).decode(errors="replace")
        source = f"{self._name}: file '{shown}'"
        for resource, full_url in _resources(parse(data, source), source):
            expect_resource(resource, None, source)
            if found := _FULL_URL.fullmatch(full_url or ""):
                bases.add(found[1])
            if len(bases) > 1:
                raise FeedAnswerInvalid(f"{source} names another base in its fullUrls than those before it")
            key = (resource["resourceType"], resource["id"])
            held = entries.get(key)
            if held is None:
                entries[key] = Entry(resource, full_url)
            elif held.resource != resource:
                raise FeedAnswerInvalid(f"{source} holds a resource that another file holds differently")


def _read(file: Path, limit: int) -> tuple[bytes, os.stat_result]:
    with file.open("rb") as opened:
        facts = os.fstat(opened.fileno())
        return (opened.read(limit) if stat.S_ISREG(facts.st_mode) else b""), facts


def _resources(tree: Any, source: str) -> Iterator[tuple[Any, str | None]]:
    """(resource, fullUrl) of a Bundle's entries; a tree that is no Bundle is its own only resource."""
    if not isinstance(tree, dict) or tree.get("resourceType") != "Bundle":
        yield tree, None
        return
    rows = tree.get("entry", [])
    if not isinstance(rows, list):
        raise FeedAnswerInvalid(f"{source} holds entries that are not a list")
    for row in rows:
        if not isinstance(row, dict):
            raise FeedAnswerInvalid(f"{source} holds an entry that is not an object")
        resource, full_url = row.get("resource"), row.get("fullUrl")
        if resource is not None:
            yield resource, full_url if isinstance(full_url, str) else None


def _count(values: list[str]) -> int:
    if not values:
        return DEFAULT_COUNT
    if len(values) > 1 or not _NUMBER.fullmatch(values[0]):
        raise UnsupportedSearch("_count is not one positive number")
    return min(int(values[0]), MAX_COUNT)


def _sorted(entries: list[Entry], resource_type: str, values: list[str]) -> list[Entry]:
    """In the order of `_sort`: names of date parameters joined by commas, `-` for descending. Without a date: last."""
    if not values:
        return entries
    if len(values) > 1:
        raise UnsupportedSearch("_sort is given twice")
    for rule in reversed(values[0].split(",")):
        parameter = parameter_of(resource_type, rule.removeprefix("-"))
        if parameter.kind is not Kind.DATE:
            raise UnsupportedSearch("_sort names a parameter that is not a date")
        dated: list[tuple[datetime, Entry]] = []
        undated: list[Entry] = []
        for entry in entries:
            moment = first_moment(entry.resource, parameter)
            if moment is None:
                undated.append(entry)
            else:
                dated.append((moment, entry))
        dated.sort(key=lambda pair: pair[0], reverse=rule.startswith("-"))
        entries = [entry for _, entry in dated] + undated
    return entries
