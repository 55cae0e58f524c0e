"""The `datasets` builder of PartImageNet. One row is one photograph with its parts; see `CONFIGS`.

Works as a class, by name after ``import rawshelf``, and as a loading script by path under
`datasets` 3.6. It does no file access (see `rawshelf.loading`).
"""

from __future__ import annotations

from rawshelf.loading import RawBuilder, raw_configs
from rawshelf.partimagenet import DATASET


class PartImageNet(RawBuilder):
    """Reads a raw PartImageNet release."""

    DATASET = DATASET
    BUILDER_CONFIGS = raw_configs(DATASET)
    DEFAULT_CONFIG_NAME = DATASET.configs[0].name


BUILDER = PartImageNet
