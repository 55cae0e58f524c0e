import pytest

import rawshelf
from tests.loading import run


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


def test_importing_rawshelf_does_not_import_datasets() -> None:
    """The command line starts without the seconds that `datasets` takes."""
    loaded, _ = run("import rawshelf.cli, sys, json; print(json.dumps('datasets' in sys.modules))")

    assert loaded is False
