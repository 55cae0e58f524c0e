from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import packaged_modules

from rawshelf import registry
from rawshelf.errors import UsageError
from tests.conftest import Conversion
from tests.loading import CONFIGS, converted, plain, run

BY_NAME = """
import json, sys
if sys.argv[1] == "rawshelf":
    import rawshelf, datasets
else:
    import datasets, rawshelf
table = datasets.load_dataset("rawshelf_spair71k", "pairs", data_files=sys.argv[2], split="test")
print(json.dumps([row["name"] for row in table]))
"""


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


def test_a_future_version_without_the_table_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registration is a convenience; without it the rest works."""
    monkeypatch.delattr(packaged_modules, "_PACKAGED_DATASETS_MODULES")

    registry.register()


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
