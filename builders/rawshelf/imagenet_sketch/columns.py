"""The columns of ImageNet-Sketch's configs, with units and conventions."""

from __future__ import annotations

from rawshelf import labels
from rawshelf.features import ClassLabel, Column, Image, Value
from rawshelf.imagenet_sketch.headers import MODES, derive
from rawshelf.release import Config

LABEL = ClassLabel(tuple(labels.names()))
MODE = ClassLabel(MODES)
TRANSFORM = ClassLabel(("none", "copy", "mirror", "flip", "rotate180"))

_TEXT, _INT = Value("string"), Value("int32")

COLUMNS = (
    Column("image", Image(), "The sketch (JPEG), bytes as released."),
    Column(
        "label",
        LABEL,
        "ImageNet class, index and names equal to those of ILSVRC/imagenet-1k; looked up by wnid.",
    ),
    Column("wnid", _TEXT, "WordNet 3.0 id of the class: the folder's name."),
    Column("file_name", _TEXT, "Name within the release."),
    Column(
        "index", _INT, "Place in release order, from 0: by wnid, then by the number in the name."
    ),
    Column("width", _INT, "Pixels of the stored raster."),
    Column("height", _INT, "Pixels of the stored raster."),
    Column("mode", MODE, "Colour mode of the JPEG: L (grey), RGB or CMYK; the first two occur."),
)

QUALITY_COLUMNS = (
    Column(
        "quality_of",
        _TEXT,
        "The image that the row is about: its `file_name`.",
        "default/file_name",
    ),
    Column(
        "is_constant",
        Value("bool"),
        "All pixels have the same luma. About 0.5 % of the release are black: drawings on a "
        "transparent ground whose transparency was dropped. Null if the file does not decode.",
    ),
    Column("mean", Value("float32"), "Mean luma of the pixels, 0 black to 255 white."),
    Column("deviation", Value("float32"), "Standard deviation of the luma, in the same levels."),
    Column(
        "content_key",
        _TEXT,
        "Equal for an image and its copies, mirrored, flipped or rotated by 180 degrees; "
        "different otherwise. Null for images without content: their luma spans at most 7 levels.",
    ),
    Column(
        "copy_of",
        _TEXT,
        "`file_name` of the first image in release order that this one repeats; null if it "
        "repeats none, or has no content.",
        "default/file_name",
    ),
    Column(
        "transform",
        TRANSFORM,
        "How this image is made from `copy_of`: copy (unchanged), mirror (left-right), flip "
        "(upside down), rotate180; none if it repeats no image.",
    ),
)

CONFIGS = (
    Config("default", "One sketch with its class.", COLUMNS, derive=derive),
    Config(
        "quality",
        "What is wrong with each sketch: one row per row of `default`, in the same order.",
        QUALITY_COLUMNS,
    ),
)
