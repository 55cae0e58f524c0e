"""ImageNet-Sketch: sketch-like images of the 1,000 ImageNet classes."""

from __future__ import annotations

from rawshelf.imagenet_sketch import verification
from rawshelf.imagenet_sketch.columns import CONFIGS
from rawshelf.imagenet_sketch.evaluate import command
from rawshelf.imagenet_sketch.listing import RELEASE_ORDER, SHUFFLED
from rawshelf.imagenet_sketch.page import SHELF
from rawshelf.imagenet_sketch.pictures import PICTURES
from rawshelf.imagenet_sketch.release import RELEASE
from rawshelf.imagenet_sketch.tables import prepare
from rawshelf.release import Dataset, Verifier

DATASET = Dataset(
    RELEASE,
    CONFIGS,
    prepare,
    Verifier(verification.CONFIGS, verification.verify),
    orders=(SHUFFLED, RELEASE_ORDER),
    pictures=PICTURES,
    evaluate=command,
    shelf=SHELF,
)
