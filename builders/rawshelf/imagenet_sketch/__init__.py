"""ImageNet-Sketch: sketch-like images of the 1,000 ImageNet classes."""

from __future__ import annotations

from rawshelf.imagenet_sketch.columns import CONFIGS
from rawshelf.imagenet_sketch.listing import RELEASE_ORDER, SHUFFLED
from rawshelf.imagenet_sketch.release import RELEASE
from rawshelf.imagenet_sketch.tables import prepare
from rawshelf.release import Dataset, Tools


def _tools() -> Tools:
    from rawshelf.imagenet_sketch.tools import TOOLS  # noqa: PLC0415 - see `Dataset`

    return TOOLS


DATASET = Dataset(RELEASE, CONFIGS, prepare, _tools, orders=(SHUFFLED, RELEASE_ORDER))
