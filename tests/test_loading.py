import gc
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import datasets
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import packaged_modules
from datasets.exceptions import NonMatchingSplitsSizesError

import rawshelf
from rawshelf import cache, catalog, code, loading, registry
from rawshelf.convert import Options, convert
from rawshelf.errors import MissingError, UsageError
from rawshelf.features import features_json
from rawshelf.miniature import pack_folder, pack_tar
from rawshelf.shards import read_batches, read_groups
from rawshelf.spair71k import miniature
from tests.conftest import Conversion
from tests.fakes.spair71k import DEFECTS

CONFIGS = ("pairs", "images", "pairs_flat")
COUNTS = {
    "pairs": {"train": 106, "validation": 36, "test": 36},
    "images": {"train": 54, "validation": 36, "test": 36},
    "pairs_flat": {"train": 106, "validation": 36, "test": 36},
}

# Loads a conversion where rawshelf cannot be imported, and prints what it got.
WITHOUT_RAWSHELF = """
import json, logging, sys, warnings
warnings.simplefilter("error")
sys.modules["rawshelf"] = None
import datasets
out, config = sys.argv[1:]
config = config or None
mapped = datasets.load_dataset(out, config)
streamed = datasets.load_dataset(out, config, split="test", streaming=True)
print(json.dumps({
    "features": repr(mapped["test"].features) == repr(streamed.features),
    "rows": {split: len(mapped[split]) for split in mapped},
    "streamed": sum(1 for _ in streamed),
    "columns": mapped["test"].column_names,
    "first": mapped["test"][0]["file_name"],
    "name": mapped["test"].info.config_name,
}))
"""

BY_NAME = """
import json, sys
if sys.argv[1] == "rawshelf":
    import rawshelf, datasets
else:
    import datasets, rawshelf
table = datasets.load_dataset("rawshelf_spair71k", "pairs", data_files=sys.argv[2], split="test")
print(json.dumps([row["name"] for row in table]))
"""


