"""The kinds of feeds, by the name that a configuration uses. A new kind is one file and one row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_adapters.bundle_folder import BundleFolderConfig, BundleFolderFeed
from fhir_adapters.fhir_rest import FhirRestConfig, FhirRestFeed
from fhir_adapters.interface import Feed


class UnknownFeedKind(ValueError):
    """A configuration names a kind of feed that does not exist, or gives it another kind's settings."""


@dataclass(frozen=True, slots=True)
class FeedKind:
    """A kind of feed: what its configuration is, and how a feed is made of it. Making one contacts nothing."""

    config: type[Any]
    make: Callable[[Any], Feed]


FEEDS: Mapping[str, FeedKind] = {
    "fhir-rest": FeedKind(FhirRestConfig, FhirRestFeed.from_config),
    "bundle-folder": FeedKind(BundleFolderConfig, BundleFolderFeed.from_config),
}


def build(kind: str, config: object) -> Feed:
    """The feed of `kind` for `config`.

    Raises UnknownFeedKind, and ValueError where the kind finds its configuration wrong. Nothing is contacted.
    """
    found = FEEDS.get(kind)
    if found is None:
        raise UnknownFeedKind(f"'{kind}' is no kind of feed; there are {', '.join(sorted(FEEDS))}")
    if not isinstance(config, found.config):
        raise UnknownFeedKind(f"a feed of kind '{kind}' takes another configuration")
    return found.make(config)
