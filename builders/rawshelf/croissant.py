"""A conversion described as Croissant 1.1, the metadata format of MLCommons for datasets.

The description is plain JSON-LD and states only what is known: hashes and sizes from the manifest,
columns from the code that wrote them, terms from the card, authors from the citation. Neither a
version nor a date of publication is given, because the releases state none.

mlcroissant 1.1.1 reads every record set from the folder. It reads one right once per `Dataset`
object, and cannot narrow a config down to one split, because labels are joined too.

Specification: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. The context is the
one that it prescribes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from rawshelf import catalog
from rawshelf.bibtex import parse
from rawshelf.errors import UsageError
from rawshelf.features import ClassLabel, Column, Feature, Image, List, Struct, Value
from rawshelf.lint import accounts
from rawshelf.lint.repository import Repository
from rawshelf.manifests import MANIFEST
from rawshelf.release import Config, Dataset

Json = dict[str, Any]

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_TRANSLATED = {"@container": "@language"}
_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileObject fileProperty "
    "fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path recordSet "
    "references regex repeated replace samplingRate separator source subField transform"
)
CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": _TRANSLATED,
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": _TRANSLATED,
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS.split()},
}
_PARQUET = "application/x-parquet"
_TYPES = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "int8": "cr:Int8",
    "int16": "cr:Int16",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "float32": "cr:Float32",
    "float64": "cr:Float64",
}
_SPLITS = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}


def describe_folder(folder: str) -> Json:
    """Return the Croissant description of the conversion in a folder.

    Raises:
        UsageError: If there is no such folder, or no conversion in it that its manifest describes.
            Hashes are taken from the manifest; sizes are compared.
    """
    repository = Repository(folder)
    manifest = repository.manifest
    wrong = list(accounts.check(repository))
    if not isinstance(manifest, dict) or wrong:
        raise UsageError(
            "The folder does not hold a conversion that its manifest describes.",
            archive=folder,
            member=wrong[0].place if wrong else MANIFEST,
            found=wrong[0].found if wrong else "no manifest of rawshelf",
            expected=wrong[0].expected if wrong else "one, for the hashes of all files",
            remedy=wrong[0].remedy if wrong else "Name the folder that `rawshelf convert` wrote.",
        )
    return describe(manifest, repository.card)


def describe(manifest: Mapping[str, Any], card: Mapping[str, Any]) -> Json:
    """Return the Croissant description of a conversion.

    Every config is a record set over the set of its files, with the columns as fields and the
    split, which its files' names tell, as one more. Class labels are integers that refer to a
    record set of their names. A column that is the key of another config's rows refers to it.

    Args:
        manifest: The conversion's manifest.
        card: The front matter of its card, for the licence and the tags.

    Raises:
        UsageError: If the manifest is of a dataset that is not in the catalog.
    """
    dataset = catalog.find(str(manifest["dataset"]))
    files = manifest["files"]
    names = {file["config"] for file in files}
    configs = [config for config in dataset.configs if config.name in names]
    splits = list(dict.fromkeys(str(file["split"]) for file in files))
    described = _Described(configs, splits)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        **_about(dataset, card),
        "distribution": [
            *(_file_object(file) for file in files),
            *(_file_set(config, files) for config in configs),
        ],
        "recordSet": [
            _split_set(splits),
            *described.label_sets(),
            *(described.record_set(config) for config in configs),
        ],
    }


def _about(dataset: Dataset, card: Mapping[str, Any]) -> Json:
    release = dataset.release
    citation = resources.files("rawshelf").joinpath(release.name, "CITATION.bib").read_text("utf-8")
    return {
        "name": release.title,
        "description": release.summary,
        "url": release.homepage,
        "license": _licence(dataset, card),
        "citeAs": citation.strip(),
        "creator": [{"@type": "sc:Person", "name": name} for name in _authors(citation)],
        "keywords": _tags(card),
    }


def _tags(card: Mapping[str, Any]) -> list[str]:
    # Authored by hand, and a card of an earlier build may have been edited.
    tags = card.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _licence(dataset: Dataset, card: Mapping[str, Any]) -> str:
    """Return the licence's id or the address of the terms; what is known, if there is neither."""
    stated = str(card.get("license", "unknown"))
    if stated == "other":
        return str(card.get("license_link", dataset.release.licence))
    return dataset.release.licence if stated == "unknown" else stated


def _authors(citation: str) -> list[str]:
    """Return the authors of the first entry, first names first."""
    (_, _, fields), *_ = parse(citation)
    names = (name.strip().split(", ", 1) for name in fields.get("author", "").split(" and "))
    return [" ".join(reversed(parts)) for parts in names if parts != [""]]


def _file_object(file: Mapping[str, Any]) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": file["path"],
        "name": os.path.basename(file["path"]),
        "contentUrl": file["path"],
        "contentSize": f"{file['bytes']} B",
        "encodingFormat": _PARQUET,
        "sha256": file["sha256"],
    }


def _file_set(config: Config, files: Iterable[Mapping[str, Any]]) -> Json:
    folders = {os.path.dirname(file["path"]) for file in files if file["config"] == config.name}
    return {
        "@type": "cr:FileSet",
        "@id": _files_of(config),
        "name": _files_of(config),
        "description": f"The Parquet files of config {config.name}.",
        "encodingFormat": _PARQUET,
        "includes": [f"{folder}/*.parquet" for folder in sorted(folders)],
    }


