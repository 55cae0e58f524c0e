"""The output folder: what stands where, who may write, and when it becomes visible.

While a conversion runs, everything is below ``.rawshelf/`` in the output: finished shards, their
records, planned tables and temporary files. Only when all shards are finished do they move to
``data/``; the manifest and the card come last. A killed run leaves the finished shards there, and
the same command takes them up again.

What replaces another conversion first takes that one's card away, then its manifest: no card and
no manifest ever describes files that are not there.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rawshelf.errors import OutputError
from rawshelf.files import TEMPORARY, file_sha256, flush, publish
from rawshelf.locks import locked
from rawshelf.manifests import ASSETS, MANIFEST, assets_of, parse_manifest, shards_of, unreadable
from rawshelf.plan import Plan
from rawshelf.records import ShardRecord

WORK = ".rawshelf"
CARD = "README.md"
DATA = "data"

_REPLACED = "replaced.json"
_REMEDY_FOREIGN = "Choose a new folder. rawshelf never deletes what it did not write."
_REMEDY_OTHER = (
    "Choose a new folder, or pass --overwrite to replace that conversion once this one is complete."
)


class Output:
    """One output folder.

    Attributes:
        root: The folder.
        work: Where everything unfinished stands.
        staged: Folder below which shards are written.
        key: What this run depends on.
        plan: Folder of this run's planned tables; there is none before `prepare`. Tasks run as long
            as it exists, wherever their tables are.
    """

    def __init__(self, root: str, key: str) -> None:
        """Name the places; nothing is touched yet.

        Args:
            root: The output folder; it need not exist.
            key: What this run depends on: the state of the input (its files' times, for one), code
                and options. Shards of another key are never taken up.
        """
        self.root = Path(os.path.abspath(root))
        self.work = self.root / WORK
        self.staged = self.work / "shards" / key
        self.plan = self.work
        self._all_records = self.work / "records"
        self._records = self._all_records / key
        self._shared_plans = self.work / "shared"
        self.key = key

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the folder alone, creating it if need be; a second conversion waits.

        At the end nothing of ours is left but the output itself, or the finished shards of an
        interrupted run.

        Raises:
            OutputError: If the folder holds files that rawshelf did not write.
            OSError: If it cannot be written.
        """
        self._refuse_no_folder()
        existed = self.root.exists()
        with locked(self.work / "lock"):
            try:
                self._refuse_foreign()
                yield
            finally:
                self.withdraw()
                if not self.unfinished:
                    self._remove_work()
                    if not existed:
                        with suppress(OSError):
                            self.root.rmdir()  # fails where something was published

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Hold the folder together with others that join; who wants it alone waits.

        Raises:
            OSError: If it cannot be written.
        """
        self._refuse_no_folder()
        with locked(self.work / "lock", alone=False):
            try:
                yield
            finally:
                self.withdraw()

    def _remove_work(self) -> None:
        """Remove the working folder, the lock last: while it stands, nobody else is in here."""
        for path in self.work.iterdir():
            if path.is_dir():
                _discard(path)
            elif path.name != "lock":
                path.unlink(missing_ok=True)
        (self.work / "lock").unlink(missing_ok=True)
        with suppress(OSError):
            self.work.rmdir()  # fails where another conversion has come in

    def _refuse_no_folder(self) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise OutputError(
                "The output is not a folder.",
                archive=str(self.root),
                found="a file",
                expected="a folder, new or empty",
                remedy=_REMEDY_FOREIGN,
            )

    def _refuse_foreign(self) -> None:
        known = self._known()
        foreign = [path for path in self._files(self.root / DATA) if path not in known]
        if not (self.root / MANIFEST).exists():
            # Without a manifest there was no publication: even a card is somebody else's.
            top = {path.name for path in self.root.iterdir() if path.name[0] != "."}
            assets = {path.split("/")[1] for path in self.known_assets()}
            held = {path.name for path in (self.root / ASSETS).glob("*")}
            foreign += top - {DATA} - ({ASSETS} if held <= assets else set())
        if foreign:
            raise OutputError(
                "The output holds files that rawshelf did not write.",
                archive=str(self.root),
                found=", ".join(sorted(foreign)[:10]),
                expected="a folder, new or empty",
                remedy=_REMEDY_FOREIGN,
            )

    def _files(self, folder: Path) -> list[str]:
        found = [path for path in folder.rglob("*") if path.name[0] != "." and not path.is_dir()]
        return [_relative(path, self.root) for path in found]

    def _known(self) -> set[str]:
        """Return the paths of all shards that rawshelf put, or may have put, below data/."""
        manifests = (self.manifest(), self._read_manifest(self.work / _REPLACED))
        known = {record.path for found in manifests if found for record in self.records_of(found)}
        for folder in self._all_records.glob("*"):
            known |= {_relative(path.with_suffix(""), folder) for path in folder.rglob("*.json")}
        return known

    def known_assets(self) -> set[str]:
        """Return the paths of all pictures that rawshelf put below assets/."""
        manifests = (self.manifest(), self._read_manifest(self.work / _REPLACED))
        return {path for found in manifests if found for path in assets_of(found, str(self.root))}

    def with_assets(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Return a manifest with the pictures of the one that stands here.

        Only if that is of the same conversion: its pictures show what is there still, also where
        configs were added.
        """
        found = self.manifest()
        if found is None or found.get("key") != manifest["key"] or "assets" not in found:
            return manifest
        return {**manifest, "assets": found["assets"]}

    def prepare(self, *, keep: Path | None = None) -> None:
        """Make room for this run; sweep what an interrupted one left and this one cannot use.

        Args:
            keep: A plan that this run uses.
        """
        stale = (*self.work.glob("plan-*"), *self.work.glob("shards/*"), *self.work.glob("parts/*"))
        # Another run may have come here by another name of this folder.
        used = [os.path.realpath(path) for path in (self.staged, self.parts, keep) if path]
        for path in stale:
            if os.path.realpath(path) not in used:
                _discard(path)
        for path in self.work.rglob(f"*{TEMPORARY}"):
            path.unlink(missing_ok=True)
        self.take_part()

    def take_part(self) -> None:
        """Make room for a run beside others: where locks do not work they may be in here now."""
        self.staged.mkdir(parents=True, exist_ok=True)
        # A name of its own: tasks of a dead run, on whatever host, must not find this one's plan.
        self.plan = Path(tempfile.mkdtemp(prefix="plan-", dir=self.work))

    def withdraw(self) -> None:
        """Remove this run's plan; tasks that are still running stop at their next row group."""
        if self.plan != self.work:
            _discard(self.plan)
            self.plan = self.work

    def share(self, name: str, plan: Plan) -> None:
        """Leave this run's plan to others, complete and flushed, until all is published.

        Where locks do not work, two may do so: the later is found from then on, and whoever uses
        the earlier goes on with it. Both give the same shards.

        Args:
            name: Tells plans for this key apart.
            plan: The plan.
        """
        for path in (*self.plan.iterdir(), self.plan):
            flush(str(path))
        place = self._shared_plan(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        self._write_text(place, json.dumps(plan.to_json()))
        self.plan = self.work

    def shared(self, name: str) -> Plan | None:
        """Return a plan that was left to others, if it is there."""
        place = self._shared_plan(name)
        if not place.exists():
            return None
        found = Plan.from_json(json.loads(place.read_text(encoding="utf-8")))
        return found if os.path.isdir(found.folder) else None

    def _shared_plan(self, name: str) -> Path:
        return self._shared_plans / self.key / f"{name}.json"

    @property
    def parts(self) -> str:
        """Folder for work that must be done before tables can be planned; survives a kill."""
        return str(self.work / "parts" / self.key)

    @property
    def unfinished(self) -> bool:
        """Whether an interrupted run left something to take up, or to tidy up."""
        left = (self._all_records, self._shared_plans, Path(self.parts), self.work / _REPLACED)
        return any(path.exists() for path in left)

    def manifest(self) -> dict[str, Any] | None:
        """Return the manifest of the conversion that stands here, or None.

        Raises:
            OutputError: If it is not one that this version reads.
        """
        return self._read_manifest(self.root / MANIFEST)

    def _read_manifest(self, path: Path) -> dict[str, Any] | None:
        return parse_manifest(path.read_bytes(), str(self.root)) if path.exists() else None

    def records_of(self, manifest: dict[str, Any]) -> list[ShardRecord]:
        """Return the shards that a manifest names, see `shards_of`."""
        return shards_of(manifest, str(self.root))

    def unreadable(self, found: str) -> OutputError:
        """Build the error for a manifest that is of another version, or no manifest."""
        return unreadable(found, str(self.root))

    def refuse_other(self, found: str, expected: str) -> OutputError:
        """Build the error for an output that holds another conversion."""
        return OutputError(
            "The output holds another conversion.",
            archive=str(self.root),
            member=MANIFEST,
            found=found,
            expected=expected,
            remedy=_REMEDY_OTHER,
        )

    def record(self, record: ShardRecord) -> None:
        """Remember a finished shard."""
        path = self._record_path(record.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write_text(path, json.dumps(record.to_json()))

    def recorded(self, path: str) -> ShardRecord | None:
        """Return the record of a shard that an interrupted or another run finished."""
        place = self._record_path(path)
        if not place.exists():
            return None
        return ShardRecord.from_json(json.loads(place.read_text(encoding="utf-8")))

    def intact(self, record: ShardRecord) -> bool:
        """Tell whether a shard stands here and is what its record says."""
        return any(_is_shard(folder / record.path, record) for folder in (self.staged, self.root))

    def _record_path(self, shard: str) -> Path:
        return self._records / f"{shard}.json"

    def publish(self, records: list[ShardRecord], manifest: dict[str, Any], card: str) -> None:
        """Move all shards to their places, then write the manifest, then the card."""
        kept = {record.path for record in records}
        found = self.manifest()
        if found is not None and found.get("key") != manifest["key"]:
            (self.root / CARD).unlink(missing_ok=True)
            # Kept until the end: it tells which shards below data/ are ours to remove.
            os.replace(self.root / MANIFEST, self.work / _REPLACED)
            flush(str(self.root))
        shown = set(assets_of(manifest, str(self.root)))
        self.remove((self._known() - kept) | (self.known_assets() - shown))
        self._move(records)
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        self._write_text(self.root / MANIFEST, f"{text}\n")
        self._write_text(self.root / CARD, card)
        for folder in (self._all_records, self._shared_plans, Path(self.parts)):
            shutil.rmtree(folder, ignore_errors=True)
        (self.work / _REPLACED).unlink(missing_ok=True)

    def remove(self, paths: set[str]) -> None:
        """Remove files of ours, and their folders where nothing else is in them."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)
            with suppress(OSError):
                (self.root / path).parent.rmdir()  # fails while it holds other files

    def _move(self, records: list[ShardRecord]) -> None:
        folders = {self.root / DATA}
        for record in records:
            staged, final = self.staged / record.path, self.root / record.path
            if staged.exists():
                final.parent.mkdir(parents=True, exist_ok=True)
                os.replace(staged, final)
            folders.add(final.parent)
        for folder in (*sorted(folders, reverse=True), self.root):
            flush(str(folder))

    def _write_text(self, path: Path, text: str) -> None:
        self.write(path, text.encode("utf-8"))

    def write(self, path: Path, content: bytes) -> None:
        """Write a small file, whole or not at all; nothing temporary shows outside of the work."""
        with publish(str(path), within=str(self.work)) as temporary:
            Path(temporary).write_bytes(content)


def _discard(folder: Path) -> None:
    """Remove a folder; whoever still uses a plan finds all of it gone at once, not file by file."""
    if folder.name.startswith("plan-"):
        with suppress(OSError):
            folder = folder.rename(f"{folder}-gone")
    shutil.rmtree(folder, ignore_errors=True)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _is_shard(path: Path, record: ShardRecord) -> bool:
    if not path.is_file() or path.stat().st_size != record.bytes:
        return False
    return file_sha256(str(path)) == (record.sha256, record.bytes)
