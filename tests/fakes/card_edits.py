"""Edits of the repository of a conversion: of its card, its files, its manifest."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

Edit = Callable[[Path], object]
Card = dict[str, Any]


def front_and_prose(out: Path) -> tuple[str, str]:
    """Return the two parts of the card."""
    _, front, prose = (out / "README.md").read_text("utf-8").split("---\n", 2)
    return front, prose


def load(front: str) -> Card:
    """Return the values of a front matter."""
    card: Card = yaml.load(front, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return card


def dump(card: Card) -> str:
    """Return the values as YAML, with the loader's counterpart: ten times as fast as in Python."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(card, Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text


def edit_front(change: Callable[[str], str]) -> Edit:
    """Return an edit of the YAML as text."""

    def edit(out: Path) -> None:
        front, prose = front_and_prose(out)
        (out / "README.md").write_text(f"---\n{change(front)}---\n{prose}", "utf-8")

    return edit


def edit_card(change: Callable[[Card], object]) -> Edit:
    """Return an edit of the values of the front matter."""

    def changed(front: str) -> str:
        card = load(front)
        change(card)
        return dump(card)

    return edit_front(changed)


def edit_prose(added: str) -> Edit:
    """Return an edit that adds text to the prose."""

    def edit(out: Path) -> None:
        with (out / "README.md").open("a", encoding="utf-8") as file:
            file.write(f"\n{added}\n")

    return edit


def written(text: bytes) -> Edit:
    """Return an edit that replaces the card."""
    return lambda out: (out / "README.md").write_bytes(text)


def with_key(key: str, value: Any) -> Edit:
    """Return an edit of one field of the front matter."""
    return edit_card(lambda card: card.update({key: value}))


def with_config(number: int, **values: Any) -> Edit:
    """Return an edit of one config."""
    return edit_card(lambda card: card["configs"][number].update(values))


def with_files(index: int, **values: Any) -> Edit:
    """Return an edit of one entry of the data files of config images."""
    return edit_card(lambda card: card["configs"][1]["data_files"][index].update(values))


def with_info(**values: Any) -> Edit:
    """Return an edit of what is said of config images."""
    return edit_card(lambda card: card["dataset_info"][1].update(values))


def with_split(**values: Any) -> Edit:
    """Return an edit of what is said of its first split."""
    return edit_card(lambda card: card["dataset_info"][1]["splits"][0].update(values))


def with_column(name: str, value: Any) -> Edit:
    """Return an edit of the type of one column of config images."""

    def change(card: Card) -> None:
        features = card["dataset_info"][1]["features"]
        (number,) = [n for n, item in enumerate(features) if item["name"] == name]
        features[number] = {"name": name, **value}

    return edit_card(change)


def edit_manifest(change: Callable[[Any], object]) -> Edit:
    """Return an edit of the manifest."""

    def edit(out: Path) -> None:
        manifest = json.loads((out / "manifest.json").read_text())
        change(manifest)
        (out / "manifest.json").write_text(json.dumps(manifest))

    return edit


def rewrite(change: Callable[[pa.Table], pa.Table]) -> Edit:
    """Return an edit of the first file of config images; the card states its new size."""

    def edit(out: Path) -> None:
        (path,) = (out / "data" / "images").glob("train-*.parquet")
        table = change(pq.read_table(path))
        path.unlink()
        pq.write_table(table, path)
        state_size(out)

    return edit


def state_size(out: Path) -> None:
    """State the size of the files of config images."""
    size = sum(path.stat().st_size for path in (out / "data" / "images").iterdir())
    with_info(download_size=size)(out)


def damage(out: Path) -> None:
    """Overwrite the first file of config images."""
    (path,) = (out / "data" / "images").glob("train-*.parquet")
    size = path.stat().st_size
    path.unlink()
    path.write_bytes(b"?" * size)


def add_stray(out: Path) -> None:
    """Add a file that no config names."""
    pq.write_table(pa.table({"x": [1]}), out / "data" / "stray.parquet")


def add_beside(out: Path) -> None:
    """Add a file outside of the data."""
    pq.write_table(pa.table({"x": [1]}), out / "stray.parquet")


def widened(table: pa.Table) -> pa.Table:
    """Return a table with another type of column `width`."""
    place = table.schema.get_field_index("width")
    return table.set_column(place, "width", table["width"].cast(pa.int64()))


def relabelled(table: pa.Table) -> pa.Table:
    """Return a table whose class names are in another order."""
    metadata = json.loads(table.schema.metadata[b"huggingface"])
    metadata["info"]["features"]["category"]["names"].reverse()
    return table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
