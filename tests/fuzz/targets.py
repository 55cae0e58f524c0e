"""The targets: each hands bytes to one reader.

A target lets nothing pass but the reader's own refusal. What a reader takes must be right: the
targets of archives compare with the standard library's readers, those of JSON with its parser.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from rawshelf.bibtex import BibtexError
from rawshelf.bibtex import parse as parse_bibtex
from rawshelf.documents import Documents
from rawshelf.errors import RawshelfError
from rawshelf.imagenet_sketch import listing
from rawshelf.images import ImageProblem, probe
from rawshelf.lint import lint
from rawshelf.manifest import report_of
from rawshelf.manifests import assets_of, parse_manifest, shards_of
from rawshelf.masks import decode_png
from rawshelf.members import is_junk
from rawshelf.output import Output
from rawshelf.partimagenet.annotations import defects
from rawshelf.partimagenet.coco import check_categories, read_coco
from rawshelf.partimagenet.containers import Nested
from rawshelf.partimagenet.release import PARTS
from rawshelf.partimagenet.strict import strict_loads
from rawshelf.release import Job
from rawshelf.sources import Source
from rawshelf.spair71k.annotations import (
    IMAGE_SHAPE,
    PAIR_SHAPE,
    Checker,
    check_slots,
    image_arrays,
    pair_arrays,
)
from tests.archives import END, entry, tar
from tests.fuzz.place import examine, member, stored

Target = Callable[[bytes], None]
LARGEST_PICTURE = 1 << 22  # pixels; more would only test the decoder's speed
LONGEST_NAME = 100  # of a tar header's own field
SHAPE = pa.schema(
    [
        pa.field("number", pa.int32(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("list", pa.list_(pa.int32())),
        pa.field("slots", pa.struct([("0", pa.list_(pa.int32())), ("1", pa.list_(pa.int32()))])),
    ]
)


Contents = list[tuple[str, bytes]]


def read_tar(data: bytes) -> None:
    """Read a tar, or tar.gz; what is read must be what `tarfile` reads."""
    found = walked(data)
    with suppress(tarfile.TarError, ValueError, OSError, EOFError, zlib.error):
        # It silently stops at a header with a field that is no number, even at one not read here.
        expected = _by_tarfile(data)
        assert expected == found[: len(expected)]


def walked(data: bytes) -> Contents:
    """Return the name and bytes of each file of an archive."""
    with stored(data) as path:
        walked = Source(str(path)).walk(lambda _: True)
        return [(each.name, bytes(content)) for each, content in walked if content is not None]


def _by_tarfile(data: bytes) -> Contents:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = [(entry.name, archive.extractfile(entry)) for entry in archive if entry.isreg()]
        return _plain([(name, file.read()) for name, file in files if file is not None])


def _plain(contents: Contents) -> Contents:
    named = [
        (unicodedata.normalize("NFC", name.removeprefix("./")), data) for name, data in contents
    ]
    # An empty file whose name ends like a folder's is one to some readers, and is no member here.
    return [each for each in named if not is_junk(each[0]) and not each[0].endswith("/")]


def read_zip(data: bytes) -> None:
    """Read a zip; what is read must be what `zipfile` reads."""
    found = walked(data)
    with suppress(zipfile.BadZipFile, ValueError, OSError, EOFError, zlib.error):
        assert found == _by_zipfile(data)


def _by_zipfile(data: bytes) -> Contents:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        return _plain([(entry.orig_filename, archive.read(entry)) for entry in files])


def read_nested(data: bytes) -> None:
    """Read a container that may hold zips."""
    with stored(data) as path:
        for _ in Nested(Source(str(path)), str(path.parent)).walk(lambda _: True):
            pass


def read_zip_within(data: bytes) -> None:
    """Read a zip that lies in another container."""
    read_nested(tar({"train.zip": data, "val.json": b"{}"}))


def read_documents(data: bytes) -> None:
    """Read a document under a schema; it must say what Python's parser says."""
    (row,) = _documents(data, SHAPE).drop_columns(["member"]).to_pylist()
    expected = strict_loads(data)
    slots = expected.get("slots")
    given = {**expected, "slots": slots and {"0": None, "1": None, **slots}}
    assert row == {name: given.get(name) for name in SHAPE.names}
    assert type(expected["number"]) is int


def _documents(data: bytes, shape: pa.Schema) -> pa.Table:
    documents = Documents(shape, "the archive")
    documents.add("a.json", memoryview(data))
    return documents.table()


