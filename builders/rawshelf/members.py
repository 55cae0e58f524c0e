"""Members of a raw release: their names, and what makes a name or an archive unsafe.

Every container reader passes each entry through one `Guard` before anything else sees it, so the
rules of this module hold for folders, tars and zips alike.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from isal import isal_zlib

from rawshelf.errors import SourceError

# What operating systems and archivers leave behind. Nothing else is ever skipped.
JUNK_FOLDERS = frozenset({"__MACOSX"})
JUNK_FILES = frozenset({".DS_Store", "Thumbs.db"})
JUNK_PREFIX = "._"

# Refused: controls (also those that turn the direction of writing), "\\" and what is not Unicode.
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\\\u2028-\u202e\u2066-\u2069\ud800-\udfff]{1,4096}")
_DRIVE = re.compile(r"[A-Za-z]:(/|$)")
# Makes the suspicious stand out in "/name/name/": "\\" and what is no printable ASCII becomes a
# zero; where "." or ":" stands beside "/", as in "/../", "/.hidden" or "/C:/", there is a "//".
_STAND_OUT = bytes(
    ord("/") if char in ".:" else ord(char) if char.isascii() and char.isprintable() else 0
    for char in map(chr, range(256))
).replace(b"\\", b"\0")
_LARGE = 1 << 20
# The stub of isal says that this is an exception, not a class.
INFLATE_ERROR = cast("type[Exception]", isal_zlib.error)
_READ_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    EOFError,
    ImportError,
    NotImplementedError,
    INFLATE_ERROR,
)
_REMEDY_HOSTILE = (
    "Do not use this archive: fetch the release again from its publisher and compare its sha256."
)
_REMEDY_READ = "Check that it is still there and that you may read it, then run the command again."


class Blob(NamedTuple):
    """Where the bytes of one member lie: a path and a range, never the bytes.

    Attributes:
        container: Path or URL of the file that holds the bytes.
        offset: First byte of the data within the container (for a zip member: of its local
            header, because only that says where the data begins).
        size: Length of the member, in bytes, after decompression.
        packed: Length within the container, in bytes.
        method: ``WHOLE`` (the container is the member), ``RAW`` (a plain range of it), ``STORED``
            or ``DEFLATED`` (zip member).
        crc: CRC-32 that the container states for the member, or -1 where it states none.
    """

    container: str
    offset: int
    size: int
    packed: int
    method: int
    crc: int


WHOLE, RAW, STORED, DEFLATED = -2, -1, 0, 8


class Member(NamedTuple):
    """One regular file of a release.

    Attributes:
        name: Name relative to the container, "/" between parts, NFC.
        size: Length in bytes.
        blob: Where its bytes lie, or None if the container can only be read in order.
    """

    name: str
    size: int
    blob: Blob | None


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most; past any of these it is refused.

    The published releases stay far below: 76,438 members (SPair-71k), 7.6 GB (ImageNet-Sketch).

    Attributes:
        members: Number of entries, folders and skipped leftovers included.
        member_bytes: Size of one member, after decompression.
        total_bytes: Sum of the sizes, after decompression.
        ratio: Size over packed size of one member larger than 1 MB.
    """

    members: int = 4_000_000
    member_bytes: int = 8 << 30
    total_bytes: int = 1 << 40
    ratio: int = 1_100


def is_junk(name: str) -> bool:
    """Tell whether a member is one of the listed leftovers of an operating system."""
    folder, _, base = name.rpartition("/")
    if base in JUNK_FILES or base.startswith(JUNK_PREFIX):
        return True
    return bool(folder) and not JUNK_FOLDERS.isdisjoint(folder.split("/"))


