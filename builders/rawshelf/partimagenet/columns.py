"""The columns of PartImageNet's configs, with units and conventions."""

from __future__ import annotations

from rawshelf import labels
from rawshelf.features import ClassLabel, Column, Image, List, Struct, Value
from rawshelf.partimagenet import release
from rawshelf.partimagenet.classes import object_classes
from rawshelf.partimagenet.pixels import derive_ood, derive_seg
from rawshelf.release import Config

# Named by wnid: that is what the release calls the classes (the categories of its COCO files of
# whole objects), and it is unique everywhere. `label` has the names for people.
OBJECT_CLASS = ClassLabel(tuple(each.wnid for each in object_classes()))
LABEL = ClassLabel(tuple(labels.names()))
SUPERCATEGORY = ClassLabel(release.SUPERCATEGORIES)
PART = ClassLabel(release.PARTS)
STATUS = ClassLabel(("ok", "zero_area", "degenerate", "empty", "rle"))
MODE = ClassLabel(("L", "RGB", "CMYK"))

_TEXT, _INT, _LONG, _REAL = Value("string"), Value("int32"), Value("int64"), Value("float64")
_POLYGONS = List(List(_REAL))
_ANNOTATIONS = (
    "One entry per annotation, in the order of the release. `bbox` is [x, y, width, height] and "
    "`segmentation` holds polygons [x0, y0, x1, y1, ...], both in pixels as "
    "released (four NaN where there is no box). `status`: "
    "empty (no points), degenerate (a polygon with fewer than three points; only the others can "
    "be drawn), zero_area (the release says that the area is 0), rle (no polygons), else ok. "
    "`raw` is JSON of what has no column, null where nothing is left."
)


def _annotations(category: ClassLabel) -> Struct:
    return Struct(
        {
            "id": List(_LONG),
            "category": List(category),
            "bbox": List(List(_REAL, 4)),
            "area": List(_REAL),
            "iscrowd": List(Value("int8")),
            "segmentation": List(_POLYGONS),
            "status": List(STATUS),
            "raw": List(_TEXT),
        }
    )


_FRONT = (
    Column("file_name", _TEXT, "The photograph's name in the COCO file: wnid, number, .JPEG."),
    Column("image_id", _LONG, "Id in the split's COCO file; ids start again in each split."),
    Column("width", _INT, "Pixels, as annotated."),
    Column("height", _INT, "Pixels, as annotated."),
    Column("wnid", _TEXT, "WordNet 3.0 id of the object's class: the front of `file_name`."),
    Column(
        "label",
        LABEL,
        "ImageNet class, index and names equal to those of ILSVRC/imagenet-1k; looked up by wnid.",
    ),
    Column(
        "object_class",
        OBJECT_CLASS,
        "One of the 158 classes, by wnid; its index is the object's value in `whole_mask`.",
    ),
    Column(
        "supercategory",
        SUPERCATEGORY,
        "One of the release's 11 groups. Its taxonomy is its own: killer whale is Fish, frogs and "
        "newts are Reptile, tractor and bus are Car, unicycle and moped are Bicycle.",
    ),
    Column("parts", _annotations(PART), f"Annotated parts. {_ANNOTATIONS}"),
    Column(
        "objects",
        _annotations(OBJECT_CLASS),
        "Annotations of the COCO file of whole objects, which only `seg` has; else empty. "
        "Fields as in `parts`, but `category` is an object's class.",
    ),
    Column("raw", _TEXT, "JSON of what the image's entry holds beyond these columns, or null."),
)
_PHOTO = Column("image", Image(), "The photograph (JPEG), bytes as released but for orientation.")
_MADE = "drawn from the polygons, later annotations over earlier; palette PNG"
_MASKS = {
    release.SEG: "bytes as released (PNG)",
    release.OOD: _MADE,
}


def _pixel_columns(kind: str) -> tuple[Column, ...]:
    how = _MASKS[kind]
    return (
        _PHOTO,
        *_FRONT,
        Column("part_mask", Image(), f"0..39 part category, 40 background (not 0); {how}."),
        Column("whole_mask", Image(), f"0..157 object class, 158 background (not 0); {how}."),
        Column("mode", MODE, "Colour mode of the JPEG: L (grey), RGB or CMYK."),
        Column("exif_orientation", Value("int8"), "The released file's tag; 1 if none."),
        Column(
            "exif_neutralised",
            Value("bool"),
            "The tag in `image` was set to 1 (nothing else was changed), because it would turn the "
            "photograph away from its annotations.",
        ),
    )


CONFIGS = (
    Config(
        release.SEG,
        "One photograph with parts and masks; all 158 classes in every split.",
        _pixel_columns(release.SEG),
        derive=derive_seg,
    ),
    Config(
        release.OOD,
        "One photograph with parts and masks; splits differ in their classes (109, 19, 30).",
        _pixel_columns(release.OOD),
        derive=derive_ood,
    ),
    Config("seg_annotations", "As `seg`, without photographs and masks.", _FRONT),
    Config("ood_annotations", "As `ood`, without photographs and masks.", _FRONT),
)
