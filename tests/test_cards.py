from dataclasses import replace
from fnmatch import fnmatch
from typing import Any

import datasets
import pytest
import yaml
from huggingface_hub import DatasetCard

from rawshelf import cards, catalog
from rawshelf.errors import UsageError
from rawshelf.features import features_json
from tests.conftest import Conversion


@pytest.fixture(scope="module")
def card(conversion: Conversion) -> str:
    return (conversion.out / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def matter(card: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return found


def test_the_hub_client_parses_the_card(card: str, matter: dict[str, Any]) -> None:
    """Its front matter is what the Hub reads."""
    assert matter == yaml.safe_load(str(DatasetCard(card).data))


def test_every_pattern_matches_its_files_and_no_other(
    conversion: Conversion, matter: dict[str, Any]
) -> None:
    """A pattern that matches nothing gives an empty split without an error."""
    expected = {
        (record.config, record.split): {record.path} for record in conversion.result.records
    }
    paths = [path.relative_to(conversion.out).as_posix() for path in conversion.out.rglob("*.*")]
    actual = {
        (config["config_name"], file["split"]): {p for p in paths if fnmatch(p, file["path"])}
        for config in matter["configs"]
        for file in config["data_files"]
    }

    assert expected == actual


def test_exactly_one_config_is_the_default(matter: dict[str, Any]) -> None:
    """It is the dataset's first."""
    defaults = [c["config_name"] for c in matter["configs"] if c.get("default")]

    assert ["pairs"] == defaults


@pytest.mark.parametrize("config", ["pairs", "images", "pairs_flat"])
def test_features_of_the_card_round_trip(config: str, matter: dict[str, Any]) -> None:
    """What `datasets` reads from the card is what the code says."""
    (info,) = [info for info in matter["dataset_info"] if info["config_name"] == config]
    columns = catalog.find("spair71k").config(config).columns

    actual = datasets.Features._from_yaml_list(info["features"])

    assert datasets.Features.from_dict(features_json(columns)) == actual


def test_counts_and_sizes_are_measured(conversion: Conversion, matter: dict[str, Any]) -> None:
    """Rows and bytes of every split are those of the files."""
    for info in matter["dataset_info"]:
        records = [r for r in conversion.result.records if r.config == info["config_name"]]
        assert [(r.split, r.rows, r.bytes) for r in records] == [
            (s["name"], s["num_examples"], s["num_bytes"]) for s in info["splits"]
        ]
        assert sum(record.bytes for record in records) == info["download_size"]
    assert ["n<1K"] == matter["size_categories"]


def test_rows_that_share_images_are_read_a_few_at_a_time(matter: dict[str, Any]) -> None:
    """Readers that follow the card do not fill memory with copies."""
    assert [None, None, 64] == [config.get("batch_size") for config in matter["configs"]]


def test_no_placeholder_is_left(card: str) -> None:
    """Every figure is filled in."""
    assert [] == cards._PLACEHOLDER.findall(card)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (70_958, "10K<n<100K"),
        (999_999, "100K<n<1M"),
        (10**6, "1M<n<10M"),
    ],
)
def test_size_categories_are_the_hubs(rows: int, expected: str) -> None:
    """The Hub knows these names only."""
    assert expected == cards._size(rows)


def test_an_unknown_figure_is_refused(
    conversion: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt placeholder does not get into a card."""
    monkeypatch.setattr(cards, "authored", lambda _: ({}, "{{ rows }}"))

    with pytest.raises(UsageError, match="rows_table"):
        cards.render(catalog.find("spair71k"), conversion.result.manifest)


def test_configs_that_were_not_converted_are_not_described(conversion: Conversion) -> None:
    """A card tells of the files that are there."""
    manifest = dict(conversion.result.manifest)
    manifest["files"] = [file for file in manifest["files"] if file["config"] == "images"]

    found = yaml.safe_load(cards.render(catalog.find("spair71k"), manifest).split("---\n")[1])

    assert [("images", True)] == [(c["config_name"], c["default"]) for c in found["configs"]]


def test_other_files_are_another_content(conversion: Conversion) -> None:
    """What `datasets` keys its cache by changes with any file's hash."""
    file = replace(conversion.result.records[0], sha256="0").to_json()
    files = list(conversion.result.manifest["files"])

    assert cards._content("pairs", files) != cards._content("pairs", [file, *files[1:]])
