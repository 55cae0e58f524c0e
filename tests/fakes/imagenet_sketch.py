"""Fake raw releases of ImageNet-Sketch besides the miniature.

One of full count, one whose copies and near-copies are known, and the defects that a release can
have.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from rawshelf import labels
from rawshelf.imagenet_sketch.miniature import draw, encode, transformed
from rawshelf.imagenet_sketch.release import UNDETERMINED, expected_per_class
from rawshelf.miniature import Members

__all__ = [
    "DEFECTS",
    "PICTURES",
    "QUOTA_PAGE",
    "STATED_SHORT",
    "Sample",
    "commented",
    "copies",
    "full_count",
    "sketch",
    "stated_count",
]

Stream = Iterator[tuple[str, bytes]]

# Of the twelve classes whose count is not known, two hold 50: here it is these.
STATED_SHORT = ("n02012849", "n03710637")
_TEMPLATES = 64
_TRANSFORMS = ("mirror", "flip", "rotate180", "copy")  # in the order in which the authors pad


def full_count() -> Stream:
    """Write a release with the real one's count: 50,889 tiny members, no two of equal bytes."""
    templates = [encode(draw(k, (16 + k % 5, 16 + k % 7))) for k in range(_TEMPLATES)]
    number = 0
    for wnid in labels.wnids():
        for k in range(stated_count(wnid)):
            name = f"sketch/{wnid}/sketch_{k}.JPEG"
            yield name, commented(templates[number % _TEMPLATES], name)
            number += 1


def stated_count(wnid: str) -> int:
    """Return the number of images of a class."""
    if wnid in UNDETERMINED:
        return 50 if wnid in STATED_SHORT else 51
    return expected_per_class(wnid)[0]


def commented(jpeg: bytes, text: str) -> bytes:
    """Insert a comment segment behind the start marker: other bytes, equal pixels."""
    content = text.encode("ascii")
    return jpeg[:2] + b"\xff\xfe" + (len(content) + 2).to_bytes(2, "big") + content + jpeg[2:]


@dataclass(frozen=True)
class Sample:
    """One image of the release of `copies`.

    Attributes:
        name: File name.
        data: The JPEG.
        kind: ``original``, ``source`` or ``decoded`` (a copy, encoded from the original's source
            or from the decoded original), or how it differs from the original.
        picture: One of `PICTURES`.
        copy_of: The image it repeats, None if none.
        transform: How.
    """

    name: str
    data: bytes
    kind: str
    picture: str
    copy_of: str | None = None
    transform: str = "none"


# Widths from the smallest of the release on; sides off the grids of 8 and 16 that JPEG codes by,
# so that a mirrored image is cut into other blocks.
_SIZES = (
    (115, 143),
    (128, 128),
    (201, 160),
    (225, 225),
    (236, 331),
    (301, 297),
    (480, 640),
    (723, 511),
    (1003, 755),
    (2500, 1667),
)
_LARGE = 2000
PICTURES = ("thin", "sparse", "pencil", "photo", "tinted", "coloured")
_PICTURES_LARGE = ("thin", "pencil")  # large images take long: one easy, one hard


def copies(seed: int = 0, sizes: tuple[tuple[int, int], ...] = _SIZES) -> Iterator[Sample]:
    """Write pictures, their copies as the authors' script makes them, and near-copies.

    For each size and kind of picture: the picture, its four kinds of copy encoded from the same
    source, two encoded from the decoded picture, one of them in another class; then images of the
    same size that are no copies, each the picture with a small change.
    """
    wnids = labels.wnids()
    families = [(s, p) for s in sizes for p in PICTURES if s[0] < _LARGE or p in _PICTURES_LARGE]
    for place, (size, picture) in enumerate(families):
        rng = np.random.default_rng([seed, place])
        yield from _family(wnids[2 * place], wnids[2 * place + 1], size, picture, rng)


