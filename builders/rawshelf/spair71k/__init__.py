"""SPair-71k: semantic correspondence between pairs of photographs."""

from __future__ import annotations

from rawshelf.release import Dataset, Tools
from rawshelf.spair71k.columns import CONFIGS
from rawshelf.spair71k.release import RELEASE
from rawshelf.spair71k.tables import prepare


def _tools() -> Tools:
    from rawshelf.spair71k.tools import TOOLS  # noqa: PLC0415 - see `Dataset`

    return TOOLS


DATASET = Dataset(RELEASE, CONFIGS, prepare, _tools)
