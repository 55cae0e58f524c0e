"""Reading a manifest: only one of this version, that names nothing but shards."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rawshelf.errors import OutputError
from rawshelf.records import ShardRecord

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
ASSETS = "assets"

_SHARD = re.compile(r"data/\w+/\w+-\d{5}-of-\d{5}\.parquet")
_ASSET = re.compile(rf"{ASSETS}/[\w-]+\.png")


def parse_manifest(text: bytes, place: str) -> dict[str, Any]:
    """Return what a manifest's text says.

    Args:
        text: The file, UTF-8.
        place: Where it stands, for error messages.

    Raises:
        OutputError: If it is not one that this version reads.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise unreadable(str(error), place) from error
    if not isinstance(found, dict) or found.get("format") != MANIFEST_FORMAT:
        other = found.get("format") if isinstance(found, dict) else type(found).__name__
        raise unreadable(f"format {other}", place)
    return found


def shards_of(manifest: Mapping[str, Any], place: str) -> list[ShardRecord]:
    """Return the shards that a manifest names.

    Raises:
        OutputError: If it names anything else than shards.
    """
    try:
        records = [ShardRecord.from_json(values) for values in manifest["files"]]
        strange = [record.path for record in records if not _SHARD.fullmatch(record.path)]
    except (KeyError, TypeError) as error:
        raise unreadable(f"files that are no list of shards ({error})", place) from error
    if strange:
        raise unreadable(f"a file {strange[0]!r}", place)
    return records


def assets_of(manifest: Mapping[str, Any], place: str) -> dict[str, tuple[int, str]]:
    """Return the pictures that a manifest names: by path, size and sha256.

    Args:
        manifest: The manifest.
        place: Where it stands, for messages.

    Raises:
        OutputError: If it names anything else than pictures.
    """
    try:
        assets = {
            str(asset["path"]): (int(asset["bytes"]), str(asset["sha256"]))
            for asset in manifest.get("assets", ())
        }
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(f"assets that are no list of pictures ({error})", place) from error
    strange = [path for path in assets if not _ASSET.fullmatch(path)]
    if strange:
        raise unreadable(f"an asset {strange[0]!r}", place)
    return assets


def unreadable(found: str, place: str) -> OutputError:
    """Build the error for a manifest that is of another version, or no manifest."""
    return OutputError(
        "The output's manifest is not one that this version reads.",
        archive=place,
        member=MANIFEST,
        field="format",
        found=found,
        expected=f"format {MANIFEST_FORMAT}",
        remedy="Convert the release again into a new folder, or use the version of rawshelf that "
        "wrote this: a newer one if the format is newer.",
    )
