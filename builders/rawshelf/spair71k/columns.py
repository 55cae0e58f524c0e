"""The columns of SPair-71k's configs, with units and conventions."""

from __future__ import annotations

from rawshelf.features import ClassLabel, Column, Image, List, Struct, Value
from rawshelf.release import Config
from rawshelf.spair71k import release

CATEGORY = ClassLabel(release.CATEGORIES)
POSE = ClassLabel(release.POSES)
VIEWPOINT = ClassLabel(release.VIEWPOINT)
SCALE = ClassLabel(release.SCALE)
TRUNCATION = ClassLabel(release.TRUNCATION)
OCCLUSION = ClassLabel(release.OCCLUSION)

_INT = Value("int32")
_TEXT = Value("string")
_FLAG = Value("bool")
_BOX = List(_INT, 4)
_SIZE = List(_INT, 3)
_INTS = List(_INT)
_BOX_DOC = "[xmin, ymin, xmax, ymax] in pixels, 1-based and inclusive, as in PASCAL VOC."
_SIZE_DOC = "[width, height, channels] in pixels of the stored raster."
_INDEX_DOC = "row in the same split of config `images`, from 0; null if it is not there."
_POINTS = (
    "pixels from the left and top edge, 0-based (the boxes are 1-based), one entry per keypoint, "
    "ascending by id"
)

IMAGE_COLUMNS = (
    Column("image", Image(), "The photograph (JPEG), bytes as released."),
    Column(
        "segmentation",
        Image(),
        "PNG whose pixel values are VOC class ids 1..20, 0 background, bytes as released: a class "
        "mask, not an instance mask. Decode without converting the mode, or the ids are lost.",
    ),
    Column("name", _TEXT, "Key of the image: category/VOC id."),
    Column("category", CATEGORY, "The annotated object's category."),
    Column(
        "voc_id",
        _TEXT,
        "The photograph. One photograph can appear under two categories and in two splits.",
    ),
    Column("width", _INT, "Pixels of the stored raster."),
    Column("height", _INT, "Pixels of the stored raster."),
    Column("depth", _INT, "Channels as annotated; 3 throughout."),
    Column("bbox", _BOX, f"The object's box: {_BOX_DOC}"),
    Column("pose", POSE, "VOC's view of the object."),
    Column(
        "azimuth_id",
        _INT,
        "Viewpoint, 0..7, bins of 45 degrees: 0 front, 2 left, 4 rear, 6 right.",
    ),
    Column("truncated", _FLAG, "VOC flag: the object extends beyond its box."),
    Column("occluded", _FLAG, "VOC flag: part of the object is hidden."),
    Column("difficult", _FLAG, "VOC flag: hard to recognise, left out of VOC's evaluation."),
    Column(
        "keypoints",
        Struct({"id": _INTS, "x": _INTS, "y": _INTS}),
        f"Annotated keypoints: {_POINTS}. An id 0..29 that is absent is not annotated.",
    ),
    Column("voc_database", _TEXT, "Provenance: `src_database` of the release."),
    Column("voc_annotation", _TEXT, "Provenance: `src_annotation` of the release."),
    Column("voc_image", _TEXT, "Provenance: `src_image` of the release, the photograph's host."),
    Column("file_name", _TEXT, "The photograph's name within the release."),
)

PAIR_COLUMNS = (
    Column("pair_id", _INT, "Number of the pair, unique within its split only; it has gaps."),
    Column("name", _TEXT, "The release's name of the pair: id-source-target:category."),
    Column("category", CATEGORY, "Category of both objects."),
    Column("src_name", _TEXT, "Source image: its `name` in config `images`.", "images/name"),
    Column("trg_name", _TEXT, "Target image: its `name` in config `images`.", "images/name"),
    Column("src_index", _INT, f"Source image: its {_INDEX_DOC}"),
    Column("trg_index", _INT, f"Target image: its {_INDEX_DOC}"),
    Column("src_size", _SIZE, _SIZE_DOC),
    Column("trg_size", _SIZE, _SIZE_DOC),
    Column("src_bbox", _BOX, f"Source object: {_BOX_DOC}"),
    Column("trg_bbox", _BOX, f"Target object: {_BOX_DOC}"),
    Column("src_pose", POSE, "VOC's view of the source object."),
    Column("trg_pose", POSE, "VOC's view of the target object."),
    Column(
        "keypoints",
        Struct({"id": _INTS, "src_x": _INTS, "src_y": _INTS, "trg_x": _INTS, "trg_y": _INTS}),
        f"The keypoints annotated in both images: {_POINTS}.",
    ),
    Column("mirror", _FLAG, "False throughout the release as far as it is known."),
    Column(
        "viewpoint_variation",
        VIEWPOINT,
        "Circular distance of the two azimuth bins: 0-1 easy, 2-3 medium, 4 hard.",
    ),
    Column(
        "scale_variation",
        SCALE,
        "Larger over smaller box area: below 2 easy, below 4 medium, else hard.",
    ),
    Column("truncation", TRUNCATION, "Which of the two objects is truncated."),
    Column("occlusion", OCCLUSION, "Which of the two objects is occluded."),
    Column("in_small", _FLAG, "Whether the pair is in the release's small layout."),
    Column("file_name", _TEXT, "The pair annotation's name within the release."),
)

_FLAT_IMAGES = (
    Column("src_image", Image(), "The source photograph (JPEG), bytes as released."),
    Column("trg_image", Image(), "The target photograph (JPEG), bytes as released."),
    Column("src_segmentation", Image(), "VOC class mask of the source (PNG), bytes as released."),
    Column("trg_segmentation", Image(), "VOC class mask of the target (PNG), bytes as released."),
)

CONFIGS = (
    Config("pairs", "One pair of images with its common keypoints.", PAIR_COLUMNS),
    Config("images", "One photograph with its object's annotation.", IMAGE_COLUMNS),
    Config(
        "pairs_flat",
        "One pair with both photographs and both masks in the row, made to be streamed.",
        (*_FLAT_IMAGES, *PAIR_COLUMNS),
        group="category",
        shared=True,
        batch_rows=64,
    ),
)