def run(code_text: str, *arguments: str) -> tuple[Any, str]:
    done = subprocess.run(
        [sys.executable, "-c", code_text, *arguments], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def converted(conversion: Conversion, config: str, split: str = "test") -> datasets.Dataset:
    return datasets.load_dataset(str(conversion.out), config, split=split)


def plain(dataset: Any) -> list[dict[str, Any]]:
    """Return all rows with images as bytes."""
    for name, feature in list(dataset.features.items()):
        if isinstance(feature, datasets.Image):
            dataset = dataset.cast_column(name, datasets.Image(decode=False))
    return list(dataset)


@pytest.mark.parametrize("config", [*CONFIGS, ""])
def test_a_conversion_loads_without_rawshelf(config: str, conversion: Conversion) -> None:
    """Map-style and streaming, every config and the default, with no warning from anything."""
    loaded, noise = run(WITHOUT_RAWSHELF, str(conversion.out), config)

    expected = config or "pairs"
    assert COUNTS[expected] == loaded["rows"]
    assert COUNTS[expected]["test"] == loaded["streamed"]
    assert [c.name for c in catalog.find("spair71k").config(expected).columns] == loaded["columns"]
    assert loaded["features"]
    assert expected == loaded["name"]
    assert "arning" not in noise
    assert "batch_size" not in noise


@pytest.mark.parametrize("config", CONFIGS)
def test_features_are_those_of_the_code(config: str, conversion: Conversion) -> None:
    """Card, Parquet metadata and code say the same, lengths of lists included."""
    columns = catalog.find("spair71k").config(config).columns
    expected = datasets.Features.from_dict(features_json(columns))
    file = str(next((conversion.out / "data" / config).glob("test-*")))
    bare = datasets.load_dataset("parquet", data_files=file, split="train")

    assert expected == converted(conversion, config).features
    assert expected == bare.features
    if config != "images":
        assert 4 == expected["src_bbox"].length


def test_counts_of_the_card_are_verified(conversion: Conversion, tmp_path: Path) -> None:
    """A shard that is replaced by a shorter one is noticed when the dataset is loaded."""
    out = Path(shutil.copytree(conversion.out, tmp_path / "out"))
    folder = out / "data/pairs"
    shutil.copy(folder / "test-00000-of-00001.parquet", folder / "train-00000-of-00001.parquet")

    with pytest.raises(NonMatchingSplitsSizesError):
        datasets.load_dataset(str(out), "pairs", cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("config", CONFIGS)
def test_builders_and_converter_give_equal_tables(
    config: str, conversion: Conversion, tmp_path: Path
) -> None:
    """Both read through the same code: row groups as batches equal the published file."""
    dataset = catalog.find("spair71k")
    order = catalog.wanted_order(dataset, "")
    tasks = cache.cached_plan(
        dataset, str(conversion.raw), config, str(tmp_path), allow_missing=0, order=order
    )
    for task in tasks:
        expected = pq.read_table(conversion.out / task.path)
        batches = list(read_batches(task))
        assert expected.equals(pa.concat_tables(batches))
        assert len(expected) == sum(len(group) for group, _ in read_groups(task))
        limit = dataset.config(config).batch_rows or 10_000
        assert max(len(batch) for batch in batches) <= limit


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("streaming", [False, True])
def test_load_gives_the_rows_of_the_conversion(
    config: str, streaming: bool, conversion: Conversion, tmp_path: Path
) -> None:
    """From the raw release, map-style and streaming."""
    actual = rawshelf.load(
        "spair71k",
        config,
        data_dir=str(conversion.raw),
        split="test",
        streaming=streaming,
        cache_dir=str(tmp_path),
    )

    expected = converted(conversion, config)
    assert expected.features == actual.features
    assert plain(expected) == plain(actual)


def test_load_gives_all_splits_of_the_first_config(conversion: Conversion, tmp_path: Path) -> None:
    """Without names it loads what the card's default is."""
    actual = rawshelf.load("spair71k", data_dir=str(conversion.raw), cache_dir=str(tmp_path))

    assert COUNTS["pairs"] == {split: len(actual[split]) for split in actual}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_load_with_processes_gives_the_same_rows(conversion: Conversion, tmp_path: Path) -> None:
    """num_proc writes the cache in several processes; `datasets` forks them."""
    program = (
        "import sys, json, rawshelf; d = rawshelf.load('spair71k', 'images', split='train',"
        " data_dir=sys.argv[1], cache_dir=sys.argv[2], num_proc=2); print(json.dumps(d['name']))"
    ).replace("d['name']", "list(d['name'])")
    names, _ = run(program, str(conversion.raw), str(tmp_path))

    assert list(converted(conversion, "images", "train")["name"]) == names


@pytest.mark.parametrize("name", ["raw.tar.gz", "raw.tar"])
@pytest.mark.parametrize("streaming", [False, True])
def test_load_reads_urls(
    name: str, streaming: bool, conversion: Conversion, tmp_path: Path
) -> None:
    """A release behind an fsspec URL is read as a local one."""
    raw = pack_tar(miniature.members(), tmp_path / name, gzip=name.endswith("gz"))
    url = f"memory://{tmp_path.name}/{name}"
    with fsspec.open(url, "wb") as file:
        file.write(raw.read_bytes())

    actual = rawshelf.load(
        "spair71k",
        "images",
        data_dir=url,
        split="test",
        streaming=streaming,
        cache_dir=str(tmp_path),
    )

    assert plain(converted(conversion, "images")) == plain(actual)


def test_load_reads_a_folder_behind_a_url(conversion: Conversion, tmp_path: Path) -> None:
    """An unpacked release may be remote too."""
    root = f"memory://{tmp_path.name}/raw"
    for name, data in miniature.members():
        with fsspec.open(f"{root}/{name}", "wb") as file:
            file.write(data)

    actual = rawshelf.load(
        "spair71k", "images", data_dir=root, split="test", cache_dir=str(tmp_path)
    )

    assert plain(converted(conversion, "images")) == plain(actual)


@pytest.mark.parametrize("first", ["rawshelf", "datasets"])
def test_names_are_registered_in_either_order_of_imports(
    first: str, conversion: Conversion
) -> None:
    """load_dataset finds the raw release by name after both are imported."""
    names, noise = run(BY_NAME, first, str(conversion.raw))

    assert list(converted(conversion, "pairs")["name"]) == names
    assert "arning" not in noise


@pytest.mark.parametrize("config", CONFIGS)
def test_load_dataset_reads_an_archive_by_name(
    config: str, conversion: Conversion, tmp_path: Path
) -> None:
    """data_files names the archive."""
    actual = datasets.load_dataset(
        "rawshelf_spair71k",
        config,
        data_files=str(conversion.raw),
        split="test",
        cache_dir=str(tmp_path),
    )

    assert plain(converted(conversion, config)) == plain(actual)


@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset_reads_a_folder_by_name(
    streaming: bool, conversion: Conversion, miniature_folder: Path, tmp_path: Path
) -> None:
    """data_dir names the unpacked release."""
    actual = datasets.load_dataset(
        "rawshelf_spair71k",
        "images",
        data_dir=str(miniature_folder),
        split="test",
        streaming=streaming,
        cache_dir=str(tmp_path),
    )

    assert plain(converted(conversion, "images")) == plain(actual)


def test_public_names_are_not_hidden_by_modules() -> None:
    """Importing every module leaves the package's public names what they are."""
    hidden, _ = run(
        "import json, types, rawshelf, rawshelf.cli, rawshelf.loading, rawshelf.views;"
        " print(json.dumps([name for name in rawshelf.__all__ if"
        " isinstance(getattr(rawshelf, name), types.ModuleType)]))"
    )

    assert [] == hidden
    assert rawshelf.__all__ == dir(rawshelf)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rawshelf.nothing  # noqa: B018 - the access is the test


def test_importing_rawshelf_does_not_import_datasets() -> None:
    """The command line starts without the seconds that `datasets` takes."""
    loaded, _ = run("import rawshelf.cli, sys, json; print(json.dumps('datasets' in sys.modules))")

    assert loaded is False


def test_a_future_version_without_the_table_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registration is a convenience; without it the rest works."""
    monkeypatch.delattr(packaged_modules, "_PACKAGED_DATASETS_MODULES")

    registry.register()


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


@pytest.mark.parametrize("arguments", [{}, {"data_files": ["a.tar", "b.tar"]}])
def test_a_builder_without_a_release_tells_where_it_is(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    """The message names what to pass and the publisher's URL."""
    for name in arguments.get("data_files", ()):
        (tmp_path / name).write_bytes(b"")
    files = [str(tmp_path / name) for name in arguments.get("data_files", ())]
    builder = datasets.load_dataset_builder(
        "rawshelf_spair71k", "pairs", cache_dir=str(tmp_path), data_files=files or None
    )

    # datasets 3 has an error of its own, with our instructions in it.
    own = getattr(datasets.builder, "ManualDownloadError", UsageError)
    with pytest.raises((UsageError, own)) as caught:
        builder.download_and_prepare()

    assert "cvlab.postech.ac.kr" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "near"), [(("spair71",), "spair71k"), (("spair71k", "pair"), "pairs")]
)
def test_load_offers_a_near_match(arguments: tuple[str, ...], near: str) -> None:
    """Misspelt names are told with what was meant."""
    with pytest.raises(UsageError, match=f"Did you mean {near}"):
        rawshelf.load(*arguments, data_dir="nowhere")


def test_missing_files_are_refused_unless_allowed(tmp_path: Path) -> None:
    """allow_missing reaches the plan."""
    raw = pack_tar(DEFECTS["missing_layout"](miniature.members()), tmp_path / "raw.tar.gz")
    arguments: dict[str, Any] = {"data_dir": str(raw), "cache_dir": str(tmp_path), "split": "test"}

    with pytest.raises(MissingError):
        rawshelf.load("spair71k", "pairs", **arguments)

    assert 36 == len(rawshelf.load("spair71k", "pairs", allow_missing=100, **arguments))


def test_nothing_stays_open(conversion: Conversion, tmp_path: Path) -> None:
    """Reading a release leaves no file open."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        stream = rawshelf.load(
            "spair71k",
            "images",
            data_dir=str(conversion.raw),
            split="test",
            streaming=True,
            cache_dir=str(tmp_path),
        )
        next(iter(stream))
        gc.collect()

    assert [] == [str(warning.message) for warning in caught]
