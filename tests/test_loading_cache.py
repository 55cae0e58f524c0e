import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest

import rawshelf
from rawshelf import cache, code, loading, registry
from rawshelf.convert import Options, convert
from rawshelf.miniature import pack_folder, pack_tar
from rawshelf.spair71k import miniature
from tests.conftest import Conversion
from tests.loading import plain, run


@pytest.mark.fault(30)
def test_a_release_changed_at_its_path_is_not_served_stale(tmp_path: Path) -> None:
    """Equal size, other time: the cache of the old one is not taken."""
    raw = pack_folder(miniature.members(), tmp_path / "raw")
    changed = raw / "ImageAnnotation/cat" / min(os.listdir(raw / "ImageAnnotation/cat"))

    def hosts() -> set[str]:
        loaded = rawshelf.load(
            "spair71k", "images", data_dir=str(raw), cache_dir=str(tmp_path / "cache")
        )
        return {host for split in loaded for host in loaded[split]["voc_image"]}

    assert {"flickr"} == hosts()

    text = changed.read_text()
    changed.write_text(text.replace("flickr", "FLICKR"))

    assert len(text) == changed.stat().st_size
    assert {"flickr", "FLICKR"} == hosts()


def test_a_conversion_replaced_at_its_path_is_not_served_stale(tmp_path: Path) -> None:
    """Equal counts and sizes of files, one other pixel: `datasets` does not take its cache."""
    members = dict(miniature.members(categories=("cat",)))
    photo = next(name for name in members if name.endswith(".jpg"))
    out = tmp_path / "out"

    def photos() -> list[bytes]:
        raw = pack_tar(members.items(), tmp_path / "raw.tar.gz")
        convert("spair71k", str(raw), str(out), Options(("images",), overwrite=True))
        loaded = datasets.load_dataset(str(out), "images", cache_dir=str(tmp_path / "cache"))
        return [row["image"]["bytes"] for split in loaded.values() for row in plain(split)]

    assert members[photo] in photos()

    data = members[photo]
    members[photo] = data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]

    assert members[photo] in photos()


@pytest.mark.fault(30)
def test_an_archive_changed_at_its_path_is_not_served_stale(
    miniature_tar: Path, tmp_path: Path
) -> None:
    """The cache key of an archive has its time."""
    raw = tmp_path / "raw.tar.gz"
    raw.write_bytes(miniature_tar.read_bytes())
    before = cache.source_key(str(raw))
    os.utime(raw, ns=(1, 1))

    assert before != cache.source_key(str(raw))


@pytest.mark.fault(39)
def test_other_code_is_not_served_from_the_cache(
    conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caches of `datasets` and plans both depend on rawshelf's own code."""

    def folders() -> set[str]:
        rawshelf.load(
            "spair71k",
            "pairs",
            data_dir=str(conversion.raw),
            split="test",
            cache_dir=str(tmp_path),
        )
        arrow = {str(path.parent) for path in tmp_path.rglob("*.arrow")}
        return {folder for folder in arrow if "downloads" not in folder}

    before = folders()
    for module in (cache, loading, registry):
        monkeypatch.setattr(module, "code_fingerprint", lambda: "0" * 32)

    assert 2 == len(before)
    assert 4 == len(folders())


def test_the_fingerprint_follows_code_and_tables(tmp_path: Path) -> None:
    """A changed line in any module or table of the package changes the hash."""
    package = Path(str(importlib.util.find_spec("rawshelf").submodule_search_locations[0]))  # type: ignore[union-attr, index]
    ignored = shutil.ignore_patterns("__pycache__", "hub_cards")
    copied = Path(shutil.copytree(package, tmp_path / "rawshelf", ignore=ignored))

    def fingerprint() -> Any:
        program = (
            f"import sys, json; sys.path.insert(0, {str(tmp_path)!r});"
            " from rawshelf.code import code_fingerprint; print(json.dumps(code_fingerprint()))"
        )
        return run(program)[0]

    before = fingerprint()
    with (copied / "spair71k" / "law.py").open("a") as file:
        file.write("\n")

    assert before == code.code_fingerprint()
    assert before != fingerprint()


def test_a_cached_plan_is_durable_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a crash of the machine leaves, it is no plan that later loads take for whole."""
    flushed: set[str] = set()

    def flush(path: str) -> None:
        assert not list(tmp_path.rglob(cache._DONE))
        flushed.add(Path(path).name)

    monkeypatch.setattr(cache, "flush", flush)
    raw = pack_tar(miniature.members(), tmp_path / "raw.tar.gz")
    rawshelf.load("spair71k", "images", data_dir=str(raw), cache_dir=str(tmp_path / "cache"))

    assert {"spool", "images-test-00000.arrow", "images-test-00000-blobs.arrow"} <= flushed
