"""Conversions that are refused because of where they are to be written."""

from pathlib import Path

import pytest

from rawshelf.convert import Options, convert
from rawshelf.errors import OutputError


def refusal(raw: Path, out: Path, *args: object, **options: int) -> OutputError:
    with pytest.raises(OutputError) as caught:
        convert("spair71k", str(raw), str(out), Options(*args, **options))  # type: ignore[arg-type]

    assert 6 == caught.value.exit_code
    return caught.value
