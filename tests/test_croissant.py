import io
import itertools
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from rawshelf import catalog, croissant
from rawshelf.bibtex import BibtexError, parse
from rawshelf.cli import cli
from rawshelf.convert import Options, convert
from rawshelf.demo import write_release
from rawshelf.errors import OutputError, UsageError
from tests.conftest import Conversion
from tests.outputs import sha256

# Mlcroissant's, about how it uses rdflib and pandas.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# What nobody states about the releases, and is hence not invented.
_NOT_KNOWN = ("datePublished", "version")


@pytest.fixture(scope="module", params=catalog.names())
def out(
    request: pytest.FixtureRequest, conversion: Conversion, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a conversion of each dataset's miniature release."""
    if request.param == "spair71k":
        return conversion.out
    folder = tmp_path_factory.mktemp(request.param)
    raw = write_release(catalog.find(request.param), folder)
    convert(request.param, str(raw), str(folder / "out"), Options(allow_missing=100))
    return folder / "out"


@pytest.fixture(scope="module")
def described(out: Path) -> dict[str, Any]:
    return croissant.describe_folder(str(out))


def _records(out: Path, description: dict[str, Any], name: str) -> Any:
    """Return the records of one set, as mlcroissant reads them from the files."""
    return mlcroissant.Dataset(_file(out, description)).records(name)


def _file(out: Path, description: dict[str, Any]) -> str:
    # Paths are relative to the file; the conversion itself is shared and stays as it is.
    folder = out.parent / "described"
    folder.mkdir(exist_ok=True)
    if not (folder / "data").exists():
        shutil.copytree(out / "data", folder / "data", copy_function=os.link)
    (folder / "croissant.json").write_text(json.dumps(description))
    return str(folder / "croissant.json")


def test_mlcroissant_finds_no_error(
    out: Path, described: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Its warnings are about facts that nobody states, and the context is the standard's."""
    with caplog.at_level(logging.WARNING):
        issues = mlcroissant.Dataset(_file(out, described)).metadata.ctx.issues

    assert set() == issues.errors
    assert all(any(name in warning for name in _NOT_KNOWN) for warning in issues.warnings)
    assert len(_NOT_KNOWN) == len(issues.warnings)
    assert "not standard" not in caplog.text


def test_hashes_and_sizes_are_those_of_the_files(out: Path, described: dict[str, Any]) -> None:
    """Every data file is listed, with its true sha256."""
    objects = [each for each in described["distribution"] if each["@type"] == "cr:FileObject"]
    expected = {
        path.relative_to(out).as_posix(): (sha256(path), f"{path.stat().st_size} B")
        for path in out.rglob("*.parquet")
    }

    assert expected == {
        each["contentUrl"]: (each["sha256"], each["contentSize"]) for each in objects
    }


def test_every_column_is_a_field(out: Path, described: dict[str, Any]) -> None:
    """A record set for each config holds the split and the columns of its files, in order."""
    sets = {each["@id"]: each for each in described["recordSet"]}
    for folder in (out / "data").iterdir():
        schema = pq.read_schema(next(folder.iterdir()))
        fields = [field["name"] for field in sets[folder.name]["field"]]
        assert ["split", *schema.names] == fields


def test_class_names_are_enumerations(out: Path, described: dict[str, Any]) -> None:
    """The names are those of the files' metadata, and every label refers to them."""
    sets = {each["@id"]: each for each in described["recordSet"]}
    seen = 0
    for folder in (out / "data").iterdir():
        metadata = json.loads(pq.read_schema(next(folder.iterdir())).metadata[b"huggingface"])
        for field in sets[folder.name]["field"]:
            feature = metadata["info"]["features"].get(field["name"], {})
            if feature.get("_type") == "ClassLabel":
                labels = field["references"]["field"]["@id"].removesuffix("/index")
                rows = sets[labels]["data"]
                assert feature["names"] == [row[f"{labels}/name"] for row in rows]
                assert list(range(len(rows))) == [row[f"{labels}/index"] for row in rows]
                seen += 1
    assert seen


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(actual, PIL.Image.Image):
        image = PIL.Image.open(io.BytesIO(expected["bytes"]))
        return np.array_equal(np.asarray(image), np.asarray(actual))
    if isinstance(expected, dict):
        values = {name.rpartition("/")[2]: value for name, value in actual.items()}
        return all(_equal(expected[name], values[name]) for name in expected)
    if isinstance(expected, list):
        return len(expected) == len(actual) and all(map(_equal, expected, actual))
    if isinstance(expected, float):
        return bool(np.float32(expected) == np.float32(actual))
    return bool(expected == (actual.decode() if isinstance(actual, bytes) else actual))


def test_records_are_the_rows(out: Path, described: dict[str, Any]) -> None:
    """Mlcroissant reads from the local files what pyarrow reads, for the first 100 rows."""
    config = described["recordSet"][-1]["@id"]
    paths = sorted((out / "data" / config).iterdir())
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()][:100]
    splits = [path.name.split("-")[0] for path in paths for _ in range(len(pq.read_table(path)))]

    records = list(itertools.islice(_records(out, described, config), 100))

    assert len(rows) == len(records) > 0
    for row, split, record in zip(rows, splits, records, strict=False):
        values = {name.split("/")[1]: value for name, value in record.items()}
        assert split == values.pop("split").decode()
        assert row.keys() == values.keys()
        assert all(_equal(row[name], values[name]) for name in row), record


@pytest.mark.parametrize(
    ("name", "place", "key"),
    [
        ("spair71k", "pairs/src_name", "images/name"),
        ("spair71k", "pairs_flat/trg_name", "images/name"),
        ("imagenet_sketch", "quality/quality_of", "default/file_name"),
    ],
)
def test_keys_are_references(name: str, place: str, key: str) -> None:
    """What joins two configs is said; a config that is not there is not referred to."""
    dataset = catalog.find(name)
    configs = list(dict.fromkeys(each.split("/")[0] for each in (place, key)))

    both = _fields(name, configs)
    alone = _fields(name, configs[:1])

    assert {"field": {"@id": key}} == both[place]["references"]
    assert "references" not in alone[place]
    assert key.split("/")[1] in {c.name for c in dataset.config(configs[1]).columns}


def _fields(name: str, configs: list[str]) -> dict[str, Any]:
    files: list[dict[str, Any]] = [
        {"path": f"data/{c}/test-0-of-1.parquet", "config": c, "split": "test"} for c in configs
    ]
    manifest = {"dataset": name, "files": [{**f, "bytes": 1, "sha256": "0"} for f in files]}
    described = croissant.describe(manifest, {})
    return {field["@id"]: field for each in described["recordSet"] for field in each["field"]}


def test_keys_are_unique(conversion: Conversion) -> None:
    """The column that others refer to holds each value once, over all splits."""
    names = pq.read_table(conversion.out / "data" / "images", columns=["name"])["name"]

    assert len(names) == len(names.unique())


def test_authors_are_those_of_the_citation(conversion: Conversion) -> None:
    """First names come first; the citation is the one of the paper."""
    described = croissant.describe_folder(str(conversion.out))

    assert "Juhong Min" == described["creator"][0]["name"]
    assert "SPair-71k" in described["citeAs"]
    assert not set(_NOT_KNOWN) & described.keys()


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"license": "cc-by-4.0"}, "cc-by-4.0"),
        ({"license": "other", "license_link": "https://example.org/terms"}, "https://example.org"),
        ({"license": "unknown"}, "VOC"),
    ],
)
def test_terms_are_those_of_the_card(card: dict[str, Any], expected: str) -> None:
    """An id, an address, or else what is known about them."""
    assert expected in croissant.describe({"dataset": "spair71k", "files": []}, card)["license"]


