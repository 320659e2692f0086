"""The kinds of feeds, by the name that a configuration uses: our own, and those of installed plug-ins.

A new kind of ours is one file and one row here. A plug-in is an entry point of the group ENTRY_POINTS, loaded only when
a configuration names it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from fhir_adapters.bundle_folder import BundleFolderConfig, BundleFolderFeed
from fhir_adapters.fhir_rest import FhirRestConfig, FhirRestFeed
from fhir_adapters.interface import Feed
from fhir_adapters.third_party import GuardedFeed, Maker, ThirdPartyConfig

ENTRY_POINTS = "vitrine.feeds"
"""The group in which a distribution names the makers of its feeds."""


class UnknownFeedKind(ValueError):
    """A configuration names a kind of feed that does not exist, or gives it another kind's settings."""


class PlugInBroken(ValueError):
    """A plug-in is there and cannot be loaded, or makes no feed."""


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

    Raises UnknownFeedKind, PlugInBroken, and ValueError where the kind finds its configuration wrong. Nothing is
    contacted.
    """
    found = FEEDS.get(kind) or _installed(kind)
    if not isinstance(config, found.config):
        raise UnknownFeedKind(f"a feed of kind '{kind}' takes another configuration")
    return found.make(config)


def _installed(kind: str) -> FeedKind:
    """The kind that a plug-in brings. Our own names never get here, so no plug-in takes one."""
    named = tuple(entry_points(group=ENTRY_POINTS, name=kind))
    if not named:
        others = {each.name for each in entry_points(group=ENTRY_POINTS)}
        raise UnknownFeedKind(f"'{kind}' is no kind of feed; there are {', '.join(sorted({*FEEDS, *others}))}")
    if len({each.value for each in named}) > 1:
        raise PlugInBroken(f"several plug-ins bring a feed of kind '{kind}', and nothing says which is meant")
    maker = _loaded(named[0])
    return FeedKind(ThirdPartyConfig, partial(_guarded, kind, maker))


def _loaded(entry_point: EntryPoint) -> Maker:
    named = f"the plug-in for kind '{entry_point.name}' ({entry_point.value})"
    try:
        maker = entry_point.load()
    except Exception as error:  # noqa: BLE001 - a module that is not ours may fail in any way when it is imported
        failure = PlugInBroken(f"{named} cannot be loaded: {type(error).__name__}: {' '.join(str(error).split())}")
    else:
        if callable(maker):
            return maker  # type: ignore[no-any-return]  # what it makes is looked at when it has been made
        failure = PlugInBroken(f"{named} makes no feed")
    raise failure


def _guarded(kind: str, maker: Maker, config: ThirdPartyConfig) -> Feed:
    try:
        feed = GuardedFeed(maker(config))
    except ValueError as error:
        failure = PlugInBroken(f"the plug-in for kind '{kind}' refuses its configuration: {error}")
    except Exception as error:  # noqa: BLE001 - as above; its text might hold a secret that it was given
        failure = PlugInBroken(f"the plug-in for kind '{kind}' failed to make a feed: {type(error).__name__}")
    else:
        if feed.id == config.id:
            return feed
        failure = PlugInBroken(f"the plug-in for kind '{kind}' made a feed of another id")
    raise failure
