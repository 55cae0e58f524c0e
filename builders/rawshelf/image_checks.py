"""Looking at many images of a release, several at a time: each that is no good is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from io import BytesIO

import pyarrow as pa
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from rawshelf.blobs import BlobReader
from rawshelf.errors import SourceError
from rawshelf.images import JPEG, UNDECODABLE, ImageProblem, probe
from rawshelf.members import Blob
from rawshelf.parts import Parts
from rawshelf.report import Difference

_PART = 256  # images a worker takes at a time
_FOUND = pa.schema([(item.name, pa.string()) for item in fields(Difference)])
_WHOLE = "an image that can be used"


@dataclass(frozen=True)
class Picture:
    """An image to look at: name and place, never bytes.

    Attributes:
        name: File name, for messages.
        blob: Where its bytes lie.
        look: Raises `ImageProblem` for bytes that are no good; can be pickled.
    """

    name: str
    blob: Blob
    look: Callable[[memoryview], object]


def problems(pictures: Sequence[Picture], parts: Parts, work: str) -> list[Difference]:
    """Look at images and return what is wrong, in their order.

    Args:
        pictures: The images.
        parts: Runs the work.
        work: Names it, for the progress.
    """
    items = [pictures[start : start + _PART] for start in range(0, len(pictures), _PART)]
    found = pa.concat_tables([_FOUND.empty_table(), *parts.run(_look_at_part, items, work)])
    return [Difference(**row) for row in found.to_pylist()]


def _look_at_part(part: Sequence[Picture], path: str) -> None:
    with BlobReader() as reader:
        found = [astuple(each) for picture in part for each in _look(picture, reader)]
    columns = zip(*found, strict=True) if found else [[] for _ in _FOUND]
    table = pa.table([pa.array(column, pa.string()) for column in columns], schema=_FOUND)
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, _FOUND) as writer:
        writer.write_table(table)


def _look(picture: Picture, reader: BlobReader) -> Iterator[Difference]:
    try:
        picture.look(reader.read(picture.blob, picture.name))
    except SourceError as error:
        found = str(error.what if error.found is None else error.found)
        expected = "the bytes that were packed" if error.expected is None else str(error.expected)
        yield Difference(picture.name, error.field or "bytes", found, expected)
    except ImageProblem as problem:
        yield Difference(picture.name, "image", str(problem), _WHOLE)


def decode(data: memoryview) -> None:
    """Decode an image completely, its pixels bounded by `images.MAX_PIXELS`.

    A JPEG has no checksums: a flipped bit within its coded pixels may decode to other pixels.

    Raises:
        ImageProblem: If it does not decode.
    """
    # Not `PIL.Image.open`: it warns of large images through a filter that threads share.
    kind = JpegImageFile if probe(data).format == JPEG else PngImageFile
    try:
        with kind(BytesIO(data)) as image:
            image.load()
    except UNDECODABLE as error:
        raise ImageProblem(f"does not decode: {error}") from error
