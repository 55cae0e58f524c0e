"""PartImageNet: ImageNet photographs with masks and polygons of their objects' parts."""

from __future__ import annotations

from rawshelf.partimagenet.columns import CONFIGS
from rawshelf.partimagenet.release import ORDERS, RELEASE
from rawshelf.partimagenet.tables import prepare
from rawshelf.release import Dataset, Tools


def _tools() -> Tools:
    from rawshelf.partimagenet.tools import TOOLS  # noqa: PLC0415 - see `Dataset`

    return TOOLS


DATASET = Dataset(RELEASE, CONFIGS, prepare, _tools, orders=ORDERS)
