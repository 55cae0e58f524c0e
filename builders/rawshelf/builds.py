"""A finished conversion as its manifest tells it, on disk or on the Hub."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rawshelf import catalog
from rawshelf.errors import MissingError
from rawshelf.manifests import MANIFEST, assets_of, parse_manifest, shards_of
from rawshelf.records import ShardRecord
from rawshelf.release import Release


@dataclass(frozen=True)
class Build:
    """A finished conversion.

    Attributes:
        place: Where it is, for messages: a folder or the URL of a repository.
        text: Its manifest, byte for byte.
        manifest: The same, read.
        records: Its shards.
        assets: The pictures of its card: by path, size and sha256.
    """

    place: str
    text: bytes = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    records: tuple[ShardRecord, ...]
    assets: dict[str, tuple[int, str]]

    @cached_property
    def files(self) -> dict[str, tuple[int, str]]:
        """All files that the manifest names, shards and pictures: by path, size and sha256."""
        return {each.path: (each.bytes, each.sha256) for each in self.records} | self.assets

    @cached_property
    def sha256(self) -> str:
        """Hash of the manifest, which names this build: the manifest names all else."""
        return hashlib.sha256(self.text).hexdigest()

    @property
    def release(self) -> Release:
        """The release that was converted."""
        return catalog.find(str(self.manifest.get("dataset"))).release

    @property
    def configs(self) -> set[str]:
        """Names of the configs that it holds."""
        return {record.config for record in self.records}

    @property
    def bytes(self) -> int:
        """Size of all shards."""
        return sum(record.bytes for record in self.records)

    @property
    def card_sha256(self) -> str | None:
        """Hash of the card as it was written, or None if the manifest does not say."""
        card = self.manifest.get("card")
        return card.get("sha256") if isinstance(card, dict) else None

    def globs(self, path: str) -> bool:
        """Tell whether the card's patterns read a file, one of the build's own or not."""
        return any(
            path.startswith(f"data/{record.config}/{record.split}-") and path.endswith(".parquet")
            for record in self.records
        )


def read_build(text: bytes, place: str) -> Build:
    """Return the build that a manifest tells of.

    Raises:
        OutputError: If it is not a manifest that this version reads.
    """
    manifest = parse_manifest(text, place)
    records = tuple(shards_of(manifest, place))
    return Build(place, text, manifest, records, assets_of(manifest, place))


def open_build(out: str) -> Build:
    """Return the conversion that stands in a folder. Its files are not looked at.

    Raises:
        MissingError: If none stands there.
        OutputError: If its manifest is not one that this version reads.
    """
    path = Path(out) / MANIFEST
    if not path.is_file():
        raise MissingError(
            "There is no finished conversion.",
            archive=out,
            member=MANIFEST,
            found="no such file",
            remedy="Convert first: rawshelf convert NAME RAW OUT; give an interrupted conversion "
            "its command again.",
        )
    return read_build(path.read_bytes(), out)
