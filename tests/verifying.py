"""Verifying miniature releases: what a planted error adds to what contradicts anyway.

A miniature holds fewer files than a release claims, so that counts contradict in any case.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from rawshelf.claims import Check, Verdict
from rawshelf.miniature import Members
from rawshelf.verification import Verification, verify_release

Place = tuple[str, str]
Pack = Callable[[Members, Path], Path]

_ZIP_NAME, _ZIP_EXTRA, _ZIP_HEADER = 26, 28, 30  # offsets in a local header, and its length


def contradictions(found: Verification) -> set[Check]:
    """Return the checks that contradict."""
    return {check for check in found.checks if check.verdict is Verdict.CONTRADICTS}


def places(checks: set[Check]) -> set[Place]:
    """Return the files and fields that checks name."""
    return {(check.member, check.field) for check in checks if check.member}


class Sound:
    """A miniature release without an error, verified once."""

    def __init__(self, name: str, members: dict[str, bytes], pack: Pack, folder: Path) -> None:
        """Verify it.

        Args:
            name: Name of the dataset.
            members: The release.
            pack: Packs members.
            folder: For archives.
        """
        self.name, self.members = name, members
        self._pack, self.folder = pack, folder
        self.found = verify_release(name, str(pack(members.items(), folder / "sound")), deep=True)

    def planted(self, members: Members, *, deep: bool = False) -> set[Check]:
        """Return what contradicts in these members and does not in the sound release."""
        raw = self._pack(members, self.folder / "planted")
        return self.added(verify_release(self.name, str(raw), deep=deep))

    def added(self, found: Verification) -> set[Check]:
        """Return what contradicts and does not in the sound release."""
        return contradictions(found) - contradictions(self.found)


def flip_in_zip(path: Path, name: str) -> None:
    """Flip a bit in the middle of what a zip holds of a member."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(name)
    data = bytearray(path.read_bytes())
    at = entry.header_offset
    lengths = (int.from_bytes(data[at + o : at + o + 2], "little") for o in (_ZIP_NAME, _ZIP_EXTRA))
    data[at + _ZIP_HEADER + sum(lengths) + entry.compress_size // 2] ^= 4
    path.write_bytes(data)