def read_errors(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """Return what reading a file can raise, by whatever library a URL makes fsspec use.

    A library that was not imported raises nothing, so none has to be installed for this.

    Args:
        more: What the caller's own parsing can raise.
    """
    found: list[type[Exception]] = [*_READ_ERRORS, *more]
    roots = (("aiohttp", "ClientError"), ("httpx", "HTTPError"), ("httpx2", "HTTPError"))
    for library, name in roots:
        error = getattr(sys.modules.get(library), name, None)
        if isinstance(error, type) and issubclass(error, Exception):
            found.append(error)
    return tuple(found)


@contextmanager
def reading(archive: str, member: str | None = None) -> Iterator[None]:
    """Turn what goes wrong while bytes are read into a `SourceError`.

    Raises:
        SourceError: In place of what the body raised.
    """
    try:
        yield
    except read_errors() as error:
        raise SourceError(
            "The release cannot be read.",
            archive=archive,
            member=None if member is None else printable(member),
            found=getattr(error, "strerror", None) or str(error) or type(error).__name__,
            remedy=_REMEDY_READ,
        ) from error


@dataclass
class Guard:
    """Checks every entry of one archive and keeps what the report needs.

    Attributes:
        archive: How messages name the archive.
        limits: What it may hold at most.
        junk: Number of skipped leftovers.
        skipped_links: Links of a folder that were not followed.
    """

    archive: str
    limits: Limits = field(default_factory=Limits)
    junk: int = 0
    skipped_links: list[str] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)
    _entries: int = 0
    _total: int = 0

    def refuse(
        self, what: str, member: str, *, kind: type[SourceError] = SourceError, **parts: object
    ) -> SourceError:
        """Build the error that refuses the whole archive."""
        remedy = str(parts.pop("remedy", _REMEDY_HOSTILE))
        return kind(
            what,
            archive=self.archive,
            member=printable(member),
            field=None if parts.get("field") is None else str(parts["field"]),
            found=parts.get("found"),
            expected=parts.get("expected"),
            remedy=remedy,
        )

    def plain_name(self, name: str) -> str:
        """Return the name in its plain form.

        Raises:
            SourceError: If it is absolute, leaves the archive, or holds control characters.
        """
        name = name.removeprefix("./")
        if not _PLAIN_NAME.fullmatch(name) or _DRIVE.match(name):
            raise self.refuse("A member name is not a plain relative name.", name)
        if not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise self.refuse("A member name leaves the folder of the release.", name)
        return name if name.isascii() else unicodedata.normalize("NFC", name)

    def count(self, name: str) -> None:
        """Count one entry of whatever kind.

        Raises:
            SourceError: If there are more than the limit.
        """
        self._entries += 1
        if self._entries > self.limits.members:
            raise self._over(name, "members", self._entries, self.limits.members)

    def admit_folder(self, name: str) -> None:
        """Check one folder, which counts as an entry and is not a member.

        Raises:
            SourceError: If the name is unsafe or there are too many entries.
        """
        self.count(name)
        if name not in {".", "./"}:
            self.plain_name(name.removesuffix("/"))

    def admit(self, name: str, size: int, packed: int) -> str | None:
        """Check one regular file.

        Args:
            name: Name as the container spells it.
            size: Stated size in bytes.
            packed: Bytes it takes in the container.

        Returns:
            The plain name, or None for junk.

        Raises:
            SourceError: If the name is unsafe or a duplicate, or a limit is passed.
        """
        name = self.plain_name(name)
        self._limit(name, size, packed)
        if is_junk(name):
            self.junk += 1
            return None
        key = name.lower() if name.isascii() else _folded(name)
        twin = self._seen.get(key)
        if twin is not None:
            raise self.refuse(
                "Two members have the same name (also after folding case).",
                name,
                found=f"{printable(twin)} and {printable(name)}",
                expected="each name once",
            )
        self._seen[key] = name
        return name

    def admit_usual(self, raw: list[bytes], sizes: list[int]) -> list[str] | None:
        """Check many uncompressed files at once, if none of them needs a closer look.

        Args:
            raw: Their names.
            sizes: Their sizes in bytes.

        Returns:
            The plain names; or None, and then nothing is admitted: `admit` tells what is wrong,
            if anything is.
        """
        lines = b"\n".join(raw)
        total = self._total + sum(sizes)
        if lines.count(b"\n") >= len(raw) or _needs_closer_look(lines):
            return None
        if len(raw) + self._entries > self.limits.members or total > self.limits.total_bytes:
            return None
        if max(sizes) > self.limits.member_bytes:
            return None
        text = lines.decode("ascii")
        names = text.split("\n")
        folded = dict(zip(text.lower().split("\n"), names, strict=True))
        if len(folded) < len(names) or not self._seen.keys().isdisjoint(folded):
            return None
        self._seen.update(folded)
        self._entries += len(raw)
        self._total = total
        return names

    def forget(self) -> None:
        """Let go of the names, 700 bytes each (measured): none will be compared with them."""
        self._seen.clear()

    def bound(self, name: str, size: int) -> None:
        """Refuse a member larger than the limit, before its bytes are read."""
        if size > self.limits.member_bytes:
            raise self._over(name, "bytes in one member", size, self.limits.member_bytes)

    def _limit(self, name: str, size: int, packed: int) -> None:
        limits = self.limits
        self.count(name)
        self.bound(name, size)
        self._total += size
        if self._total > limits.total_bytes:
            raise self._over(name, "bytes in all members", self._total, limits.total_bytes)
        if size > _LARGE and size > limits.ratio * max(packed, 1):
            raise self._over(name, "compression ratio", size // max(packed, 1), limits.ratio)

    def _over(self, name: str, field_name: str, found: int, limit: int) -> SourceError:
        return self.refuse(
            "The archive is larger than any release that rawshelf knows.",
            name,
            field=field_name,
            found=found,
            expected=f"at most {limit}",
        )


def _needs_closer_look(lines: bytes) -> bool:
    path = b"/%b/" % lines.replace(b"\n", b"/")
    marked = path.translate(_STAND_OUT)
    return b"\0" in marked or b"//" in marked or b"__MACOSX" in path or b"Thumbs.db" in path


def _folded(name: str) -> str:
    """Fold case as Unicode's canonical caseless match does, where folding alone is not enough."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def printable(name: str) -> str:
    """Return a name as a message can show it."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
