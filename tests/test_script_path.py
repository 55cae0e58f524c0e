from pathlib import Path

import datasets
import pytest

from rawshelf.spair71k import spair71k
from tests.conftest import Conversion

MAJOR = int(datasets.__version__.partition(".")[0])


@pytest.mark.skipif(MAJOR >= 4, reason="datasets 4.0 dropped loading scripts")
@pytest.mark.parametrize("streaming", [False, True])
def test_the_builder_module_works_as_a_loading_script(
    streaming: bool, conversion: Conversion, tmp_path: Path
) -> None:
    """By path, as users of datasets 3 run it."""
    actual = datasets.load_dataset(
        str(spair71k.__file__),
        "pairs",
        data_dir=str(conversion.raw),
        split="test",
        trust_remote_code=True,
        streaming=streaming,
        cache_dir=str(tmp_path),
    )

    expected = datasets.load_dataset(str(conversion.out), "pairs", split="test")
    assert list(expected) == list(actual)


def test_the_builder_is_named_as_the_dataset(conversion: Conversion, tmp_path: Path) -> None:
    """The cache's folder is named after the module."""
    builder = spair71k.SPair71k(
        config_name="pairs", data_dir=str(conversion.raw), cache_dir=str(tmp_path)
    )

    assert "spair71k" == builder.name
    assert str(tmp_path / "spair71k") in builder.cache_dir
