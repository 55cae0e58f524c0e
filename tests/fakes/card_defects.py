"""Defects that the repository of a conversion of SPair-71k can have, one for each rule and more."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

__all__ = ["DEFECTS", "Defect", "dump", "edit_prose", "front_and_prose", "load"]

Edit = Callable[[Path], object]
Card = dict[str, Any]


@dataclass(frozen=True)
class Defect:
    """One defect.

    Attributes:
        rule: The rule that it breaks.
        edit: Makes it, in the folder of a repository.
        place: How the place ends that is to be reported.
        line: What stands on the line that is to be reported, if it is one of the card.
        manifest: Whether the manifest stays; it would contradict most edits too.
    """

    rule: str
    edit: Edit
    place: str
    line: str = ""
    manifest: bool = False


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


def _write(text: bytes) -> Edit:
    return lambda out: (out / "README.md").write_bytes(text)


def _key(key: str, value: Any) -> Edit:
    return edit_card(lambda card: card.update({key: value}))


def _config(number: int, **values: Any) -> Edit:
    return edit_card(lambda card: card["configs"][number].update(values))


def _entry(index: int, **values: Any) -> Edit:
    return edit_card(lambda card: card["configs"][1]["data_files"][index].update(values))


def _info(**values: Any) -> Edit:
    return edit_card(lambda card: card["dataset_info"][1].update(values))


def _split(**values: Any) -> Edit:
    return edit_card(lambda card: card["dataset_info"][1]["splits"][0].update(values))


def _column(name: str, value: Any) -> Edit:
    def change(card: Card) -> None:
        features = card["dataset_info"][1]["features"]
        (number,) = [n for n, item in enumerate(features) if item["name"] == name]
        features[number] = {"name": name, **value}

    return edit_card(change)


def _manifest(change: Callable[[Any], object]) -> Edit:
    def edit(out: Path) -> None:
        manifest = json.loads((out / "manifest.json").read_text())
        change(manifest)
        (out / "manifest.json").write_text(json.dumps(manifest))

    return edit


def _rewrite(change: Callable[[pa.Table], pa.Table]) -> Edit:
    """Return an edit of the first file of config images; the card states its new size."""

    def edit(out: Path) -> None:
        (path,) = (out / "data" / "images").glob("train-*.parquet")
        table = change(pq.read_table(path))
        path.unlink()
        pq.write_table(table, path)
        _sized(out)

    return edit


def _sized(out: Path) -> None:
    size = sum(path.stat().st_size for path in (out / "data" / "images").iterdir())
    _info(download_size=size)(out)


def _damage(out: Path) -> None:
    (path,) = (out / "data" / "images").glob("train-*.parquet")
    size = path.stat().st_size
    path.unlink()
    path.write_bytes(b"?" * size)


def _stray(out: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), out / "data" / "stray.parquet")


def _beside(out: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), out / "stray.parquet")


def _cast(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("width")
    return table.set_column(place, "width", table["width"].cast(pa.int64()))


def _relabelled(table: pa.Table) -> pa.Table:
    metadata = json.loads(table.schema.metadata[b"huggingface"])
    metadata["info"]["features"]["category"]["names"].reverse()
    return table.replace_schema_metadata({"huggingface": json.dumps(metadata)})


_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
_PLACE = ".parquet"

DEFECTS: dict[str, Defect] = {
    "no card": Defect("card-missing", lambda out: os.remove(out / "README.md"), "README.md"),
    "latin-1": Defect("card-encoding", _write(b"---\nlicense: mit\n---\n\xe9\n"), "README.md:4"),
    "byte order mark": Defect(
        "card-encoding", _write(b"\xef\xbb\xbf---\nlicense: mit\n---\n# x\n"), "README.md:1"
    ),
    "no front matter": Defect("front-matter", _write(b"# Title\n"), "README.md:1"),
    "front matter without end": Defect("front-matter", _write(b"---\nlicense: mit\n"), ":1"),
    "front matter of a list": Defect("front-matter", _write(b"---\n- x\n---\n"), ":2", "- x"),
    "no YAML": Defect("yaml-syntax", edit_front(lambda y: f"a: [\n{y}"), ""),
    "impossible date": Defect("yaml-syntax", edit_front(lambda y: f"{y}d: 2001-02-30\n"), ":2"),
    "alias bomb": Defect("yaml-limit", edit_front(lambda y: _BOMB + y), "README.md:2"),
    "endless alias": Defect("yaml-limit", edit_front(lambda y: f"a: &a [*a]\n{y}"), ":2"),
    "depth": Defect("yaml-limit", edit_front(lambda y: f"a: {'[' * 999}\n{y}"), ":2", "[[["),
    "size": Defect("yaml-limit", edit_front(lambda y: f"{y}a: {'x' * 2**20}\n"), ":2"),
    "python tag": Defect(
        "yaml-tag", edit_front(lambda y: f"{y}a: !!python/object/new:os.system [x]\n"), "", "!!py"
    ),
    "own tag": Defect("yaml-tag", edit_front(lambda y: f"{y}a: !thing x\n"), "", "!thing"),
    "key twice": Defect("yaml-duplicate", edit_front(lambda y: f"{y}license: mit\n"), "", "mit"),
    "inner key twice": Defect(
        "yaml-duplicate", edit_front(lambda y: f"{y}a:\n- {{b: 1, 'b': 2}}\n"), "", "'b': 2"
    ),
    "norwegian": Defect("field-type", _key("language", ["en", False]), "language/1", "- false"),
    "title": Defect("field-type", _key("pretty_name", ["x"]), " pretty_name", "pretty_name"),
    "licence": Defect("license", _key("license", "nonsense"), " license", "nonsense"),
    "licences": Defect("license", _key("license", ["mit", "apache"]), " license/1", "- apache"),
    "licence without name": Defect(
        "license-other", edit_card(lambda c: c.pop("license_name")), " license", "other"
    ),
    "licence without file": Defect(
        "license-other", _key("license_link", "LICENSE.txt"), " license_link", "LICENSE.txt"
    ),
    "no licence": Defect("license-missing", edit_card(lambda c: c.pop("license")), " license"),
    "language": Defect("language", _key("language", "english"), " language", "english"),
    "size category": Defect("size-categories", _key("size_categories", ["big"]), "/0", "- big"),
    "wrong size": Defect(
        "size-rows", _key("size_categories", ["1K<n<10K"]), "size_categories/0", "1K<n<10K"
    ),
    "annotators": Defect(
        "annotations-creators", _key("annotations_creators", ["me"]), "_creators/0", "- me"
    ),
    "speakers": Defect(
        "language-creators", _key("language_creators", ["no-annotation"]), "/0", "no-annotation"
    ),
    "multilinguality": Defect(
        "multilinguality", _key("multilinguality", "bilingual"), "multilinguality", "bilingual"
    ),
    "sources": Defect(
        "source-datasets", _key("source_datasets", ["the web"]), "source_datasets/0", "the web"
    ),
    "task": Defect(
        "task-categories",
        edit_card(lambda card: card["task_categories"].append("matching")),
        "task_categories/2",
        "- matching",
    ),
    "sub-task of another": Defect(
        "task-ids", _key("task_ids", ["extractive-qa"]), "task_ids/0", "- extractive-qa"
    ),
    "one tag": Defect("tags", _key("tags", "image"), " tags", "tags: image"),
    "number as tag": Defect("tags", _key("tags", ["image", 7]), " tags/1", "- 7"),
    "configs as mapping": Defect("config-form", _key("configs", {"a": 1}), "configs", "configs:"),
    "split without path": Defect(
        "config-form",
        edit_card(lambda c: c["configs"][1]["data_files"].insert(0, {"split": "more"})),
        "configs/1/data_files/0",
        "split: more",
    ),
    "config of a path": Defect(
        "config-name",
        edit_card(
            lambda c: [c[key][2].update(config_name="a/b") for key in ("configs", "dataset_info")]
        ),
        "configs/2/config_name",
        "a/b",
    ),
    "config twice": Defect(
        "config-duplicate",
        edit_card(lambda card: card["configs"].append({**card["configs"][1]})),
        "configs/3/config_name",
        "images",
    ),
    "no default": Defect("config-default", _config(0, default=False), " configs", "configs:"),
    "two defaults": Defect("config-default", _config(1, default=True), " configs", "configs:"),
    "split with a dash": Defect(
        "split-name",
        edit_card(
            lambda card: [
                card["configs"][1]["data_files"][0].update(split="train-1"),
                card["dataset_info"][1]["splits"][0].update(name="train-1"),
            ]
        ),
        "configs/1/data_files/0",
        "split: train-1",
    ),
    "split twice": Defect(
        "split-duplicate",
        edit_card(
            lambda card: [
                card["configs"][1]["data_files"].append(
                    {"split": "test", "path": "data/images/test-00000-*"}
                ),
                card["dataset_info"].pop(1),
                card["dataset_info"].append({"config_name": "images"}),
            ]
        ),
        "configs/1/data_files/3/path",
        "test-00000-*",
    ),
    "path out of the repository": Defect(
        "data-files-outside",
        _entry(0, path=["data/images/train-*", "../x.parquet"]),
        "configs/1/data_files/0/path",
        "path:",
    ),
    "address": Defect(
        "data-files-remote",
        _entry(0, path=["data/images/train-*", "https://example.org/x.parquet"]),
        "configs/1/data_files/0/path",
        "path:",
    ),
    "pattern without files": Defect(
        "data-files-empty",
        _entry(0, path=["data/images/train-*", "data/images/training-*"]),
        "configs/1/data_files/0/path",
        "path:",
    ),
    "file in two splits": Defect(
        "data-files-twice",
        edit_card(
            lambda card: [
                card["configs"][1]["data_files"][0].update(path="data/images/*-*"),
                card["dataset_info"].pop(1),
                card["dataset_info"].append({"config_name": "images"}),
            ]
        ),
        "configs/1/data_files/1/path",
        "data/images/validation",
    ),
    "stray file": Defect("data-files-unused", _stray, "data/stray.parquet"),
    "info as text": Defect("info-form", _key("dataset_info", "x"), "dataset_info", "dataset_info"),
    "splits as mapping": Defect("info-form", _info(splits={"a": 1}), "1/splits", "splits:"),
    "info of no config": Defect(
        "info-config",
        edit_card(lambda card: card["dataset_info"].append({"config_name": "more"})),
        "dataset_info/3/config_name",
        "more",
    ),
    "config without info": Defect(
        "info-config", edit_card(lambda card: card["dataset_info"].pop()), "dataset_info"
    ),
    "split without files": Defect(
        "info-split",
        edit_card(lambda card: card["dataset_info"][1]["splits"].append({"name": "more"})),
        "dataset_info/1/splits",
        "splits:",
    ),
    "rows": Defect(
        "num-examples", _split(num_examples=1), "splits/0/num_examples", "num_examples: 1"
    ),
    "bytes": Defect(
        "num-bytes",
        edit_card(
            lambda card: [
                card["dataset_info"][1]["splits"][0].update(num_bytes=1),
                card["dataset_info"][1].pop("dataset_size"),
            ]
        ),
        "splits/0/num_bytes",
        "num_bytes: 1",
        manifest=True,
    ),
    "download": Defect("download-size", _info(download_size=1), "/1/download_size", "size: 1"),
    "sum of bytes": Defect("dataset-size", _info(dataset_size=1), "/1/dataset_size", "size: 1"),
    "no Parquet": Defect("parquet-unreadable", _damage, _PLACE),
    "features as text": Defect("features-form", _info(features="x"), "1/features", "features: x"),
    "labels with a gap": Defect(
        "features-form",
        _column("category", {"dtype": {"class_label": {"names": {"0": "a", "2": "b"}}}}),
        "1/features",
        "features:",
    ),
    "type": Defect("features-differ", _column("width", {"dtype": "int64"}), "", "name: width"),
    "class names": Defect(
        "features-differ",
        _column("category", {"dtype": {"class_label": {"names": {"0": "a"}}}}),
        "",
        "name: category",
    ),
    "length": Defect(
        "features-differ", _column("bbox", {"sequence": "int32", "length": 5}), "", "name: bbox"
    ),
    "type in one file": Defect("features-differ", _rewrite(_cast), "", "name: width"),
    "class names in one file": Defect("features-differ", _rewrite(_relabelled), "", "category"),
    "column less": Defect(
        "features-differ",
        edit_card(lambda card: card["dataset_info"][1]["features"].pop()),
        "1/features",
        "features:",
    ),
    "spelling of 4.0": Defect(
        "features-spelling", _column("bbox", {"list": "int32", "length": 4}), "", "name: bbox"
    ),
    "manifest of text": Defect(
        "manifest-form",
        lambda out: (out / "manifest.json").write_text("{"),
        "manifest.json",
        manifest=True,
    ),
    "manifest without files": Defect(
        "manifest-form", _manifest(lambda m: m.pop("files")), "manifest.json", manifest=True
    ),
    "other size": Defect(
        "manifest-file",
        _manifest(lambda m: m["files"][0].update(bytes=1)),
        "manifest.json files/0",
        manifest=True,
    ),
    "file not listed": Defect("manifest-unlisted", _beside, "stray.parquet", manifest=True),
    "counts": Defect(
        "manifest-counts",
        _manifest(lambda m: m["counts"][0].update(rows=1)),
        "manifest.json counts/0",
        manifest=True,
    ),
    "placeholder of an engine": Defect("placeholder", edit_prose("{{ rows }}"), "", "{{ rows }}"),
    "placeholder of the Hub": Defect(
        "placeholder", edit_prose("[More Information Needed]"), "", "[More Information"
    ),
    "heading without text": Defect("heading-empty", edit_prose("##"), "", "##"),
    "open fence": Defect("fence-open", edit_prose("```python\nx = 1"), "", "```python"),
    "broken link": Defect("link-broken", edit_prose("[x](docs/x.md)"), "", "docs/x.md"),
    "broken image": Defect("link-broken", edit_prose("![a face](assets/x.png)"), "", "x.png"),
    "broken image in HTML": Defect(
        "link-broken", edit_prose('<img src="assets/x.png" alt="a face">'), "", "x.png"
    ),
    "link out": Defect("link-broken", edit_prose("[x](../../etc/passwd)"), "", "passwd"),
    "own folder": Defect("link-local", edit_prose("[x](/home/me/x.md)"), "", "/home/me"),
    "file address": Defect("link-local", edit_prose("[x](file:///x.md)"), "", "file:"),
    "drive": Defect("link-local", edit_prose(r"<a href='C:\x.md'>x</a>"), "", "C:"),
    "anchor": Defect("anchor-broken", edit_prose("[x](#no-such-title)"), "", "#no-such"),
    "silent image": Defect("image-alt", edit_prose("![](manifest.json)"), "", "![]", manifest=True),
    "silent image in HTML": Defect(
        "image-alt", edit_prose('<img src="manifest.json">'), "", "<img", manifest=True
    ),
    "citation": Defect("bibtex", edit_prose("```bibtex\n@misc{a,\n title = {x\n}\n```"), "", "```"),
    "row group": Defect("row-group", lambda _: None, _PLACE),  # the test lowers the limit
}
