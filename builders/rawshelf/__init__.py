"""rawshelf: raw public vision datasets, verified, as Arrow-backed `datasets`.

>>> import rawshelf
>>> rawshelf.names()
('spair71k', 'imagenet_sketch', 'partimagenet')

After ``import rawshelf``, ``datasets.load_dataset("rawshelf_spair71k", ...)`` reads the raw
release. The import itself is light: neither `datasets` nor pyarrow is imported before it is needed.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from rawshelf.hooks import after_import

if TYPE_CHECKING:
    from rawshelf.catalog import names
    from rawshelf.errors import RawshelfError
    from rawshelf.keypoints import points
    from rawshelf.loading import load
    from rawshelf.pixels import DecodedImages, decoded, decoded_size
    from rawshelf.streaming import stream
    from rawshelf.views import JoinedPairs, join

__all__ = [
    "DecodedImages",
    "JoinedPairs",
    "RawshelfError",
    "decoded",
    "decoded_size",
    "join",
    "load",
    "names",
    "points",
    "stream",
]

# No public name may be that of a module: importing `rawshelf.convert` binds the module here.
_HOMES = {
    "DecodedImages": "rawshelf.pixels",
    "JoinedPairs": "rawshelf.views",
    "RawshelfError": "rawshelf.errors",
    "decoded": "rawshelf.pixels",
    "decoded_size": "rawshelf.pixels",
    "join": "rawshelf.views",
    "load": "rawshelf.loading",
    "names": "rawshelf.catalog",
    "points": "rawshelf.keypoints",
    "stream": "rawshelf.streaming",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        msg = f"module 'rawshelf' has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # noqa: PLC0415 - as light as the rest of this module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__


def _on_datasets_imported(_: ModuleType) -> None:
    from rawshelf.registry import register  # noqa: PLC0415 - needs `datasets`

    register()


# `datasets` has no plugin point, and importing it takes longer than many conversions: the names
# are added to its table when, and only if, a program imports it.
after_import("datasets", _on_datasets_imported)