def _files_of(config: Config) -> str:
    return f"{config.name}_files"


def _split_set(splits: list[str]) -> Json:
    urls = {name: {"splits/url": _SPLITS[name]} for name in splits if name in _SPLITS}
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits of the release.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [_plain("splits/name", "sc:Text"), _plain("splits/url", "sc:URL")],
        "data": [{"splits/name": name, **urls.get(name, {})} for name in splits],
    }


def _plain(place: str, kind: str) -> Json:
    name = place.rpartition("/")[2]
    return {"@type": "cr:Field", "@id": place, "name": name, "dataType": kind}


class _Described:
    """The configs of a conversion, and names for what their columns refer to."""

    def __init__(self, configs: list[Config], splits: list[str]) -> None:
        """Give every list of class names a record set, named after the first column with it."""
        self._configs = configs
        self._splits = splits
        self._labels: dict[tuple[str, ...], str] = {}
        for config in configs:
            for column in config.columns:
                for path, label in _label_paths(column.name, column.feature):
                    self._name(label.names, path, config)

    def _name(self, names: tuple[str, ...], path: str, config: Config) -> None:
        taken = set(self._labels.values())
        wanted = f"{path}_labels"
        if names not in self._labels:
            self._labels[names] = f"{config.name}_{wanted}" if wanted in taken else wanted

    def label_sets(self) -> list[Json]:
        """Return an enumeration for every list of class names."""
        return [_label_set(place, names) for names, place in self._labels.items()]

    def record_set(self, config: Config) -> Json:
        """Return the record set of one config."""
        return {
            "@type": "cr:RecordSet",
            "@id": config.name,
            "name": config.name,
            "description": config.doc,
            "field": [self._split(config), *(self._column(config, c) for c in config.columns)],
        }

    def _split(self, config: Config) -> Json:
        return {
            **_plain(f"{config.name}/split", "sc:Text"),
            "description": "The split, from the file's name.",
            "references": {"field": {"@id": "splits/name"}},
            "source": {
                "fileSet": {"@id": _files_of(config)},
                "extract": {"fileProperty": "filename"},
                # The end may be absent: where records are joined, mlcroissant 1.1 applies it twice.
                "transform": {"regex": f"^({'|'.join(self._splits)})(?:-.+)?$"},
            },
        }

    def _column(self, config: Config, column: Column) -> Json:
        place = f"{config.name}/{column.name}"
        field: Json = {
            "@type": "cr:Field",
            "@id": place,
            "name": column.name,
            "description": column.doc,
        }
        if isinstance(column.feature, Struct):
            inner = column.feature.fields.items()
            subfields = [self._field(config, f"{place}/{name}", item, name) for name, item in inner]
            return {**field, "subField": subfields}
        path = "bytes" if isinstance(column.feature, Image) else None
        field |= self._field(config, place, column.feature, path)
        if column.references is not None and self._is_there(column.references):
            field["references"] = {"field": {"@id": column.references}}
        return field

    def _is_there(self, place: str) -> bool:
        return place.split("/", maxsplit=1)[0] in {config.name for config in self._configs}

    def _field(self, config: Config, place: str, feature: Feature, path: str | None) -> Json:
        """Return a field that is read from its column, or from `path` within its structs."""
        source: Json = {
            "fileSet": {"@id": _files_of(config)},
            "extract": {"column": place.split("/")[1]},
        }
        if path is not None:
            source["transform"] = {"jsonPath": path}
        shape, item = _shape(feature)
        field = {**_plain(place, _type(item)), "source": source}
        if shape:
            field |= {"isArray": True, "arrayShape": ",".join(map(str, shape))}
        if isinstance(item, ClassLabel):
            field["references"] = {"field": {"@id": f"{self._labels[item.names]}/index"}}
        return field


def _label_paths(path: str, feature: Feature) -> list[tuple[str, ClassLabel]]:
    if isinstance(feature, Struct):
        inner = feature.fields.items()
        return [each for name, item in inner for each in _label_paths(f"{path}_{name}", item)]
    _, item = _shape(feature)
    return [(path, item)] if isinstance(item, ClassLabel) else []


def _label_set(place: str, names: tuple[str, ...]) -> Json:
    index, name = f"{place}/index", f"{place}/name"
    return {
        "@type": "cr:RecordSet",
        "@id": place,
        "name": place,
        "description": "The names of the classes, by index.",
        "dataType": "sc:Enumeration",
        "key": {"@id": index},
        "field": [
            _plain(index, "cr:Int64"),
            {**_plain(name, "sc:Text"), "equivalentProperty": "sc:name"},
        ],
        "data": [{index: number, name: text} for number, text in enumerate(names)],
    }


def _shape(feature: Feature) -> tuple[list[int], Feature]:
    """Return the lengths of nested lists, -1 where they vary, and what is in the innermost."""
    shape = []
    while isinstance(feature, List):
        shape.append(feature.length)
        feature = feature.item
    return shape, feature


def _type(feature: Feature) -> str:
    if isinstance(feature, Image):
        return "sc:ImageObject"
    if isinstance(feature, Value):
        return _TYPES[feature.dtype]
    return "cr:Int64"
