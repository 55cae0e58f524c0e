"""Defects that the repository of a conversion of SPair-71k can have, one for each rule and more."""

import os
from dataclasses import dataclass

from tests.fakes.card_edits import (
    Edit,
    add_beside,
    add_stray,
    damage,
    edit_card,
    edit_front,
    edit_manifest,
    edit_prose,
    relabelled,
    rewrite,
    widened,
    with_column,
    with_config,
    with_files,
    with_info,
    with_key,
    with_split,
    written,
)

__all__ = ["DEFECTS", "Defect"]


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


_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
_PLACE = ".parquet"

DEFECTS: dict[str, Defect] = {
    "no card": Defect("card-missing", lambda out: os.remove(out / "README.md"), "README.md"),
    "latin-1": Defect("card-encoding", written(b"---\nlicense: mit\n---\n\xe9\n"), "README.md:4"),
    "byte order mark": Defect(
        "card-encoding", written(b"\xef\xbb\xbf---\nlicense: mit\n---\n# x\n"), "README.md:1"
    ),
    "no front matter": Defect("front-matter", written(b"# Title\n"), "README.md:1"),
    "front matter without end": Defect("front-matter", written(b"---\nlicense: mit\n"), ":1"),
    "front matter of a list": Defect("front-matter", written(b"---\n- x\n---\n"), ":2", "- x"),
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
    "norwegian": Defect("field-type", with_key("language", ["en", False]), "language/1", "- false"),
    "title": Defect("field-type", with_key("pretty_name", ["x"]), " pretty_name", "pretty_name"),
    "licence": Defect("license", with_key("license", "nonsense"), " license", "nonsense"),
    "licences": Defect("license", with_key("license", ["mit", "apache"]), " license/1", "- apache"),
    "licence without name": Defect(
        "license-other", edit_card(lambda c: c.pop("license_name")), " license", "other"
    ),
    "licence without file": Defect(
        "license-other", with_key("license_link", "LICENSE.txt"), " license_link", "LICENSE.txt"
    ),
    "no licence": Defect("license-missing", edit_card(lambda c: c.pop("license")), " license"),
    "language": Defect("language", with_key("language", "english"), " language", "english"),
    "size category": Defect("size-categories", with_key("size_categories", ["big"]), "/0", "- big"),
    "wrong size": Defect(
        "size-rows", with_key("size_categories", ["1K<n<10K"]), "size_categories/0", "1K<n<10K"
    ),
    "annotators": Defect(
        "annotations-creators", with_key("annotations_creators", ["me"]), "_creators/0", "- me"
    ),
    "speakers": Defect(
        "language-creators", with_key("language_creators", ["no-annotation"]), "/0", "no-annotation"
    ),
    "multilinguality": Defect(
        "multilinguality", with_key("multilinguality", "bilingual"), "multilinguality", "bilingual"
    ),
    "sources": Defect(
        "source-datasets", with_key("source_datasets", ["the web"]), "source_datasets/0", "the web"
    ),
    "task": Defect(
        "task-categories",
        edit_card(lambda card: card["task_categories"].append("matching")),
        "task_categories/2",
        "- matching",
    ),
    "sub-task of another": Defect(
        "task-ids", with_key("task_ids", ["extractive-qa"]), "task_ids/0", "- extractive-qa"
    ),
    "one tag": Defect("tags", with_key("tags", "image"), " tags", "tags: image"),
    "number as tag": Defect("tags", with_key("tags", ["image", 7]), " tags/1", "- 7"),
    "configs as mapping": Defect(
        "config-form", with_key("configs", {"a": 1}), "configs", "configs:"
    ),
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
    "no default": Defect("config-default", with_config(0, default=False), " configs", "configs:"),
    "two defaults": Defect("config-default", with_config(1, default=True), " configs", "configs:"),
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
        with_files(0, path=["data/images/train-*", "../x.parquet"]),
        "configs/1/data_files/0/path",
        "path:",
    ),
    "address": Defect(
        "data-files-remote",
        with_files(0, path=["data/images/train-*", "https://example.org/x.parquet"]),
        "configs/1/data_files/0/path",
        "path:",
    ),
    "pattern without files": Defect(
        "data-files-empty",
        with_files(0, path=["data/images/train-*", "data/images/training-*"]),
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
    "stray file": Defect("data-files-unused", add_stray, "data/stray.parquet"),
    "info as text": Defect(
        "info-form", with_key("dataset_info", "x"), "dataset_info", "dataset_info"
    ),
    "splits as mapping": Defect("info-form", with_info(splits={"a": 1}), "1/splits", "splits:"),
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
        "num-examples", with_split(num_examples=1), "splits/0/num_examples", "num_examples: 1"
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
    "download": Defect("download-size", with_info(download_size=1), "/1/download_size", "size: 1"),
    "sum of bytes": Defect("dataset-size", with_info(dataset_size=1), "/1/dataset_size", "size: 1"),
    "no Parquet": Defect("parquet-unreadable", damage, _PLACE),
    "features as text": Defect(
        "features-form", with_info(features="x"), "1/features", "features: x"
    ),
    "labels with a gap": Defect(
        "features-form",
        with_column("category", {"dtype": {"class_label": {"names": {"0": "a", "2": "b"}}}}),
        "1/features",
        "features:",
    ),
    "type": Defect("features-differ", with_column("width", {"dtype": "int64"}), "", "name: width"),
    "class names": Defect(
        "features-differ",
        with_column("category", {"dtype": {"class_label": {"names": {"0": "a"}}}}),
        "",
        "name: category",
    ),
    "length": Defect(
        "features-differ", with_column("bbox", {"sequence": "int32", "length": 5}), "", "name: bbox"
    ),
    "type in one file": Defect("features-differ", rewrite(widened), "", "name: width"),
    "class names in one file": Defect("features-differ", rewrite(relabelled), "", "category"),
    "column less": Defect(
        "features-differ",
        edit_card(lambda card: card["dataset_info"][1]["features"].pop()),
        "1/features",
        "features:",
    ),
    "spelling of 4.0": Defect(
        "features-spelling", with_column("bbox", {"list": "int32", "length": 4}), "", "name: bbox"
    ),
    "manifest of text": Defect(
        "manifest-form",
        lambda out: (out / "manifest.json").write_text("{"),
        "manifest.json",
        manifest=True,
    ),
    "manifest without files": Defect(
        "manifest-form", edit_manifest(lambda m: m.pop("files")), "manifest.json", manifest=True
    ),
    "other size": Defect(
        "manifest-file",
        edit_manifest(lambda m: m["files"][0].update(bytes=1)),
        "manifest.json files/0",
        manifest=True,
    ),
    "file not listed": Defect("manifest-unlisted", add_beside, "stray.parquet", manifest=True),
    "counts": Defect(
        "manifest-counts",
        edit_manifest(lambda m: m["counts"][0].update(rows=1)),
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
