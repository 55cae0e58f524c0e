"""Reading a tar or tar.gz as one ordered stream of members, without unpacking it.

A reader of its own, because the standard library's spends longer on the 76,438 members of
SPair-71k than inflating them takes, and follows more of the format than a release may use: only
regular files and folders are accepted here, every header's checksum is verified, and the archive
must end with its end marker.

Runs of plain headers are checked together, as columns of a numpy array. Whatever is not plain
among them (a long name, a pax header, an unusual name) goes through the same checks one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

import numpy as np
import numpy.typing as npt
from isal import igzip_threaded, isal_zlib

from rawshelf.errors import SourceError, TruncatedError
from rawshelf.members import RAW, Blob, Guard, Member, read_errors

BLOCK = 512
# What is read stays in the processor's cache, and what is freed is used again: larger buffers come
# from the system anew, page by page (measured with 4 MB: the walk takes 1.3 times as long).
CHUNK = 1 << 19
_LARGEST_PIECE = 64 << 20  # bytes to read at once, or as many as are there already
_SHORTEST_RUN = 8  # below that, numpy costs more than it saves
_SPACES_FOR_CHECKSUM = 8 * 32
_ADLER_MODULUS = 65_521
_PAX_LIMIT = 1 << 20
_NUMBER = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,7}) ")
_PAX_SIZE = re.compile(r"[0-9]{1,18}")
_REMEDY = "Fetch the archive again: it is cut short or damaged."

_KIND = 156
_USTAR = b"ustar\0"
_FOLDER, _REGULAR = b"5", (b"0", b"\0")
_LONG_NAME, _PAX, _PAX_GLOBAL = b"L", b"x", b"g"
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder with data",
    b"6": "a fifo",
    b"K": "a link with a long name",
    b"S": "a sparse file",
}
# What one pax record of a single member, or of the whole archive, may not change here.
_PAX_REFUSED = ("GNU.sparse", "linkpath")
_PAX_GLOBAL_REFUSED = (*_PAX_REFUSED, "path", "size")

_OCTAL_WEIGHTS = 8 ** np.arange(10, -1, -1)

Blocks = npt.NDArray[np.uint8]
Entry = tuple[Member, memoryview]


class TarStream:
    """The members of a tar, in the archive's order.

    Attributes:
        guard: Holds the counts of what was skipped.
    """

    def __init__(self, file: IO[bytes], guard: Guard, container: str, *, gzip: bool) -> None:
        """Read from an open file.

        Args:
            file: The archive, at its first byte.
            guard: Checks each entry.
            container: Path or URL that a `Blob` names.
            gzip: Whether the tar is compressed; its members then have no blob.
        """
        self.guard = guard
        self._container = None if gzip else container
        self._file = file
        if gzip:
            self._file = igzip_threaded.open(file, "rb", threads=1, block_size=CHUNK)
        self._buffer = b""
        self._position = 0  # of the next unread byte within the buffer
        self._base = 0  # of the buffer's first byte within the stream
        self._steps: list[int] = []  # blocks from one plain header to the next, 0 if not plain
        self._first = 0  # block of the buffer that the steps begin with
        self._last_name = "(start)"
        self._long_name: str | None = None
        self._pax: dict[str, str] = {}

    def members(self) -> Iterator[Entry]:
        """Yield each regular file and its bytes.

        The view stays valid as long as it is referenced; it keeps its buffer alive, some 0.5 MB.

        Raises:
            SourceError: If the archive is damaged, cut short, or holds anything but regular
                files and folders with plain names.
        """
        while True:
            yield from self._run()
            header = self._header()
            if header is None:
                break
            entry = self._entry(header)
            if entry is not None:
                yield entry
        self._finish()

    def _run(self) -> Iterator[Entry]:
        """Take the plain headers that come next, as far as the buffer holds their data."""
        rows = self._plain_rows()
        if len(rows) < _SHORTEST_RUN or self._pax or self._long_name is not None:
            return iter(())
        heads = _blocks(self._buffer, 0, len(self._buffer) // BLOCK)[rows]
        sound = _sound(heads)
        if not sound.all():
            self._leave(rows[int(sound.argmin()) :])
            return self._run()
        sizes: list[int] = _octal(heads[:, 124:135]).tolist()
        raw = np.ascontiguousarray(heads[:, :100]).view("S100").ravel().tolist()
        names = self.guard.admit_usual(raw, sizes)
        if names is None:
            self._leave(rows)
            return iter(())
        self._position = (rows[-1] + self._steps[rows[-1] - self._first]) * BLOCK
        self._last_name = names[-1]
        return self._entries(names, sizes, rows)

    def _plain_rows(self) -> list[int]:
        """Walk from plain header to plain header; return the block numbers within the buffer."""
        row, end = self._position // BLOCK, len(self._buffer) // BLOCK
        if row == end:
            return []
        if row >= self._first + len(self._steps):
            self._first = row
            window = _blocks(self._buffer, row, min(end, row + CHUNK // BLOCK))
            self._steps = _steps(window).tolist()
        first, steps, rows = self._first, self._steps, []
        last = first + len(steps)
        while row < last and (step := steps[row - first]) and row + step <= end:
            rows.append(row)
            row += step
        return rows

    def _leave(self, rows: list[int]) -> None:
        """Leave headers for a look at each."""
        for row in rows:
            self._steps[row - self._first] = 0

    def _entries(self, names: list[str], sizes: list[int], rows: list[int]) -> Iterator[Entry]:
        view, base, container = memoryview(self._buffer), self._base, self._container
        for name, size, row in zip(names, sizes, rows, strict=True):
            start = (row + 1) * BLOCK
            blob = container and Blob(container, base + start, size, size, RAW, -1)
            yield Member(name, size, blob or None), view[start : start + size]

    def _entry(self, raw: bytes) -> Entry | None:
        """Take what one header begins; return None unless that is a member."""
        kind = raw[_KIND : _KIND + 1]
        if kind in (_LONG_NAME, _PAX, _PAX_GLOBAL):
            self._extension(kind, raw)
            return None
        name, size = self._name(raw), self._size(raw)
        self._last_name = name
        if (kind == _FOLDER or (kind in _REGULAR and name.endswith("/"))) and size == 0:
            self.guard.admit_folder(name)
            return None
        if kind not in _REGULAR:
            raise self._not_regular(name, _KINDS.get(kind, f"tar type {kind!r}"))
        plain = self.guard.admit(name, size, size)
        blob = self._blob(size)
        data = self._data(size, name)
        return None if plain is None else (Member(plain, size, blob), data)

    def _not_regular(self, name: str, found: str) -> SourceError:
        return self.guard.refuse(
            "A member is not a regular file.",
            name,
            found=found,
            expected="a regular file or a folder",
        )

    def _damaged(self, name: str, field: str, found: object, expected: object) -> SourceError:
        return self.guard.refuse(
            "A tar header is damaged.",
            name,
            field=field,
            found=found,
            expected=expected,
            remedy=_REMEDY,
        )

    def _blob(self, size: int) -> Blob | None:
        if self._container is None:
            return None
        offset = self._base + self._position
        return Blob(self._container, offset, size, size, RAW, -1)

    def _header(self) -> bytes | None:
        """Take the next header, or the two blocks of zeros that end the archive."""
        where = f"(header after {self._last_name})"
        raw = bytes(self._take(BLOCK, where))
        if raw.count(0) == BLOCK:
            if self._pax or self._long_name is not None:
                raise self._damaged(where, "type", "the end of the archive", "a file")
            if bytes(self._take(BLOCK, "(end marker)")).count(0) != BLOCK:
                raise self.guard.refuse("Data follows the end of the archive.", "(end)")
            return None
        stated = _number(raw[148:156])
        if not has_checksum(raw):
            if self._base + self._position == BLOCK:
                raise self._no_tar(raw)
            raise self._damaged(where, "checksum", "another sum", stated)
        return raw

    def _no_tar(self, raw: bytes) -> SourceError:
        return self.guard.refuse(
            "The file holds no tar.",
            "(start)",
            found=f"{raw[:8]!r}",
            expected="the header of a first member",
            remedy="Name the release's own archive or its folder.",
        )

    def _name(self, raw: bytes) -> str:
        name = self._pax.pop("path", None) or self._long_name
        self._long_name = None
        if name is not None:
            return name
        name = _text(raw[:100])
        if not raw[345]:
            return name
        if raw[257:263] != _USTAR:
            # Some readers would put what stands there in front of the name, others would not.
            raise self._damaged(name, "magic", raw[257:265], f"{_USTAR!r}, as it has a prefix")
        return f"{_text(raw[345:500])}/{name}"

    def _size(self, raw: bytes) -> int:
        size, stated = _number(raw[124:136]), self._pax.pop("size", None)
        self._pax = {}
        if size < 0:
            raise self._damaged(self._last_name, "size", raw[124:136], "an octal number")
        return size if stated is None else int(stated)

    def _extension(self, kind: bytes, raw: bytes) -> None:
        """Take a header that says more about the next one."""
        where = f"(extended header after {self._last_name})"
        self.guard.count(where)
        size = _number(raw[124:136])
        if not 0 <= size <= _PAX_LIMIT:
            raise self._damaged(where, "size", size, f"at most {_PAX_LIMIT}")
        data = bytes(self._data(size, where))
        if kind == _LONG_NAME:
            self._long_name = _text(data)
            return
        records = self._records(data, where)
        refused = _PAX_REFUSED if kind == _PAX else _PAX_GLOBAL_REFUSED
        for key in records:
            if key.startswith(refused):
                raise self._not_regular(where, f"a pax header with {key}")
        if kind == _PAX:
            self._pax = {key: records[key] for key in ("path", "size") if key in records}

    def _records(self, data: bytes, where: str) -> dict[str, str]:
        """Parse pax records: a length, a key, "=", a value and a line end each."""
        records: dict[str, str] = {}
        start = 0
        while start < len(data):
            length = _PAX_LENGTH.match(data, start)
            end = start + int(length[1]) if length else 0
            begin = length.end() if length else 0
            key, equals, value = data[begin : end - 1].partition(b"=")
            if not equals or data[end - 1 : end] != b"\n":
                raise self._damaged(where, "pax record", data[start : start + 40], "a record")
            records[_text(key)] = value.decode("utf-8", "surrogateescape")
            start = end
        if not _PAX_SIZE.fullmatch(records.get("size", "0")) or records.get("path") == "":
            raise self._damaged(where, "pax size or path", records, "a number, a name")
        return records

    def _take(self, size: int, name: str) -> memoryview:
        while len(self._buffer) - self._position < size:
            self._fill(size, name)
        start = self._position
        self._position = start + size
        return memoryview(self._buffer)[start : start + size]

    def _fill(self, size: int, name: str) -> None:
        rest = self._buffer[self._position :]
        # Piece by piece, so that a size that lies costs no more memory than what is really there.
        piece = min(size - len(rest), max(_LARGEST_PIECE, len(rest)))
        more = self._read(max(CHUNK, piece), name)
        if not more:
            raise self.guard.refuse(
                "The archive ends in the middle.",
                name,
                kind=TruncatedError,
                found=f"{len(rest)} bytes, {self._base + len(self._buffer)} in all",
                expected=f"{size} bytes",
                remedy=_REMEDY,
            )
        self._base += self._position
        self._position = 0
        self._buffer = rest + more if rest else more
        self._steps = []
        self._first = 0

    def _read(self, size: int, name: str) -> bytes:
        try:
            # Twice, because a threaded reader whose thread ends within a certain moment gives
            # nothing once although its last block is still in the queue.
            return self._file.read(size) or self._file.read(size)
        except read_errors() as error:
            raise self.guard.refuse(
                "The stream is cut short or damaged, or cannot be read.",
                name,
                kind=TruncatedError,
                field=None if self._container else "gzip",
                found=error,
                remedy=_REMEDY,
            ) from error

    def _data(self, size: int, name: str) -> memoryview:
        """Take the data and the padding behind it."""
        self.guard.bound(name, size)
        return self._take(size + -size % BLOCK, name)[:size]

    def _finish(self) -> None:
        """Read to the end, so that gzip checks its sum, and allow only zeros there."""
        rest = self._buffer[self._position :]
        while rest:
            if rest.count(0) != len(rest):
                raise self.guard.refuse("Data follows the end of the archive.", "(end)")
            rest = self._read(CHUNK, "(end)")

    def close(self) -> None:
        """Stop the inflating thread."""
        self._file.close()


def has_checksum(raw: bytes) -> bool:
    """Tell whether a block states the sum of its own bytes, as each tar header does."""
    # The low half of Adler-32 is 1 + the sum of the bytes modulo 65521: the checksum of tar
    # at a tenth of the cost of sum(). The field itself counts as eight spaces.
    total = (isal_zlib.adler32(raw) & 0xFFFF) - 1 - sum(raw[148:156]) + _SPACES_FOR_CHECKSUM
    stated = _number(raw[148:156])
    return len(raw) == BLOCK and stated > 0 and (total - stated) % _ADLER_MODULUS == 0


def _blocks(buffer: bytes, start: int, stop: int) -> Blocks:
    flat = np.frombuffer(buffer, np.uint8, (stop - start) * BLOCK, start * BLOCK)
    return flat.reshape(-1, BLOCK)


def _steps(blocks: Blocks) -> npt.NDArray[np.int64]:
    """Return for each block: how far the next header is if this is a plain one, else 0."""
    kind = blocks[:, _KIND]
    # Most blocks are data, which need no second look.
    rows = np.flatnonzero((kind == ord("0")) | (kind == 0))
    fields = blocks[rows, 124:136]
    plain = ((fields[:, :11] & 0xF8) == ord("0")).all(axis=1)
    plain &= (fields[:, 11] & ~np.uint8(ord(" "))) == 0
    steps = np.zeros(len(blocks), np.int64)
    steps[rows[plain]] = 1 + -(-_octal(fields[plain, :11]) // BLOCK)
    return steps


def _octal(digits: Blocks) -> npt.NDArray[np.int64]:
    """Return the number in each row of octal digits, at most 11."""
    numbers: npt.NDArray[np.int64] = (digits & 7) @ _OCTAL_WEIGHTS[-digits.shape[1] :]
    return numbers


def _sound(heads: Blocks) -> npt.NDArray[np.bool_]:
    """Tell of each header: has it the usual spelling of the right checksum, and no prefix?"""
    stated = _octal(heads[:, 148:154])
    spelled = ((heads[:, 148:154] & 0xF8) == ord("0")).all(axis=1)
    spelled &= (heads[:, 154:156] & ~np.uint8(ord(" "))).max(axis=1) == 0
    total = heads.sum(axis=1, dtype=np.uint32) - heads[:, 148:156].sum(axis=1, dtype=np.uint32)
    sound: npt.NDArray[np.bool_] = spelled & (heads[:, 345] == 0)
    sound &= stated == total + _SPACES_FOR_CHECKSUM
    return sound


def _text(raw: bytes) -> str:
    """Decode a field up to the zeros that fill it; a zero within the text stays, to be refused."""
    return raw.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _number(raw: bytes) -> int:
    """Return the number of a header's field, or -1 if it is none or negative."""
    if raw[:1] >= b"\x80":  # GNU: binary, for sizes of 8 GiB and more
        value = int.from_bytes(raw, "big") - (0x80 << 8 * (len(raw) - 1))
        return -1 if raw[0] & 0x40 else value
    digits = _NUMBER.fullmatch(raw)
    return int(digits[1] or b"0", 8) if digits else -1
