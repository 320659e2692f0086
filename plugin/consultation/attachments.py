"""The files that a resource carries or names: where its Attachments stand, and which of them can be opened.

Opening one is `files`; taking their content out of what is released is `release`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plugin.consultation.feed_places import relative

CONTENT = frozenset({"url", "_url", "data", "_data"})
"""Of an Attachment: what is the file itself, or leads to it."""

_NAMES = frozenset({"attachment", "presentedForm", "photo"})
_META = frozenset({"meta"})

Path = tuple[str | int, ...]
"""Names and positions from the resource down to an element."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """An Attachment as it may be told of: nothing in it leads to the source."""

    number: int
    """Which of the resource's, counted from 1 in the order in which they stand there."""
    path: Path
    title: str | None
    content_type: str | None
    """As the resource says."""
    openable: bool
    """False where there is no content, or only an address outside the feed's own: such a file is named, not fetched."""
    given: bool
    """False where there is neither content nor an address: the source says that there is a file, and no more."""


def named_files(resource: Mapping[str, Any], base: str) -> tuple[NamedFile, ...]:
    """All files of a resource. `base` is the feed's; "" if it writes no absolute addresses."""
    return tuple(
        NamedFile(
            number,
            path,
            _text(attachment.get("title")),
            _text(attachment.get("contentType")),
            is_openable(attachment, base),
            is_given(attachment),
        )
        for number, (path, attachment) in enumerate(attachments(resource), 1)
    )


def attachment_of(resource: Mapping[str, Any], number: int) -> Mapping[str, Any] | None:
    """The Attachment with this number, or None."""
    return next((each for place, (_, each) in enumerate(attachments(resource), 1) if place == number), None)


def is_openable(attachment: Mapping[str, Any], base: str) -> bool:
    """Whether there is content, inline or at an address that may be the feed's own. A feed judges its addresses."""
    if isinstance(attachment.get("data"), str):
        return True
    url = attachment.get("url")
    if not isinstance(url, str) or not url or url.startswith("//"):
        return False
    return not base or ":" not in relative(base, url).partition("/")[0]


def is_given(attachment: Mapping[str, Any]) -> bool:
    """Whether there is content, or an address of it wherever that leads."""
    return any(isinstance(value := attachment.get(name), str) and value != "" for name in ("data", "url"))


def attachments(resource: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every Attachment with its place, in document order; but for those inside what is not shown."""
    waiting: list[tuple[Path, str, Any]] = [((), "", resource)]
    while waiting:
        path, name, node = waiting.pop()
        if isinstance(node, list):
            waiting += [((*path, place), name, item) for place, item in reversed(list(enumerate(node)))]
        elif isinstance(node, dict):
            hidden = _META
            if is_attachment(name, node):
                yield path, node
                hidden |= CONTENT
            waiting += [((*path, key), key, item) for key, item in reversed(list(node.items())) if key not in hidden]


def is_attachment(name: str, value: Mapping[str, Any]) -> bool:
    """An Attachment by the name of its element, or by its content: beside a content type, or in a `form`, which is
    an Attachment in an ExplanationOfBenefit and a concept in a Medication.
    """
    if name in _NAMES or name.endswith("Attachment"):
        return True
    return ("contentType" in value or name == "form") and not CONTENT.isdisjoint(value)


def element_at(tree: Any, path: Path) -> Any:
    """The element at a path of this tree, or of a copy that lacks none of it."""
    for step in path:
        tree = tree[step]
    return tree


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
