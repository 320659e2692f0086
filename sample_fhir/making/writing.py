"""Writes FHIR JSON as people read it, keeping every number's literal: `1.50` stays `1.50`.

The standard encoder turns a Decimal into a float, and a float has no trailing zeros; hence this small one.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

LINE_WIDTH = 120
"""What fits on a line stands on one line: a Coding is then one line of a diff rather than four."""

WRITTEN_AT = "2026-11-24T06:00:00+01:00"
"""The moment at which all bundles pretend to have been written; a clock would make each run differ."""

Resource = dict[str, Any]


def encode(value: Any, depth: int = 0) -> str:
    """`value` as JSON text, indented by one space a level. Raises TypeError for a float: numbers are int or Decimal."""
    line = _on_one_line(value)
    if depth + len(line) <= LINE_WIDTH or not isinstance(value, dict | list):
        return line
    inner = " " * (depth + 1)
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key)}: {encode(item, depth + 1)}" for key, item in value.items()]
        opening, closing = "{", "}"
    else:
        parts = [inner + encode(item, depth + 1) for item in value]
        opening, closing = "[", "]"
    return opening + "\n" + ",\n".join(parts) + "\n" + " " * depth + closing


def _on_one_line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_on_one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_on_one_line(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        raise TypeError("a float has lost its literal: use Decimal")
    return json.dumps(value, ensure_ascii=False)


def bundle(bundle_id: str, base: str, resources: list[Resource]) -> Resource:
    """A `collection` of `resources`, whose full URLs stand under `base`."""
    return {
        "resourceType": "Bundle",
        "id": bundle_id,
        "type": "collection",
        "timestamp": WRITTEN_AT,
        "entry": [{"fullUrl": f"{base}/{item['resourceType']}/{item['id']}", "resource": item} for item in resources],
    }


def write_folder(root: Path, folder: str, base: str, files: dict[str, list[Resource]]) -> None:
    """Write `root/folder/<name>.json` for each of `files`, and remove JSON that is no longer among them."""
    directory = root / folder
    directory.mkdir(parents=True, exist_ok=True)
    for name, resources in files.items():
        text = encode(bundle(f"{folder}-{name}", base, resources)) + "\n"
        (directory / f"{name}.json").write_text(text, encoding="utf-8")
    for stale in directory.glob("*.json"):
        if stale.stem not in files:
            stale.unlink()
