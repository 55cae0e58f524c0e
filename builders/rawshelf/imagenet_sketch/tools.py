"""What commands other than a conversion have for ImageNet-Sketch."""

from __future__ import annotations

from rawshelf.imagenet_sketch import verification
from rawshelf.imagenet_sketch.evaluate import command
from rawshelf.imagenet_sketch.page import SHELF
from rawshelf.imagenet_sketch.pictures import PICTURES
from rawshelf.release import Tools, Verifier

TOOLS = Tools(
    Verifier(verification.CONFIGS, verification.verify),
    pictures=PICTURES,
    evaluate=command,
    shelf=SHELF,
)
