"""PartImageNet: the facts, each with its source. Literals only.

Sources: [readme] README of github.com/TACJu/PartImageNet; [author] the author's answer in its
issue 12; [omni] `whole_meta` in bytedance/OmniScient-Model; [pdisco] the training list of
ananthu-aniraj/pdiscoformer; [catseg] the class lists of kaist-cvml/part-catseg; [cocofile] names
that several public loaders read from the COCO files (facebookresearch/VLPart, PlumageParts).

No real file of the release was at hand when this was written: what is called unconfirmed below is
warned about and never enforced.
"""

from __future__ import annotations

from rawshelf.release import Archive, Claim, Release, Split

SEG, OOD = "seg", "ood"
KINDS = (SEG, OOD)
SHUFFLED, RELEASE_ORDER = "shuffled", "release"
ORDERS = (SHUFFLED, RELEASE_ORDER)

# In the order of the part ids [cocofile]; the README lists three of them in another order.
SUPERCATEGORIES = (
    "Quadruped",
    "Biped",
    "Fish",
    "Bird",
    "Snake",
    "Reptile",
    "Car",
    "Bicycle",
    "Boat",
    "Aeroplane",
    "Bottle",
)

# Position is the COCO category id and the pixel value of the part masks [cocofile]. "Tier" (a
# tyre) is the release's spelling. One public list has Bicycle, Aeroplane and Bottle in another
# order (Compositor, register_partimagenet_semseg.py); the cross-check tells which holds.
PARTS = (
    "Quadruped Head",
    "Quadruped Body",
    "Quadruped Foot",
    "Quadruped Tail",
    "Biped Head",
    "Biped Body",
    "Biped Hand",
    "Biped Foot",
    "Biped Tail",
    "Fish Head",
    "Fish Body",
    "Fish Fin",
    "Fish Tail",
    "Bird Head",
    "Bird Body",
    "Bird Wing",
    "Bird Foot",
    "Bird Tail",
    "Snake Head",
    "Snake Body",
    "Reptile Head",
    "Reptile Body",
    "Reptile Foot",
    "Reptile Tail",
    "Car Body",
    "Car Tier",
    "Car Side Mirror",
    "Bicycle Body",
    "Bicycle Head",
    "Bicycle Seat",
    "Bicycle Tier",
    "Boat Body",
    "Boat Sail",
    "Aeroplane Head",
    "Aeroplane Body",
    "Aeroplane Engine",
    "Aeroplane Wing",
    "Aeroplane Tail",
    "Bottle Mouth",
    "Bottle Body",
)
CLASSES = 158  # [omni]; the counts per super-category equal the README's
# Classes of each super-category, in their order [readme]. Until 2023-10-18 it said 23 for Car, and
# the paper still does; the sum would be 162.
CLASSES_PER_SUPERCATEGORY = (46, 17, 10, 14, 15, 20, 19, 6, 4, 2, 5)
OOD_CLASSES = {"train": 109, "validation": 19, "test": 30}  # [readme]
PART_BACKGROUND = len(PARTS)  # 40 [author]
WHOLE_BACKGROUND = CLASSES  # 158 [author]

# Unconfirmed: recollected without a source. 2,405 usable test images are reported by pdiscoformer.
UNCONFIRMED_SEG_ROWS = {"train": 20_466, "validation": 1_206, "test": 2_408}

# Both are on the public list of ImageNet's CMYK files (cytsai/ilsvrc-cmyk-image-list). The first
# is an image of OOD train [pdisco]; whether the release has the second is unconfirmed.
CMYK = ("n02492035_15739", "n02447366_23489")

_README = "README of the home repository"
_OOD_ROWS = (("train", 16_540), ("validation", 2_957), ("test", 4_598), (None, 24_095))
_NOBODY = "nobody"
_HUB = "https://huggingface.co/datasets/turkeyju/PartImageNet/resolve/main"

RELEASE = Release(
    name="partimagenet",
    title="PartImageNet",
    summary="ImageNet photographs of 158 classes with masks and polygons of 40 kinds of parts.",
    homepage="https://github.com/TACJu/PartImageNet",
    paper="https://arxiv.org/abs/2112.00933",
    licence=(
        "No licence file or statement in the home repository. The photographs are ImageNet's "
        "training images: non-commercial research and education, no redistribution."
    ),
    private=True,
    archives=(
        Archive(
            name="PartImageNet_Seg.zip",
            bytes=3_124_435_169,
            sha256=None,
            urls=(f"{_HUB}/PartImageNet_Seg.zip",),
            bytes_by="a public download script, for revision cfa2edf3 of the Hub repository; "
            "not the publisher",
            sha256_by=_NOBODY,
            configs=(SEG, f"{SEG}_annotations"),
        ),
        Archive(
            name="PartImageNet_OOD.zip",
            bytes=None,
            sha256=None,
            urls=(f"{_HUB}/PartImageNet_OOD.zip",),
            bytes_by=_NOBODY,
            sha256_by=_NOBODY,
            configs=(OOD, f"{OOD}_annotations"),
        ),
    ),
    splits=(Split("train", "train"), Split("validation", "val"), Split("test", "test")),
    claims=tuple(
        Claim(config, split, rows, _README)
        for config in (OOD, f"{OOD}_annotations")
        for split, rows in _OOD_ROWS
    ),
    shareable=tuple(f"{config}_annotations" for config in (SEG, OOD)),
)
RAW_SPLITS = tuple(split.raw for split in RELEASE.splits)
SPLIT_NAMES = {split.raw: split.name for split in RELEASE.splits}
