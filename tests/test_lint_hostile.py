"""Cards, metadata and manifests that no program writes give findings, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rawshelf.lint import lint

_CONFIGS = (
    "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: data/a/*.parquet\n"
)
_SHARD = "data/a/train-00000-of-00001.parquet"


def repository(
    folder: Path,
    front: str,
    *,
    metadata: bytes | None = None,
    manifest: dict[str, Any] | None = None,
) -> str:
    """Write a repository of one config with the column `x`."""
    (folder / "data" / "a").mkdir(parents=True)
    (folder / "README.md").write_text(f"---\n{_CONFIGS}{front}---\n# T\n", "utf-8")
    kept = {} if metadata is None else {b"huggingface": metadata}
    pq.write_table(
        pa.table({"x": [1, 2]}, pa.schema([("x", pa.int64())], metadata=kept)), folder / _SHARD
    )
    if manifest is not None:
        (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return str(folder)


def info(feature: str) -> str:
    return f"dataset_info:\n  config_name: a\n  features: [{{name: x, {feature}}}]\n"


def rules(folder: str) -> set[str]:
    return {finding.rule for finding in lint(folder)} - {"license-missing"}


@pytest.mark.parametrize("option", ["list: 3", "struct: 3", "large_list: 3", "label: 3"])
def test_options_named_as_types_are(option: str, tmp_path: Path) -> None:
    """An option of a class is no part of the type's form, whatever it is called."""
    found = rules(repository(tmp_path, info(f"foo: {{{option}}}")))
    assert found <= {"features-differ"}


@pytest.mark.parametrize("option", ['"list": 3', '"struct": 3', '"large_list": 3', '"label": 3'])
@pytest.mark.parametrize("stated", ["sequence: int64", "struct: [{name: y, dtype: int64}]"])
def test_metadata_with_such_options(option: str, stated: str, tmp_path: Path) -> None:
    """What the file's own metadata say is compared, not trusted."""
    metadata = f'{{"info": {{"features": {{"x": {{"_type": "Foo", {option}}}}}}}}}'
    found = rules(repository(tmp_path, info(stated), metadata=metadata.encode()))
    assert {"features-differ"} == found


@pytest.mark.parametrize("value", ["!!bool x", "!!int x", "!!float x", "!!timestamp x"])
def test_a_value_that_its_tag_does_not_fit(value: str, tmp_path: Path) -> None:
    """The safe loader looks some of them up in a table."""
    assert "yaml-syntax" in rules(repository(tmp_path, f"a: {value}\n"))


@pytest.mark.parametrize("count", [{"config": "a", "split": [1]}, {"config": {}, "split": None}])
def test_a_count_of_a_split_that_is_no_text(count: dict[str, Any], tmp_path: Path) -> None:
    """A manifest of another shape is told."""
    manifest = {"format": 1, "files": [], "counts": [{**count, "rows": 1}]}
    assert {"manifest-form"} == rules(repository(tmp_path, "", manifest=manifest))
