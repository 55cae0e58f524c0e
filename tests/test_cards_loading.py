"""What `datasets` makes of a repository with its card, on every version."""

import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from datasets.exceptions import ExpectedMoreSplitsError
from datasets.utils.info_utils import NonMatchingSplitsSizesError

from rawshelf import catalog
from rawshelf.features import features_json
from tests.repositories import CONFIGS, front_matter


def write_card(out: Path, matter: dict[str, Any]) -> None:
    # In its order: `datasets` reads the first key of a feature as its kind.
    text = yaml.safe_dump(matter, sort_keys=False)
    (out / "README.md").write_text(f"---\n{text}---\n", encoding="utf-8")


@pytest.mark.parametrize(("name", "config"), CONFIGS)
@pytest.mark.parametrize("streaming", [False, True])
def test_every_config_has_its_features(
    name: str, config: str, streaming: bool, repositories: dict[str, Path], tmp_path: Path
) -> None:
    """Also where the card leaves them to the Parquet files, map-style and streaming."""
    columns = catalog.find(name).config(config).columns
    expected = datasets.Features.from_dict(features_json(columns))

    found = datasets.load_dataset(
        str(repositories[name]), config, streaming=streaming, cache_dir=str(tmp_path)
    )

    assert len(found)
    for rows in found.values():
        assert expected == rows.features
        assert set(expected) == set(next(iter(rows)))


@pytest.mark.parametrize(
    ("name", "config"),
    [("spair71k", "images"), ("partimagenet", "seg"), ("partimagenet", "ood_annotations")],
)
def test_the_cards_counts_are_verified_on_loading(
    name: str, config: str, repositories: dict[str, Path], tmp_path: Path
) -> None:
    """A card with another count is refused, with or without features in it."""
    out = Path(shutil.copytree(repositories[name], tmp_path / "out"))
    matter = front_matter(out)
    [info] = [info for info in matter["dataset_info"] if info["config_name"] == config]
    info["splits"][0]["num_examples"] += 1
    (out / "README.md").write_text(
        f"---\n{yaml.safe_dump(matter, sort_keys=False)}---\n", encoding="utf-8"
    )

    with pytest.raises(NonMatchingSplitsSizesError):
        datasets.load_dataset(str(out), config, cache_dir=str(tmp_path / "cache"))


def test_a_missing_split_is_noticed_on_loading(
    repositories: dict[str, Path], tmp_path: Path
) -> None:
    """A card whose patterns leave a stated split out is refused."""
    out = Path(shutil.copytree(repositories["partimagenet"], tmp_path / "out"))
    matter = front_matter(out)
    [config] = [each for each in matter["configs"] if each["config_name"] == "ood_annotations"]
    config["data_files"].pop()
    (out / "README.md").write_text(
        f"---\n{yaml.safe_dump(matter, sort_keys=False)}---\n", encoding="utf-8"
    )

    with pytest.raises(ExpectedMoreSplitsError):
        datasets.load_dataset(str(out), "ood_annotations", cache_dir=str(tmp_path / "cache"))
