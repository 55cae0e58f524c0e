"""Loads conversions of SPair-71k, and runs programs that print what they loaded."""

import json
import subprocess
import sys
from typing import Any

import datasets

from tests.conftest import Conversion

CONFIGS = ("pairs", "images", "pairs_flat")


def run(code_text: str, *arguments: str) -> tuple[Any, str]:
    done = subprocess.run(
        [sys.executable, "-c", code_text, *arguments], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def converted(conversion: Conversion, config: str, split: str = "test") -> datasets.Dataset:
    return datasets.load_dataset(str(conversion.out), config, split=split)


def plain(dataset: Any) -> list[dict[str, Any]]:
    """Return all rows with images as bytes."""
    for name, feature in list(dataset.features.items()):
        if isinstance(feature, datasets.Image):
            dataset = dataset.cast_column(name, datasets.Image(decode=False))
    return list(dataset)
