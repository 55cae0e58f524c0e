"""One raw release, wherever it lies: folder, tar, tar.gz or zip; a local path or an fsspec URL.

A source yields the members in the container's own order, never unpacks to disk, and is the only
part of rawshelf that opens raw bytes. Everything after it sees plain, safe, unique names.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import IO, Any, cast

from rawshelf.blobs import BlobReader
from rawshelf.errors import SourceError
from rawshelf.files import Readable, stream_sha256
from rawshelf.folders import list_folder, list_remote
from rawshelf.interrupts import undisturbed
from rawshelf.members import Guard, Limits, Member, reading
from rawshelf.tars import BLOCK, TarStream, has_checksum
from rawshelf.urls import file_system
from rawshelf.zips import list_zip

FOLDER, TAR, TAR_GZ, ZIP = "folder", "tar", "tar.gz", "zip"
_OTHER_KINDS = {
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstandard file",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
}
# What file systems call the state of a file. Not all they tell: a signed URL changes each time.
_STATE_KEYS = re.compile(
    r"size|created|mtime|modified|updated|last[-_]?modified|etag|md5hash|crc32c|content-md5|digest"
    r"|generation|versionid|blob_id|oid|sha256",
    re.IGNORECASE,
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EXPECTED = "a folder, tar, tar.gz or zip"
_REMEDY_HTML = (
    "A web page was saved in place of the archive, as file hosts send when a download quota is "
    "used up. Fetch it again later, or from another mirror (see `rawshelf info NAME`)."
)

Wanted = Callable[[str], bool]


class Source:
    """A raw release that can be walked through.

    Attributes:
        url: As the user gave it.
        kind: ``folder``, ``tar``, ``tar.gz`` or ``zip``.
        guard: Counts of skipped junk and links, filled while walking.
    """

    def __init__(self, url: str, *, limits: Limits | None = None) -> None:
        """Find out what lies at a path or URL, by its content.

        Args:
            url: Local path or fsspec URL.
            limits: What the archive may hold at most.

        Raises:
            SourceError: If nothing is there, or it is no container that rawshelf reads.
        """
        self.url = url
        self._limits = limits or Limits()
        self.guard = Guard(url, self._limits)
        with reading(url):
            self._locate()
            self.kind = self._sniff()

    def _locate(self) -> None:
        """Find the file system; a ``file://`` URL is read as the local path that it names."""
        if not self.url:
            raise self._unknown("an empty path")
        self.filesystem: Any = None
        self._path = os.path.join(os.getcwd(), os.path.expanduser(self.url))
        if "://" in self.url:
            try:
                self.filesystem, self._path = file_system(self.url)
            except (TypeError, AttributeError, KeyError) as error:
                # As for reference:// or dir://, which need more than a URL.
                raise self._unknown(f"a URL that fsspec cannot open: {error}") from error
        self.remote = self.filesystem is not None
        self._location = self.url if self.remote else self._path

    def _sniff(self) -> str:
        if self._is_folder():
            if self.remote and "::" in self.url:
                raise self._unknown("a folder within a chain of URLs")
            return FOLDER
        with self._open() as file:
            head = file.read(BLOCK)
        kind = _kind_of(head)
        if kind is None:
            raise self._unknown(_describe(head), _REMEDY_HTML if _is_web_page(head) else None)
        return kind

    def _is_folder(self) -> bool:
        if self.remote:
            return bool(self.filesystem.isdir(self._path))
        mode = os.stat(self._location).st_mode
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            raise self._unknown(f"mode {stat.filemode(mode)}")
        return stat.S_ISDIR(mode)

    def _unknown(self, found: str, remedy: str | None = None) -> SourceError:
        return SourceError(
            "This is no release that rawshelf reads.",
            archive=self.url,
            found=found,
            expected=_EXPECTED,
            remedy=remedy or "Name the release's own archive or its folder.",
        )

    def _open(self) -> IO[bytes]:
        with reading(self.url):
            if self.remote:
                return cast("IO[bytes]", self.filesystem.open(self._path, "rb"))
            return open(self._location, "rb")

    @property
    def sequential(self) -> bool:
        """Whether members can only be read in order, as they pass."""
        return self.kind == TAR_GZ

    @property
    def paths(self) -> tuple[str, ...]:
        """The absolute local path of the release, if it has one: what other machines must see."""
        return () if self.remote else (self._location,)

    def walk(self, read: Wanted) -> Iterator[tuple[Member, memoryview | None]]:
        """Yield every member in the container's order, with the bytes of those wanted.

        Args:
            read: Says by the name whether the bytes are wanted.

        Raises:
            SourceError: If the container is damaged or unsafe.
        """
        self.guard = Guard(self.url, self._limits)
        yield from self._walk_tar(read) if self.kind in (TAR, TAR_GZ) else self._walk_listing(read)
        self.guard.forget()

    def _walk_listing(self, read: Wanted) -> Iterator[tuple[Member, memoryview | None]]:
        with BlobReader() as reader:
            for member in self._listing():
                blob = member.blob
                wanted = blob is not None and read(member.name)
                yield member, reader.read(blob, member.name) if wanted and blob else None

    def _walk_tar(self, read: Wanted) -> Iterator[tuple[Member, memoryview | None]]:
        gzip = self.kind == TAR_GZ
        with ExitStack() as stack:
            file = stack.enter_context(self._open())
            with undisturbed():
                # It starts a thread, for which Python would wait for ever if nobody closed it.
                tar = TarStream(file, self.guard, self._location, gzip=gzip)
                stack.enter_context(closing(tar))
            for member, data in tar.members():
                yield member, data if read(member.name) else None

    def _listing(self) -> Iterator[Member]:
        if self.kind == ZIP:
            with self._open() as file:
                yield from list_zip(file, self.guard, self._location)
        elif self.remote:
            yield from list_remote(self.filesystem, self._path, self.guard)
        else:
            yield from list_folder(self._location, self.guard)

    def size(self) -> int | None:
        """Return the archive's size in bytes, or None where nobody tells, as for a folder."""
        if self.kind == FOLDER:
            return None
        with reading(self.url):
            if not self.remote:
                return os.path.getsize(self._location)
            size: int | None = self.filesystem.size(self._path)
            return size

    def fingerprint(self) -> str:
        """Return a short string that changes when the release at this place changes.

        From names, sizes and modification times (an ETag or the like for a URL), not from the
        content: it keys caches and tells whether the input changed during a conversion.
        """
        digest = hashlib.sha256()
        with reading(self.url):
            for line in self._states():
                digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:32]

    def _states(self) -> Iterator[str]:
        if self.remote:
            yield from self._remote_states()
        elif self.kind == FOLDER:
            for member in list_folder(self._location, Guard(self.url, self._limits)):
                path = member.blob.container if member.blob else self._location
                yield f"{member.name}\0{member.size}\0{os.stat(path).st_mtime_ns}\0"
        else:
            state = os.stat(self._location)
            yield f"{state.st_size}\0{state.st_mtime_ns}\0{state.st_ino}"

    def _remote_states(self) -> Iterator[str]:
        if self.kind == FOLDER:
            found = self.filesystem.find(self._path, detail=True)
        else:
            found = {self._path: self.filesystem.info(self._path)}
        for path, details in sorted(found.items()):
            known = sorted(key for key in details if _STATE_KEYS.fullmatch(key))
            yield f"{path}\0{[(key, str(details[key])) for key in known]}\0"

    def describe(self) -> dict[str, object]:
        """Return what identifies the input in a manifest: kind, size and content hash.

        An archive is named by its size and sha256. A folder by the number and total size of its
        files and the sha256 of one line per file, sorted: name, size and sha256, each ended by a
        zero byte. Neither depends on where the release lies, or on its files' times.
        """
        if self.kind != FOLDER:
            with reading(self.url), self._open() as file:
                digest, size = stream_sha256(cast("Readable", file))
            return {"kind": self.kind, "bytes": size, "sha256": digest}
        files = sorted(self._hashed_members())
        lines = "".join(f"{name}\0{size}\0{content}\0" for name, size, content in files)
        return {
            "kind": self.kind,
            "files": len(files),
            "bytes": sum(size for _, size, _ in files),
            "files_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }

    def _hashed_members(self) -> Iterator[tuple[str, int, str]]:
        for member, data in self.walk(lambda _: True):
            if data is not None:
                yield member.name, member.size, hashlib.sha256(data).hexdigest()


def _kind_of(head: bytes) -> str | None:
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return ZIP
    if head[:2] == b"\x1f\x8b":
        return TAR_GZ
    return TAR if has_checksum(head) else None


def _describe(head: bytes) -> str:
    if _is_web_page(head):
        return "a web page"
    for magic, kind in _OTHER_KINDS.items():
        if head.startswith(magic):
            return kind
    return f"a file that begins with {head[:8]!r}" if head else "an empty file"


def _is_web_page(head: bytes) -> bool:
    return head.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"<")


class Wrapper:
    """Takes the one folder off that an archive may put around a release.

    Attributes:
        name: The wrapper found so far: "" for none, None before the first member.
    """

    def __init__(self, anchors: frozenset[str], source: Source) -> None:
        """Prepare.

        Args:
            anchors: Names that stand at the top of the release itself.
            source: For messages.
        """
        self._anchors = anchors
        self._source = source
        self.name: str | None = None

    def strip(self, name: str) -> str | None:
        """Return the name relative to the release's root, or None if it lies beside the root.

        Raises:
            SourceError: If two members need different wrappers.
        """
        wrapper, _, stripped = name.partition("/")
        if wrapper in self._anchors:
            wrapper, stripped = "", name
        elif stripped.partition("/")[0] not in self._anchors:
            return None
        if self.name != wrapper:
            self._settle(wrapper, name)
        return stripped

    def _settle(self, wrapper: str, name: str) -> None:
        if self.name is not None:
            raise SourceError(
                "The container holds the release twice.",
                archive=self._source.url,
                member=name,
                found=f"a second root {wrapper or '(top)'!r}",
                expected=f"all files below {self.name or '(top)'!r}",
                remedy="Keep one copy of the release in the folder or archive.",
            )
        self.name = wrapper
