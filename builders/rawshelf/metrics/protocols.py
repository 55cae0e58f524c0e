"""The published evaluators of SPair-71k as protocols, so that figures can be compared.

Read in the evaluators' own code, at the commits named. Not here, because what was read does not
settle their rules: SD4Match (its configuration file decides), probe3d (crops to the box and
rounds before the model), ASIC, and graph matching (BBGM, pygmtools), which counts matches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from rawshelf import catalog
from rawshelf.metrics.pck import Protocol


@dataclass(frozen=True)
class Preset:
    """A named protocol.

    Attributes:
        protocol: The rules.
        source: Where they were read.
        note: What else a reader should know.
    """

    protocol: Protocol
    source: str
    note: str = ""


_SWAPPED = (
    "source and target of truncation and occlusion stand exchanged against the codes of the release"
)
_LIKE_CATS = Protocol(frame="square", size=256, reverse=True)
_LIKE_CATS_NOTE = (
    "predicts source points from target points; the pairs are symmetric, so that only "
    f"breakdowns differ: {_SWAPPED}"
)
_PADDED = Protocol(frame="padded", size=840, strict=True)
_SD_DINO = "Junyi42/sd-dino b85df18ea232, pck_spair_pascal.py"
_GEOAWARE = "Junyi42/GeoAware-SC 99fd6b6a37d2, pck_train.py and utils/logger.py"
_DIFT = "Tsingularity/dift 9421eb203439, eval_spair.py"

DEFAULT = "paper"
PRESETS = {
    DEFAULT: Preset(
        Protocol(reverse=True),
        "arXiv 1908.10543, Table 4; gives all 15 cells of its identity row on the real test split",
        f"as in that table, {_SWAPPED}",
    ),
    "hpf": Preset(
        Protocol(frame="longest", size=300),
        "juhongm999/hpf 5a72968842c3, model/evaluation.py and model/util.py",
    ),
    "dhpf": Preset(Protocol(frame="square", size=240), "juhongm999/dhpf 8ba99ae4b796"),
    "chm": Preset(Protocol(frame="square", size=240), "juhongm999/chm bec0de4477e1"),
    "cats": Preset(_LIKE_CATS, "CATs d01785adcd04", _LIKE_CATS_NOTE),
    "scorrsan": Preset(_LIKE_CATS, "SCorrSAN bc06425a3f1a", _LIKE_CATS_NOTE),
    "pwarpc": Preset(
        _LIKE_CATS,
        "PruneTruong/DenseMatching b054fe9f7988",
        f"its test size is an option, here 256; {_LIKE_CATS_NOTE}",
    ),
    "ldm": Preset(
        Protocol(frame="square", size=512, side="source"),
        "LDM_correspondences 97e3246f0fcf",
        "measures target points by the source's box",
    ),
    "dift": Preset(Protocol(), _DIFT, "its figure per image"),
    "dift-point": Preset(Protocol(average="point"), _DIFT, "its figure per point"),
    "hyperfeatures": Preset(
        Protocol(average="point"), "diffusion_hyperfeatures 4a5ec2b20985", "its figure per point"
    ),
    "sd-dino": Preset(
        replace(_PADDED, average="point", pool="category"),
        _SD_DINO,
        "its plain average; the program samples 20 pairs of each category unless told otherwise",
    ),
    "sd-dino-weighted": Preset(
        replace(_PADDED, average="point", pool="weighted"),
        _SD_DINO,
        "its average weighted by pairs; the program samples 20 pairs of each category unless told "
        "otherwise",
    ),
    "geoaware": Preset(_PADDED, _GEOAWARE, "its default, per image"),
    "geoaware-point": Preset(
        replace(_PADDED, average="point"), _GEOAWARE, "its figure with --KPT_RESULT"
    ),
    "gangealing": Preset(
        Protocol(frame="padded", size=256, average="point"),
        "wpeebles/gangealing ffa6387c7ffd, applications/pck.py",
        "evaluates one category at a time",
    ),
}


def protocol(name: str = DEFAULT, **changes: Any) -> Protocol:
    """Return a published protocol, changed where asked.

    Args:
        name: One of `PRESETS`.
        **changes: Attributes of `rawshelf.metrics.pck.Protocol`; None changes nothing.

    Raises:
        UsageError: If there is none of that name, or the changes do not go together.

    >>> protocol("dhpf", alpha=0.05).size
    240
    """
    if name not in PRESETS:
        raise catalog.unknown("protocol", name, tuple(PRESETS))
    given = {key: value for key, value in changes.items() if value is not None}
    if given.get("frame") == "original":
        given.setdefault("size", 0)
    return replace(PRESETS[name].protocol, **given)
