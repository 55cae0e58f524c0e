"""Where the search begins: small well-formed inputs of each target, and some with known defects."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rawshelf.manifests import MANIFEST_FORMAT
from rawshelf.miniature import Members
from rawshelf.report import Report
from tests.archives import BLOCK, END, Zipped, deflated, entry, header, pax, pax_data, tar, zipped
from tests.fakes.partimagenet_json_defects import JSON_DEFECTS
from tests.fakes.spair71k_defects import DEFECTS as PAIR_DEFECTS
from tests.fuzz.place import member, release

Defects = Mapping[str, Callable[[Members], Members]]
_CARDS = Path(__file__).resolve().parents[2] / "hub_cards"
_TEXT = b"some text " * 9
_FEW = {"a/b.txt": _TEXT, "a/c.txt": b"", "a/\u00e9.txt": b"x"}
_CARD = """\
---
license: other
license_name: terms
license_link: https://example.org
pretty_name: A set
tags: [a, b]
task_categories: [keypoint-detection]
size_categories: [n<1K]
configs:
- config_name: default
  default: true
  data_files: [{split: test, path: "data/*/test-*.parquet"}]
dataset_info:
  config_name: default
  features: [{name: image, dtype: image}, {name: box, list: int32}, {name: at, dtype: int64}]
  splits: [{name: test, num_bytes: 5, num_examples: 3}]
---
# A set

