"""What commands other than a conversion have for SPair-71k."""

from __future__ import annotations

from rawshelf.release import Tools, Verifier
from rawshelf.spair71k import verification
from rawshelf.spair71k.evaluate import command
from rawshelf.spair71k.page import SHELF
from rawshelf.spair71k.pictures import PICTURES

TOOLS = Tools(
    Verifier(verification.CONFIGS, verification.verify),
    pictures=PICTURES,
    evaluate=command,
    shelf=SHELF,
)
