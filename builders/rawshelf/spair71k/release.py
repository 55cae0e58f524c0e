"""SPair-71k: the facts, each with its source. Literals only.

Sources: [paper] Min et al., "SPair-71k: A Large-scale Benchmark for Semantic Correspondence",
arXiv 1908.10543; [readme] the README in the release; [devkit] devkit/*.py in the release;
[files] read in the release's own annotation files; [hub] the card of the Hub dataset 0jl/SPair-71k.
"""

from __future__ import annotations

from rawshelf.release import Archive, Claim, Release, Split

# Folder names, which are also the JSON's `category` [files]. Alphabetical, which is VOC's order
# without diningtable and sofa. The paper spells four of them differently ("bike", "moto", "plant",
# "tv").
CATEGORIES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "train",
    "tvmonitor",
)

# VOC class id of each category, which is the pixel value of its object in Segmentation [files of
# VOC 2012; read so by the published mask loaders of CHM and SD4Match]. 11 is diningtable, 18 sofa.
VOC_CLASS_IDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 19, 20)

# VOC's viewpoint names, alphabetical. Frontal, Left, Right and Unspecified are in [files]; Rear is
# VOC's fifth.
POSES = ("Frontal", "Left", "Rear", "Right", "Unspecified")

VIEWPOINT = SCALE = ("easy", "medium", "hard")  # codes 0, 1, 2 [paper, section 3.3]
TRUNCATION = OCCLUSION = ("none", "source", "target", "both")  # codes 0..3 [devkit]

KEYPOINT_SLOTS = 30  # every image annotation has the keys "0" to "29" [devkit asserts it]
AZIMUTH_BINS = 8  # of 45 degrees; 0 front, 2 left, 4 rear, 6 right [files]
IMAGE_DEPTH = 3  # the third number of every image size [files]

LAYOUTS = ("large", "small")

# What stands at the top of the release [readme].
ANCHORS = frozenset(
    {
        "README",
        "devkit",
        "ImageAnnotation",
        "JPEGImages",
        "Segmentation",
        "PairAnnotation",
        "Layout",
    }
)

_README = "README of the release"
_TABLE_1 = "paper, Tables 1 and 2"

RELEASE = Release(
    name="spair71k",
    title="SPair-71k",
    summary="Image pairs of the same category with corresponding keypoints.",
    homepage="https://cvlab.postech.ac.kr/research/SPair-71k/",
    paper="https://arxiv.org/abs/1908.10543",
    licence=(
        "No licence file and no statement in the release. The photographs are PASCAL VOC's, "
        "collected from flickr under flickr's terms of use."
    ),
    private=True,
    archives=(
        Archive(
            name="SPair-71k.tar.gz",
            bytes=226_961_117,
            sha256="d145eebe4d7d02ff0b9e2746dd3d72cfcb872df0dcfd6f3227576eb594408809",
            urls=("https://cvlab.postech.ac.kr/research/SPair-71k/data/SPair-71k.tar.gz",),
            bytes_by="the Hub card of 0jl/SPair-71k and an independent README; not the publisher",
            sha256_by="two public build scripts; not the publisher",
        ),
    ),
    splits=(Split("train", "trn"), Split("validation", "val"), Split("test", "test")),
    claims=(
        Claim("pairs", "train", 53_340, _TABLE_1),
        Claim("pairs", "validation", 5_384, _TABLE_1),
        Claim("pairs", "test", 12_234, _TABLE_1),
        Claim("pairs", None, 70_958, _README),
        Claim("images", "train", 997, "paper, section 3"),
        Claim("images", "validation", 322, "paper, section 3"),
        Claim("images", "test", 481, "paper, section 3"),
        Claim("images", None, 1_800, _README),
    ),
)
