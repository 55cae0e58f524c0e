import ast
import re
from dataclasses import replace
from fnmatch import fnmatch
from importlib import resources
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from rawshelf import cards, catalog
from rawshelf.card_tables import type_text
from rawshelf.errors import UsageError
from rawshelf.features import features_json
from tests.conftest import Conversion
from tests.outputs import sha256
from tests.repositories import CONFIGS, NAMES, front_matter

# Enough for all of PartImageNet's class names once; twice would take 40 kB more.
LARGEST = {"spair71k": 40_000, "imagenet_sketch": 70_000, "partimagenet": 90_000}


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def out(name: str, repositories: dict[str, Path]) -> Path:
    return repositories[name]


@pytest.fixture(scope="module")
def card(out: Path) -> str:
    return (out / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def prose(card: str) -> str:
    return card.split("---\n", 2)[2]


@pytest.fixture(scope="module")
def matter(out: Path) -> dict[str, Any]:
    return front_matter(out)


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "(code)", text, flags=re.DOTALL)


def footers(out: Path, config: str) -> dict[str, tuple[int, int]]:
    """Return rows and bytes of every split of a config, from its files."""
    found: dict[str, tuple[int, int]] = {}
    for path in (out / "data" / config).iterdir():
        split = path.name.split("-")[0]
        rows, size = found.get(split, (0, 0))
        found[split] = (rows + pq.read_metadata(path).num_rows, size + path.stat().st_size)
    return found


def test_the_hub_client_parses_the_card(card: str, matter: dict[str, Any]) -> None:
    """Its front matter is what the Hub reads."""
    assert matter == yaml.safe_load(str(DatasetCard(card).data))


def test_every_pattern_matches_its_files_and_no_other(out: Path, matter: dict[str, Any]) -> None:
    """A pattern that matches nothing gives an empty split without an error."""
    paths = [path.relative_to(out).as_posix() for path in out.rglob("*.parquet")]
    actual = [
        path
        for config in matter["configs"]
        for file in config["data_files"]
        for path in paths
        if fnmatch(path, file["path"])
        and path.startswith(f"data/{config['config_name']}/{file['split']}-")
    ]

    assert sorted(paths) == sorted(actual)


def test_exactly_one_config_is_the_default(name: str, matter: dict[str, Any]) -> None:
    """It is the dataset's first."""
    defaults = [c["config_name"] for c in matter["configs"] if c.get("default")]

    assert [catalog.find(name).configs[0].name] == defaults


def test_features_of_the_card_round_trip(name: str, matter: dict[str, Any]) -> None:
    """What `datasets` reads from the card is what the code says."""
    for info in matter["dataset_info"]:
        if "features" in info:
            columns = catalog.find(name).config(info["config_name"]).columns
            actual = datasets.Features._from_yaml_list(info["features"])
            assert datasets.Features.from_dict(features_json(columns)) == actual


def test_long_lists_of_names_stand_once(name: str, card: str, matter: dict[str, Any]) -> None:
    """The other configs leave their features to the Parquet files, and the card stays small."""
    without = [i["config_name"] for i in matter["dataset_info"] if "features" not in i]

    expected = ["ood", "seg_annotations", "ood_annotations"] if name == "partimagenet" else []
    assert expected == without
    assert len(card.encode()) < LARGEST[name]
    if name != "spair71k":
        assert 1 == card.count("tench, Tinca tinca")


def test_counts_and_sizes_are_those_of_the_files(
    name: str, out: Path, matter: dict[str, Any]
) -> None:
    """Rows come from the footers, bytes from the file system."""
    described = {info["config_name"] for info in matter["dataset_info"]}
    assert {config for owner, config in CONFIGS if owner == name} == described
    for info in matter["dataset_info"]:
        found = footers(out, info["config_name"])
        splits = {s["name"]: (s["num_examples"], s["num_bytes"]) for s in info["splits"]}
        assert found == splits
        assert sum(size for _, size in found.values()) == info["download_size"]
    assert ["n<1K"] == matter["size_categories"]


def test_the_table_of_rows_is_that_of_the_files(name: str, out: Path, prose: str) -> None:
    """Every config has a line with the rows of its splits."""
    for config in (c for n, c in CONFIGS if n == name):
        found = footers(out, config)
        [line] = re.findall(rf"^\| `{config}` ((?:\| [\d,]+ )+)\|", prose, re.MULTILINE)
        counts = [int(cell) for cell in re.findall(r"\d+", line)]
        order = [split for split in ("train", "validation", "test") if split in found]
        expected = [found[split][0] for split in order]
        assert (expected if len(order) == 1 else [*expected, sum(expected)]) == counts


def test_every_file_has_its_hash(out: Path, prose: str) -> None:
    """The table of files names each with its rows, bytes and sha256."""
    for path in out.rglob("*.parquet"):
        rows, size = pq.read_metadata(path).num_rows, path.stat().st_size
        where = path.relative_to(out).as_posix()
        assert f"| `{where}` | {rows:,} | {size:,} | `{sha256(path)}` |" in prose


def test_every_column_is_explained(name: str, prose: str) -> None:
    """Each config's table, or that of the config which it is like, has each of its columns."""
    for config in catalog.find(name).configs:
        assert f"**`{config.name}`**" in prose
        for column in config.columns:
            assert f"| `{column.name}` | {type_text(column.feature)} | {column.doc} |" in prose


def test_printed_rows_have_the_columns_of_a_config(name: str, prose: str) -> None:
    """What a newcomer sees of a row is what loading gives."""
    blocks = re.findall(r"```python\n(\{.*?)```", prose, re.DOTALL)
    assert blocks
    columns = [[column.name for column in config.columns] for config in catalog.find(name).configs]
    for block in blocks:
        assert list(ast.literal_eval(re.sub(r"<PIL[^>]*>", "None", block))) in columns


def test_code_in_the_card_parses(prose: str) -> None:
    """Nobody copies a line that is no Python."""
    for block in re.findall(r"```python\n(.*?)```", prose, re.DOTALL):
        ast.parse(re.sub(r"<PIL[^>]*>", "None", block))


def test_the_citation_is_that_of_the_dataset(name: str, prose: str) -> None:
    """The BibTeX entry stands in the card as in the package."""
    entry = resources.files("rawshelf").joinpath(f"{name}/CITATION.bib").read_text("utf-8")

    assert f"```bibtex\n{entry.strip()}\n```" in prose


def test_sections_of_the_official_template_are_there(prose: str) -> None:
    """What a card of the Hub is expected to tell."""
    for section in (
        "Rows and splits",
        "Columns",
        "Loading",
        "Known defects of the release",
        "How it was made",
        "Verification",
        "Uses",
        "Bias, risks and limitations",
        "Licence",
        "Citation",
        "Contact",
    ):
        assert f"\n## {section}" in prose
    for words in ("**Direct**", "**Out of scope**", "**Personal information**", "rawshelf.stream("):
        assert words in prose


def test_links_within_the_card_lead_somewhere(prose: str) -> None:
    """Anchors are those that the Hub makes of headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(prose), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]*)\)", prose)) <= anchors


def test_rows_that_share_images_are_read_a_few_at_a_time(conversion: Conversion) -> None:
    """Readers that follow the card do not fill memory with copies."""
    configs = front_matter(conversion.out)["configs"]

    assert [None, None, 64] == [config.get("batch_size") for config in configs]


def test_no_placeholder_is_left(card: str) -> None:
    """Every figure is filled in, and none left out leaves a gap."""
    assert [] == cards._PLACEHOLDER.findall(card)
    assert "[More Information Needed]" not in card
    assert "\n\n\n" not in without_code(card)


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
