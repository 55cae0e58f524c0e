"""SPair-71k: semantic correspondence between pairs of photographs."""

from __future__ import annotations

from rawshelf.release import Dataset, Verifier
from rawshelf.spair71k import verification
from rawshelf.spair71k.columns import CONFIGS
from rawshelf.spair71k.evaluate import command
from rawshelf.spair71k.page import SHELF
from rawshelf.spair71k.pictures import PICTURES
from rawshelf.spair71k.release import RELEASE
from rawshelf.spair71k.tables import prepare

DATASET = Dataset(
    RELEASE,
    CONFIGS,
    prepare,
    Verifier(verification.CONFIGS, verification.verify),
    pictures=PICTURES,
    evaluate=command,
    shelf=SHELF,
)
