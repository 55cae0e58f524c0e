"""ImageNet-Sketch: the facts, each with its source. Literals only.

Sources: [readme] README of github.com/HaohanWang/ImageNet-Sketch; [tfds] checksums.tsv and builder
of imagenet_sketch in tensorflow_datasets 4.9.10; [hf] dataset_infos.json of the dataset's old
loading script in huggingface/datasets; [timm] results-sketch.csv of pytorch-image-models, whose
3,112 accuracies are all multiples of 1/50,889; [script] scripts/moveImages.py of the home
repository; [issue] issue 1 of the home repository.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from rawshelf.release import Archive, Claim, Release, Split

IMAGES = 50_889  # [hf], [timm]; the README and the paper say 50,000
USUAL_PER_CLASS = 51  # [script] stops at counter > 50, so that 51 files are written
SHORT_PER_CLASS = 50  # classes padded up to 50

# Whether these 12 classes hold 50 or 51 is not known: together they hold 610 images, so two of
# them hold 50. Derived from the authors' pre-release list and the published counts.
UNDETERMINED = (
    "n01440764",
    "n01443537",
    "n01484850",
    "n01491361",
    "n01494475",
    "n01496331",
    "n01498041",
    "n01514668",
    "n01518878",
    "n01580077",
    "n02012849",
    "n03710637",
)


# "also other categories" [issue 2 of the home repository]; transparent drawings turn black, because
# the authors' script writes JPEG [script].
KNOWN_BLACK = ("sketch/n03085013/sketch_3.JPEG", "sketch/n03085013/sketch_33.JPEG")


def expected_per_class(wnid: str) -> tuple[int, ...]:
    """Return how many images a class may hold in the release.

    From classes_of_50.txt: 109 classes whose ``sketch_50.JPEG`` is in the authors' pre-release
    list but not in the release (a fork of the home repository filtered that list by the files on
    disk); confirmed by the 800 file ranks that model-vs-human's file names carry.
    """
    if wnid in UNDETERMINED:
        return (SHORT_PER_CLASS, USUAL_PER_CLASS)
    return (SHORT_PER_CLASS,) if wnid in _classes_of_50() else (USUAL_PER_CLASS,)


@cache
def _classes_of_50() -> frozenset[str]:
    text = resources.files(__package__).joinpath("classes_of_50.txt").read_text("ascii")
    return frozenset(text.split())


_RECORDS = (  # [tfds] and [hf], independent of each other
    "checksums of tensorflow_datasets and of the old loading script, which agree; not the publisher"
)

RELEASE = Release(
    name="imagenet_sketch",
    title="ImageNet-Sketch",
    summary="Sketch-like images of the 1,000 ImageNet classes.",
    homepage="https://github.com/HaohanWang/ImageNet-Sketch",
    paper="https://arxiv.org/abs/1905.13549",
    licence=(
        "Unknown. The home repository's MIT licence covers its scripts; the images were collected "
        "from Google image search, and their owners were not asked. Watermarks of stock libraries "
        "are visible on some."
    ),
    private=True,
    archives=(
        Archive(
            name="ImageNet-Sketch.zip",
            bytes=7_593_573_012,
            sha256="4d3ce6b82a7c48aabf14aeac105eb533e75707f152cc858f55bfc022031a72ed",
            urls=(
                "https://drive.google.com/file/d/1Mj0i5HBthqH1p_yeXzsg22gZduvgoNeA",
                "https://huggingface.co/datasets/songweig/imagenet_sketch",
            ),
            bytes_by=_RECORDS,
            sha256_by=_RECORDS,
        ),
    ),
    splits=(Split("test", "test"),),
    claims=(
        Claim(
            "default",
            "test",
            50_000,
            "README and paper",
            refuted="issue 1 of the home repository: the release holds 50,889",
        ),
        Claim("default", "test", IMAGES, "dataset_infos.json of the old loading script; timm"),
    ),
)
