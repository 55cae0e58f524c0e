"""A conversion where it is published: a folder, a Hub repository, or a place behind a URL."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rawshelf import catalog
from rawshelf.errors import OutputError, SourceError, UsageError
from rawshelf.manifests import MANIFEST, MANIFEST_FORMAT, parse_manifest, shards_of
from rawshelf.members import read_errors
from rawshelf.records import ShardRecord
from rawshelf.urls import file_system

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
ANSWER_SECONDS = 60.0  # the client itself waits for ever
_REMEDY_PLACE = (
    "Name a folder that `rawshelf convert` wrote, a dataset repository as user/name, or an fsspec "
    "URL of such a folder."
)
_REMEDY_ACCESS = (
    "Check the name. If the repository is private or gated, sign in with `hf auth login` as "
    "somebody who may read it, or pass token=."
)


@dataclass(frozen=True)
class Published:
    """A conversion that can be read where it is.

    Attributes:
        place: As the user named it.
        filesystem: Through which it is read; None for this machine's own.
        root: Its path there.
        dataset: Name of the dataset.
        files: Its shards, in the order of configs, splits and rows.
    """

    place: str
    filesystem: Any
    root: str
    dataset: str
    files: tuple[ShardRecord, ...]

    def config(self, name: str | None) -> str:
        """Return the name of a config that is here; the first for None.

        Raises:
            UsageError: If it is not here.
        """
        known = tuple(dict.fromkeys(file.config for file in self.files))
        if name is not None and name not in known:
            raise catalog.unknown("config", name, known)
        return name or known[0]

    def splits(self, config: str, name: str | None) -> dict[str, list[ShardRecord]]:
        """Return the shards of a config's split; of all its splits for None.

        Raises:
            UsageError: If there is no such split.
        """
        found: dict[str, list[ShardRecord]] = {}
        for file in self.files:
            if file.config == config:
                found.setdefault(file.split, []).append(file)
        if name is None:
            return found
        if name not in found:
            raise catalog.unknown("split", name, tuple(found))
        return {name: found[name]}

    def path(self, file: str) -> str:
        """Return where a file is, for the file system."""
        return f"{self.root}/{file}"


def find(
    place: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Published:
    """Open a conversion.

    Args:
        place: Folder, ``user/name`` of a dataset repository on the Hub, or fsspec URL.
        revision: Branch, tag or commit of the repository; its main branch for None. It is
            resolved to a commit once, so that a push in the meantime changes nothing.
        token: For the Hub; the one of this machine's user for None.
        storage_options: For the file system of a URL.

    Raises:
        UsageError: If there is nothing at that place, or it is no conversion.
        SourceError: If it cannot be reached or read.
    """
    if os.path.isdir(place) or "://" in place:
        if revision is not None:
            raise _no_revision(place, revision)
        filesystem, root = None, place
        if "://" in place:
            with reaching(place):
                filesystem, root = file_system(place, **(storage_options or {}))
    elif _REPOSITORY.fullmatch(place):
        filesystem, root = _repository(place, revision, token)
    else:
        raise _nothing(place)
    return _opened(place, filesystem, root.rstrip("/"))


def _repository(name: str, revision: str | None, token: str | None) -> tuple[Any, str]:
    from huggingface_hub import (  # noqa: PLC0415 - slow to import, and only this needs it
        HfApi,
        HfFileSystem,
        errors,
    )

    try:
        with reaching(name):
            api = HfApi(token=token)
            commit = api.dataset_info(name, revision=revision, timeout=ANSWER_SECONDS).sha
    except SourceError as error:
        if isinstance(error.__cause__, errors.RevisionNotFoundError):
            raise _no_revision(name, revision) from error
        if isinstance(error.__cause__, errors.RepositoryNotFoundError):
            raise _nothing(name, error.found) from error
        raise
    return HfFileSystem(token=token), f"datasets/{name}@{commit}"


@contextmanager
def reaching(place: str, member: str | None = None) -> Iterator[None]:
    """Turn what goes wrong while a conversion is read into a `SourceError`.

    Raises:
        SourceError: In place of what the body raised.
    """
    try:
        yield
    except read_errors() as error:
        raise SourceError(
            "The conversion cannot be read.",
            archive=place,
            member=member,
            found=getattr(error, "strerror", None) or str(error) or type(error).__name__,
            remedy="Check that it is still there, complete, and that you may read it.",
        ) from error


def _opened(place: str, filesystem: Any, root: str) -> Published:
    try:
        with reaching(place, MANIFEST):
            text = _read(filesystem, f"{root}/{MANIFEST}")
        manifest = parse_manifest(text, place)
        files = tuple(shards_of(manifest, place))
    except SourceError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise _no_conversion(place, "no such file") from error
    except OutputError as error:
        raise _no_conversion(place, error.found) from error
    return Published(place, filesystem, root, str(manifest["dataset"]), files)


def _no_conversion(place: str, found: object) -> UsageError:
    return UsageError(
        "This is not a conversion that this version of rawshelf reads.",
        archive=place,
        member=MANIFEST,
        found=found,
        expected=f"a manifest of format {MANIFEST_FORMAT}, as `rawshelf convert` writes",
        remedy=f"{_REMEDY_PLACE} Other datasets are read by datasets.load_dataset.",
    )


def _read(filesystem: Any, path: str) -> bytes:
    if filesystem is not None:
        content: bytes = filesystem.cat_file(path)
        return content
    with open(path, "rb") as file:
        return file.read()


def _nothing(place: str, found: object = "nothing") -> UsageError:
    return UsageError(
        "There is no such folder, and no such dataset repository that you may read.",
        archive=place,
        found=found,
        remedy=f"{_REMEDY_PLACE} {_REMEDY_ACCESS}",
    )


def _no_revision(place: str, revision: str | None) -> UsageError:
    return UsageError(
        "There is no such revision.",
        archive=place,
        field="revision",
        found=revision,
        remedy="Name a branch, a tag or a commit of a Hub repository; other places have none.",
    )
