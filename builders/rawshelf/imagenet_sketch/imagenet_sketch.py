"""The `datasets` builder of ImageNet-Sketch. One row is one sketch.

Works as a class, by name after ``import rawshelf``, and as a loading script by path under
`datasets` 3.6. It does no file access (see `rawshelf.loading`).
"""

from __future__ import annotations

from rawshelf.imagenet_sketch import DATASET
from rawshelf.loading import RawBuilder, raw_configs


class ImageNetSketch(RawBuilder):
    """Reads a raw ImageNet-Sketch release."""

    DATASET = DATASET
    BUILDER_CONFIGS = raw_configs(DATASET)
    DEFAULT_CONFIG_NAME = DATASET.configs[0].name


BUILDER = ImageNetSketch
