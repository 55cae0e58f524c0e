"""SPair-71k: semantic correspondence between pairs of photographs."""

from __future__ import annotations

from rawshelf.release import Dataset
from rawshelf.spair71k.columns import CONFIGS
from rawshelf.spair71k.page import SHELF
from rawshelf.spair71k.pictures import PICTURES
from rawshelf.spair71k.release import RELEASE
from rawshelf.spair71k.tables import prepare

DATASET = Dataset(RELEASE, CONFIGS, prepare, pictures=PICTURES, shelf=SHELF)