@pytest.mark.parametrize(
    ("tags", "expected"), [(None, []), (3, []), ("a", []), ([1, "a", None], ["a"])]
)
def test_tags_of_any_kind(tags: object, expected: list[str]) -> None:
    """Keywords are the tags that are texts."""
    described = croissant.describe({"dataset": "spair71k", "files": []}, {"tags": tags})
    assert expected == described["keywords"]


def test_the_command_prints_or_writes(conversion: Conversion, tmp_path: Path) -> None:
    """Both give the same JSON."""
    runner, folder = CliRunner(), str(conversion.out)
    printed = runner.invoke(cli, ["card", "croissant", folder])
    written = runner.invoke(cli, ["card", "croissant", folder, "--output", f"{tmp_path}/c.json"])

    assert 0 == printed.exit_code == written.exit_code
    assert json.loads(printed.output) == json.loads((tmp_path / "c.json").read_text())


def test_what_cannot_be_written_is_an_error_of_output(conversion: Conversion) -> None:
    """It names the file."""
    arguments = ["card", "croissant", str(conversion.out), "--output", "/nowhere/c.json"]

    assert isinstance(CliRunner().invoke(cli, arguments).exception, OutputError)


@pytest.mark.parametrize("manifest", [None, "{", '{"format": 1}', '{"files": []}'])
def test_without_a_manifest_nothing_is_described(manifest: str | None, tmp_path: Path) -> None:
    """Hashes are not guessed."""
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)

    with pytest.raises(UsageError, match=r"manifest\.json"):
        croissant.describe_folder(str(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "@misc",
        "@misc{",
        "@misc{a",
        "@misc{a, title}",
        "@misc{a, title = }",
        "@misc{a, title = {x}",
        "@misc{a, title = {x} year = 1}",
        "@misc{a, title = {x}, title = {y}}",
        "@misc{a, year = 1} @misc{a, year = 2}",
        '@misc{a, title = "x}',
        "@misc{a, title = {{x}",
        "@string{a = {x}}",
    ],
)
def test_what_bibtex_refuses_is_refused(text: str) -> None:
    """A citation that does not parse is told from one that does."""
    with pytest.raises(BibtexError):
        parse(text)


def test_bibtex_joins_and_comments() -> None:
    """Parts are joined, comments between fields are skipped, a last comma is allowed."""
    text = '@Book{k:1, % a comment\n title = "a {"} b" # { c}, month = jan,\n}\n'

    assert [("book", "k:1", {"title": 'a {"} b c', "month": "jan"})] == parse(text)
