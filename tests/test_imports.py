import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import rawshelf
from tests.loading import run

persuaded = pytest.mark.skipif(
    int(pa.__version__.partition(".")[0]) < 26,
    reason="pyarrow 17 looks for pandas again with each array; between 17 and 26 nobody looked",
)


def test_public_names_are_not_hidden_by_modules() -> None:
    """Importing every module leaves the package's public names what they are."""
    hidden, _ = run(
        "import json, types, rawshelf, rawshelf.cli, rawshelf.loading, rawshelf.views;"
        " print(json.dumps([name for name in rawshelf.__all__ if"
        " isinstance(getattr(rawshelf, name), types.ModuleType)]))"
    )

    assert [] == hidden
    assert rawshelf.__all__ == dir(rawshelf)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rawshelf.nothing  # noqa: B018 - the access is the test


def test_importing_rawshelf_imports_nothing_large() -> None:
    """The command line starts without the seconds that `datasets` takes, and then chooses."""
    loaded, _ = run("import rawshelf.cli, sys, json; print(json.dumps(list(sys.modules)))")

    assert {"datasets", "pandas", "pyarrow", "numpy"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", rawshelf.names())
def test_a_dataset_is_found_without_its_tools(name: str) -> None:
    """A conversion pays for nothing that draws, evaluates or verifies; who asks gets it."""
    early, late = run(
        "import json, sys; from rawshelf import catalog;"
        f" dataset = catalog.find({name!r}); early = list(sys.modules); dataset.tools();"
        " print(json.dumps([early, list(sys.modules)]))"
    )[0]

    tools = {f"rawshelf.{name}.{each}" for each in ("tools", "pictures", "page", "evaluate")}
    assert tools.isdisjoint(early)
    assert tools < set(late)
    assert not [each for each in early if each.startswith(("rawshelf.preview", "rawshelf.metrics"))]


@persuaded
def test_a_process_of_its_own_leaves_pandas_to_others() -> None:
    """Arrays are made without it and in the system's memory; it can still be imported."""
    found, _ = run(
        "import json, sys; from rawshelf.startup import prepare; prepare(); import pyarrow;"
        " pyarrow.array([1]); early = 'pandas' in sys.modules; import pandas;"
        " print(json.dumps([early, pandas.Series([1]).tolist(),"
        " pyarrow.default_memory_pool().backend_name]))"
    )

    assert [False, [1], "system"] == found


def test_arrays_import_nothing() -> None:
    """Not pandas either, which old versions of pyarrow import: an interrupt would be lost."""
    before, after = run(
        "import json, sys; from rawshelf.startup import prepare; prepare(); import pyarrow;"
        " before = list(sys.modules); pyarrow.array([{'a': b'1'}]);"
        " print(json.dumps([before, list(sys.modules)]))"
    )[0]

    assert before == after


@persuaded
@pytest.mark.parametrize("workers", [1, 2])
def test_a_conversion_imports_no_pandas(workers: int, miniature_tar: Path, tmp_path: Path) -> None:
    """Not in its own process, and not in its workers."""
    command = [sys.executable, "-X", "importtime", "-m", "rawshelf", "convert", "spair71k"]
    command += [str(miniature_tar), str(tmp_path / "out"), "--workers", str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert "pyarrow" in done.stderr
    assert "pandas.core" not in done.stderr
