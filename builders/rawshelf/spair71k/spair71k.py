"""The `datasets` builder of SPair-71k. One row is a pair of images, or one image; see `CONFIGS`.

Works as a class, by name after ``import rawshelf``, and as a loading script by path under
`datasets` 3.6. It does no file access (see `rawshelf.loading`).
"""

from __future__ import annotations

from rawshelf.loading import RawBuilder, raw_configs
from rawshelf.spair71k import DATASET


class SPair71k(RawBuilder):
    """Reads a raw SPair-71k release."""

    DATASET = DATASET
    BUILDER_CONFIGS = raw_configs(DATASET)
    DEFAULT_CONFIG_NAME = DATASET.configs[0].name


BUILDER = SPair71k
