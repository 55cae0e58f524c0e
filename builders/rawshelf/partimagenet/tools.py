"""What commands other than a conversion have for PartImageNet."""

from __future__ import annotations

from rawshelf.partimagenet import verification
from rawshelf.partimagenet.classes import info_lines
from rawshelf.partimagenet.evaluate import command
from rawshelf.partimagenet.export import export_coco
from rawshelf.partimagenet.inspection import inspect
from rawshelf.partimagenet.page import SHELF
from rawshelf.partimagenet.pictures import PICTURES
from rawshelf.release import Tools, Verifier

TOOLS = Tools(
    Verifier(verification.CONFIGS, verification.verify),
    details=info_lines,
    inspect=inspect,
    exports={"coco": export_coco},
    pictures=PICTURES,
    evaluate=command,
    shelf=SHELF,
)
