"""Make the raw releases loadable by name: ``load_dataset("rawshelf_spair71k", ...)``."""

from __future__ import annotations

from datasets import packaged_modules

from rawshelf import catalog
from rawshelf.code import code_fingerprint

PREFIX = "rawshelf_"


def register() -> None:
    """Add every dataset's builder to the modules that `datasets` ships.

    `datasets` offers no plugin point; its table of packaged modules is a private dict that other
    packages extend in the same way. Where a future version has no such table, nothing is added,
    and `rawshelf.load` still works.
    """
    table = getattr(packaged_modules, "_PACKAGED_DATASETS_MODULES", None)
    if not isinstance(table, dict):
        return
    for name in catalog.names():
        table[f"{PREFIX}{name}"] = (builder_module(name), code_fingerprint())


def builder_module(name: str) -> str:
    """Return the dotted name of a dataset's builder module.

    It is named like the dataset, because `datasets` takes a builder's name from there.
    """
    return f"rawshelf.{name}.{name}"
