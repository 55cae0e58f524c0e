"""PartImageNet: ImageNet photographs with masks and polygons of their objects' parts."""

from __future__ import annotations

from rawshelf.partimagenet import verification
from rawshelf.partimagenet.classes import info_lines
from rawshelf.partimagenet.columns import CONFIGS
from rawshelf.partimagenet.evaluate import command
from rawshelf.partimagenet.export import export_coco
from rawshelf.partimagenet.inspection import inspect
from rawshelf.partimagenet.page import SHELF
from rawshelf.partimagenet.pictures import PICTURES
from rawshelf.partimagenet.release import ORDERS, RELEASE
from rawshelf.partimagenet.tables import prepare
from rawshelf.release import Dataset, Verifier

DATASET = Dataset(
    RELEASE,
    CONFIGS,
    prepare,
    Verifier(verification.CONFIGS, verification.verify),
    orders=ORDERS,
    details=info_lines,
    inspect=inspect,
    exports={"coco": export_coco},
    pictures=PICTURES,
    evaluate=command,
    shelf=SHELF,
)