[a link](#a-set) ![a picture](x.png) <img src="y.png" alt="z">

| a | b |
|---|---|
| 1 | 2 |

```bibtex
@misc{key, title = {The {Set}}, year = 2019}
```
"""
_BIBTEX = b'@inproceedings{a,\n  title = "The {B}" # {C},\n  year = 2019,\n}\n@misc{b}\n'
_SHARD = {"path": "data/a/test-00000-of-00001.parquet", "config": "a", "split": "test"}
_MANIFEST = {
    "format": MANIFEST_FORMAT,
    "files": [_SHARD | {"rows": 1, "bytes": 9, "sha256": "00", "groups": [1]}],
    "assets": [{"path": "assets/a.png", "bytes": 9, "sha256": "00"}],
    "report": Report().to_json(),
}
_DOCUMENTS = (
    b'{"number": 1, "text": "\xc3\xa4", "list": [1, 2], "slots": {"0": [3], "1": null}}',
    b' {"text": "\\ud83d\\ude00", "number": -2147483648, "list": null}\n',
    b'{"number": 1, "text": "\\ud800"}',
    b'{"number": 1, "number": 2, "text": ""}',
    b'{"number": 1e2, "text": ""}',
    b'\xef\xbb\xbf{"number": 1, "text": ""}',
    b'{"number": 1, "text": "", "list": ' + b"[" * 40 + b"]" * 40 + b"}",
)


def tars() -> list[bytes]:
    """Return tars of the formats that are in use."""
    one = entry("a.txt", b"hello")
    by_hand = [
        tar(_FEW),
        tar(),
        pax(path="p/q", size="5") + one + END,
        entry("././@LongLink", b"l/m\0", b"L") + one + END,
        pax_data({"comment": "0123abcd"}, b"g") + one + END,
        entry("d/", b"", b"5") + entry("b", b"x", prefix=b"d") + END,
        header("a.txt", b"\x80" + bytes(10) + b"\5") + b"hello" + bytes(BLOCK - 5) + END,
        entry("a", b"x", b"2") + END,
    ]
    forms = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    return by_hand + [_by_tarfile(form) for form in forms]


def _by_tarfile(form: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, data in (_FEW | {"d" * 60 + "/" + "e" * 60: b"deep"}).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zips() -> list[bytes]:
    """Return zips, with and without the fields that hold large sizes."""
    stored = Zipped(b"a.txt", _TEXT)
    packed = Zipped(b"d/b.txt", _TEXT, 8, deflated(_TEXT))
    return [
        zipped(stored, packed, Zipped(b"d/", mode=0o040755)),
        zipped(stored._replace(name=b"\x82"), between=b"gap", comment=b"a comment"),
        zipped(packed._replace(local={"extra": struct.pack("<HHQQ", 1, 16, 90, 20)})),
        zipped(),
        *(_by_zipfile(large) for large in (False, True)),
    ]


def _by_zipfile(large: bool) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _FEW.items():
            with archive.open(name, "w", force_zip64=large) as target:
                target.write(data)
    return file.getvalue()


def _containers() -> list[bytes]:
    inner = zips()[0]
    return [
        *tars(),
        *zips(),
        gzip.compress(tar({"train.zip": inner}), mtime=0),
        tar({"train.zip": inner, "a/val.zip": inner}),
        zipped(Zipped(b"train.zip", inner), Zipped(b"b", _TEXT)),
        zipped(Zipped(b"train.zip", inner, 8, deflated(inner))),
    ]


def _variants(dataset: str, name: str, defects: Defects) -> list[bytes]:
    """Return a file of the tiny release: as it should be, and with each of the defects."""
    files = release(dataset)
    found = [files[name]]
    for defect in defects.values():
        found += [data for each, data in defect(files.items()) if each == name]
    return list(dict.fromkeys(found))


def _pictures(*suffixes: str) -> list[bytes]:
    names = (*release("spair71k").items(), *release("partimagenet").items())
    return [data for name, data in names if name.endswith(suffixes)]


def _coco(**parts: Any) -> bytes:
    return json.dumps({"images": [], "annotations": [], "categories": [], **parts}).encode()


def _coco_files() -> list[bytes]:
    image = {"id": 1, "file_name": "n02422699_3673.JPEG", "width": 9, "height": 9}
    shape: dict[str, Any] = {"id": 1, "image_id": 1, "category_id": 0, "iscrowd": 0, "area": 4.0}
    shape |= {"bbox": [1, 1, 4, 4], "segmentation": [[1, 1, 5, 1, 5, 5]]}
    few = [
        _coco(),
        _coco(images=[image], annotations=[shape]),
        _coco(images=[image], annotations=[shape, shape | {"id": 2, "note": "a},{b"}]),
        _coco(images=[image], annotations=[shape | {"segmentation": {"size": [9, 9]}}]),
    ]
    name = member("partimagenet", "train/train.json")
    some = dict(list(JSON_DEFECTS.items())[::3])  # each has tests of its own
    return few + _variants("partimagenet", name, some)


def _texts(*texts: str) -> list[bytes]:
    return [text.encode() for text in texts]


def _cards() -> list[bytes]:
    return [_CARD.encode(), *(path.read_bytes() for path in sorted(_CARDS.glob("*.md")))]


_NAMES = _texts(
    "sketch/n01440764/sketch_0.JPEG\nsketch/n01440764/sketch_10.JPEG",
    "a/b/c/n01440764/sketch_3.JPEG\nREADME",
    "n01440764/sketch_0.JPEG\nn99999999/sketch_0.JPEG\n._x",
)


def _pair_variants(end: str) -> list[bytes]:
    return _variants("spair71k", member("spair71k", end), PAIR_DEFECTS)


SEEDS: dict[str, Callable[[], Iterable[bytes]]] = {
    "tar": tars,
    "gzip": lambda: [gzip.compress(each, mtime=0) for each in tars()],
    "zip": zips,
    "nested": _containers,
    "zip_within": zips,
    "documents": lambda: _DOCUMENTS,
    "strict": lambda: _DOCUMENTS,
    "spair71k_image": lambda: _pair_variants("2008_007936.json"),
    "spair71k_pair": lambda: _pair_variants("2009_015855:aeroplane.json"),
    "spair71k_layout": lambda: _pair_variants("large/trn.txt"),
    "partimagenet_coco": _coco_files,
    "partimagenet_release": _coco_files,
    "partimagenet_whole": lambda: [
        release("partimagenet")[member("partimagenet", "train_whole/train.json")]
    ],
    "picture": lambda: _pictures(".jpg", ".JPEG", ".png"),
    "mask": lambda: _pictures(".png"),
    "imagenet_sketch_names": lambda: _NAMES,
    "card": _cards,
    "bibtex": lambda: [_BIBTEX],
    "manifest": lambda: [json.dumps(_MANIFEST).encode()],
}