def _family(
    wnid: str, other: str, size: tuple[int, int], picture: str, rng: np.random.Generator
) -> Iterator[Sample]:
    source = sketch(picture, size, rng)
    first = encode(source)
    name = f"sketch/{wnid}/sketch_0.JPEG"
    yield Sample(name, first, "original", picture)
    for k, transform in enumerate(_TRANSFORMS, start=1):
        again = encode(transformed(source, transform))
        yield Sample(f"sketch/{wnid}/sketch_{k}.JPEG", again, "source", picture, name, transform)
    with Image.open(BytesIO(first)) as decoded:
        for folder, transform in ((wnid, "mirror"), (other, "rotate180")):
            again = encode(transformed(decoded, transform))
            place = f"sketch/{folder}/sketch_5.JPEG"
            yield Sample(place, again, "decoded", picture, name, transform)
    for k, (kind, change) in enumerate(NEAR.items(), start=6):
        changed = change(source, rng)
        if changed != source:  # contrast is at its limits in black and white
            yield Sample(f"sketch/{wnid}/sketch_{k}.JPEG", encode(changed), kind, picture)


def sketch(picture: str, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw a picture of a kind: grey for ``thin`` and ``pencil``, else RGB.

    Args:
        picture: ``thin`` or ``sparse`` lines on white, ``pencil`` shading, a ``photo`` with
            grain, ``tinted`` lines on paper, ``coloured`` areas of full saturation.
        size: Width and height.
        rng: What to draw.
    """
    if picture in ("photo", "pencil"):
        grain = 12 if picture == "pencil" else 4
        image = _shaded(size, rng, grain)
        return image if picture == "pencil" else image.convert("RGB")
    mode, paper = ("L", 255) if picture == "thin" else ("RGB", (255, 255, 255))
    if picture == "tinted":
        paper = (244, 232, 208)
    image = Image.new(mode, size, paper)
    pen = ImageDraw.Draw(image)
    for _ in range(3 if picture == "sparse" else 14):
        _stroke(pen, size, rng, picture)
    return image


def _stroke(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, picture: str
) -> None:
    inks: dict[str, tuple[int, ...] | int] = {
        "thin": int(rng.integers(0, 90)),
        "tinted": (92, 64, 40),
    }
    ink = inks.get(picture, (0, 0, 0))
    points = [(int(x), int(y)) for x, y in rng.integers(0, size, (4, 2))]
    if picture == "coloured":
        ink = tuple(int(v) for v in rng.choice([0, 255], 3))
        pen.polygon(points, fill=ink)
    pen.line(points, fill=ink, width=max(1, min(size) // 250))


def _shaded(size: tuple[int, int], rng: np.random.Generator, grain: int) -> Image.Image:
    coarse = Image.fromarray(rng.integers(40, 250, (7, 9), np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)
    return _clipped(smooth + rng.normal(0, grain, smooth.shape))


def _clipped(pixels: npt.NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def _shift(pixels: int) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    def shifted(image: Image.Image, _: np.random.Generator) -> Image.Image:
        return Image.fromarray(np.roll(np.asarray(image), pixels, axis=1))

    return shifted


def _one_stroke(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Add one line as long as a tenth of the image."""
    image = image.copy()
    x, y = (int(rng.integers(0, side * 9 // 10)) for side in image.size)
    end = (x + image.width // 10, y + image.height // 10)
    ImageDraw.Draw(image).line([(x, y), end], fill=_grey(image, 100), width=2)
    return image


def _watermark(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Write a word of 11 pixels' height in a corner, in mid grey."""
    image = image.copy()
    place = (image.width - 70, image.height - 16)
    ImageDraw.Draw(image).text(place, "stock id 7", fill=_grey(image, 150))
    return image


def _grey(image: Image.Image, value: int) -> int | tuple[int, ...]:
    return value if image.mode == "L" else (value,) * 3


def _blur(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(0.6))


def _contrast(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Stretch the contrast by 2 %, about the middle of the scale."""
    return image.point(
        [round(min(max(128 + 1.02 * (v - 128), 0), 255)) for v in range(256)]
        * len(image.getbands())
    )


def _darker(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Make the image darker by six grey levels."""
    return _mapped(image, lambda v: v - 6)


def _mapped(image: Image.Image, level: Callable[[int], float]) -> Image.Image:
    table = [round(min(max(level(v), 0), 255)) for v in range(256)]
    return image.point(table * len(image.getbands()))


NEAR: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "shifted by 1": _shift(1),
    "shifted by 2": _shift(2),
    "shifted by 3": _shift(3),
    "one stroke more": _one_stroke,
    "watermark": _watermark,
    "blurred": _blur,
    "darker by 6": _darker,
    "contrast +2 %": _contrast,
}


def _first(members: Members, change: Callable[[str, bytes], Members]) -> Stream:
    """Replace the first member by what ``change`` returns for it."""
    for number, (name, content) in enumerate(members):
        yield from [(name, content)] if number else change(name, content)


def png_named_jpeg(members: Members) -> Stream:
    """Make an image a PNG, under its name of a JPEG."""
    buffer = BytesIO()
    draw(1).save(buffer, "PNG")
    return _first(members, lambda name, _: [(name, buffer.getvalue())])


def empty_jpeg(members: Members) -> Stream:
    """Make an image a file of no bytes."""
    return _first(members, lambda name, _: [(name, b"")])


def truncated_jpeg(members: Members) -> Stream:
    """Cut an image in the middle."""
    return _first(members, lambda name, content: [(name, content[: len(content) // 2])])


def undecodable_jpeg(members: Members) -> Stream:
    """Damage the Huffman table of an image: header and end are sound, the pixels are lost."""

    def damaged(content: bytes) -> bytes:
        table = content.index(b"\xff\xc4") + 5
        return content[:table] + b"\xff" * 16 + content[table + 16 :]

    return _first(members, lambda name, content: [(name, damaged(content))])


def outside_any_class(members: Members) -> Stream:
    """Add an image above the class folders, one in a folder of another name, and a text."""
    for name, content in members:
        yield name, content
    yield "sketch/sketch_0.JPEG", content
    yield "sketch/aardvark/sketch_0.JPEG", content
    yield "sketch/n01440764/readme.txt", b"left over\n"


def unknown_class(members: Members) -> Stream:
    """Add a folder that sorts in front of all others and is no class, and one of an ancestor."""
    for name, content in members:
        yield name, content
    yield "sketch/n00000001/sketch_0.JPEG", content
    yield "sketch/n02084071/sketch_0.JPEG", content


def duplicate_member(members: Members) -> Stream:
    """Repeat an image under the same name."""
    return _first(members, lambda name, content: [(name, content)] * 2)


def number_twice(members: Members) -> Stream:
    """Add an image whose number is written with a leading zero, and stands without it as well."""
    return _first(
        members,
        lambda name, content: [(name, content), (name.replace("_0.", "_00."), b"other")],
    )


def two_roots(members: Members) -> Stream:
    """Put a second copy of a class beside the folder of classes."""
    return _first(members, lambda name, content: [(name, content), (f"old/{name}", content)])


def junk(members: Members) -> Stream:
    """Add what file managers leave behind: harmless, to be ignored."""
    yield "__MACOSX/sketch/._n01440764", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"
    yield "sketch/.DS_Store", b"\x00\x00\x00\x01Bud1"
    yield from members
    yield "sketch/n01440764/Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


DEFECTS: dict[str, Callable[[Members], Members]] = {
    defect.__name__: defect
    for defect in (
        png_named_jpeg,
        empty_jpeg,
        truncated_jpeg,
        undecodable_jpeg,
        outside_any_class,
        unknown_class,
        duplicate_member,
        number_twice,
        two_roots,
        junk,
    )
}

# What Google Drive sends in place of a large file when too many have fetched it.
QUOTA_PAGE = (
    b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head></html>"
)