def read_strict(data: bytes) -> None:
    """Read strict JSON: a value that JSON can write, or a ValueError."""
    try:
        found = strict_loads(data)
    except ValueError:
        return
    assert found == json.loads(json.dumps(found, allow_nan=False))


def read_image_annotation(data: bytes) -> None:
    """Read an image annotation of SPair-71k, then the release that holds it."""
    table = _documents(data, IMAGE_SHAPE)
    check_slots(data, "a.json", "the archive")
    image_arrays(table, Checker("the archive", table["member"]))
    examine("spair71k", member("spair71k", "2008_007936.json"), data)


def read_pair_annotation(data: bytes) -> None:
    """Read a pair annotation of SPair-71k, then the release that holds it."""
    table = _documents(data, PAIR_SHAPE)
    pair_arrays(table, Checker("the archive", table["member"]))
    examine("spair71k", member("spair71k", "2009_015855:aeroplane.json"), data)


def read_layout(data: bytes) -> None:
    """Read a release of SPair-71k with this list of pairs."""
    examine("spair71k", "Layout/large/trn.txt", data)


def read_coco_file(data: bytes) -> None:
    """Read a COCO file and look at its annotations."""
    found = read_coco(memoryview(data), "train.json", "the archive")
    check_categories(found, len(PARTS), "the archive")
    defects(found.annotations, found.images)


def read_parts_release(data: bytes) -> None:
    """Read a release of PartImageNet with this COCO file."""
    read_coco_file(data)
    examine("partimagenet", member("partimagenet", "train/train.json"), data)


def read_whole_coco_file(data: bytes) -> None:
    """Read a release with this COCO file of whole objects."""
    examine("partimagenet", member("partimagenet", "train_whole/train.json"), data)


def read_picture(data: bytes) -> None:
    """Read a photograph's header."""
    with suppress(ImageProblem):
        probe(memoryview(data))


def read_mask(data: bytes) -> None:
    """Decode a mask; it must have the size that its header states."""
    with suppress(ImageProblem):
        header = probe(memoryview(data))
        if header.width * header.height <= LARGEST_PICTURE:
            assert (header.height, header.width) == decode_png(memoryview(data)).shape


def read_sketch_names(data: bytes) -> None:
    """List the sketches of a tar with a member for each line."""
    names = data.split(b"\n")
    packed = b"".join(entry(name, b"x") for name in names if len(name) <= LONGEST_NAME) + END
    with stored(packed) as path:
        job = Job(Source(str(path)), ("default",), str(path.parent))
        sketches = listing.read(job)
        listing.note_counts(sketches, job)
    assert len(sketches) == len({sketch.file_name for sketch in sketches})
    assert list(range(len(sketches))) == [sketch.index for sketch in sketches]


def read_card(data: bytes) -> None:
    """Check a repository of this card alone."""
    with tempfile.TemporaryDirectory(prefix="rawshelf-fuzz-") as folder:
        (Path(folder) / "README.md").write_bytes(data)
        for found in lint(folder):
            json.dumps(found.to_json())


def read_bibtex(data: bytes) -> None:
    """Parse BibTeX."""
    with suppress(BibtexError, UnicodeDecodeError):
        parse_bibtex(data.decode())


def read_manifest(data: bytes) -> None:
    """Read the manifest of a conversion, as it may lie in somebody's repository."""
    manifest = parse_manifest(data, "out")
    shards_of(manifest, "out")
    assets_of(manifest, "out")
    with stored(b"") as path:
        report_of(manifest, Output(str(path.parent), "key"))


TARGETS: dict[str, Target] = {
    "tar": read_tar,
    "gzip": read_tar,
    "zip": read_zip,
    "nested": read_nested,
    "zip_within": read_zip_within,
    "documents": read_documents,
    "strict": read_strict,
    "spair71k_image": read_image_annotation,
    "spair71k_pair": read_pair_annotation,
    "spair71k_layout": read_layout,
    "partimagenet_coco": read_coco_file,
    "partimagenet_release": read_parts_release,
    "partimagenet_whole": read_whole_coco_file,
    "picture": read_picture,
    "mask": read_mask,
    "imagenet_sketch_names": read_sketch_names,
    "card": read_card,
    "bibtex": read_bibtex,
    "manifest": read_manifest,
}


def attempt(name: str, data: bytes) -> None:
    """Hand bytes to a target; only what it must not do comes out of this."""
    with suppress(RawshelfError):
        TARGETS[name](data)
