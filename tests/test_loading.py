import gc
import shutil
import warnings
from pathlib import Path
from typing import Any

import datasets
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.exceptions import NonMatchingSplitsSizesError

import rawshelf
from rawshelf import cache, catalog
from rawshelf.errors import MissingError, UsageError
from rawshelf.features import features_json
from rawshelf.miniature import pack_tar
from rawshelf.shards import read_batches, read_groups
from rawshelf.spair71k import miniature
from tests.conftest import Conversion
from tests.fakes.spair71k import DEFECTS
from tests.loading import CONFIGS, converted, plain, run

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
