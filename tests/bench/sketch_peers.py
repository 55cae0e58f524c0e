"""ImageNet-Sketch as others convert it: the bytes passed through, never decoded.

All write `image`, `label`, `wnid`, `file_name` and `index`. rawshelf's rows have the size and the
mode of each image besides, and stand in shuffled order; these leave both out.
"""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

_ROWS = 100  # of a table that is handed to the writer
_SHARD = 500_000_000  # bytes, as `push_to_hub` cuts
Rows = Sequence[tuple[int, str]]  # place in release order, member


def listed(raw: str) -> Rows:
    """Return the images in release order: by class, then by number."""
    with zipfile.ZipFile(raw) as archive:
        names = [name for name in archive.namelist() if name.endswith(".JPEG")]

    def key(name: str) -> tuple[str, int]:
        return wnid_of(name), int(Path(name).stem.partition("_")[2])

    return list(enumerate(sorted(names, key=key)))


def wnid_of(name: str) -> str:
    """Return the class folder of a member."""
    return name.split("/")[-2]


def features(rows: Rows) -> datasets.Features:
    """Return the columns."""
    return datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=sorted({wnid_of(name) for _, name in rows})),
            "wnid": datasets.Value("string"),
            "file_name": datasets.Value("string"),
            "index": datasets.Value("int32"),
        }
    )


def examples(raw: str, rows: Rows, codes: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Yield the rows as Python values."""
    with zipfile.ZipFile(raw) as archive:
        for index, name in rows:
            wnid = wnid_of(name)
            yield {
                "image": {"bytes": archive.read(name), "path": Path(name).name},
                "label": codes[wnid],
                "wnid": wnid,
                "file_name": name,
                "index": index,
            }


class _Base:
    """What both builders share."""

    config: Any
    _rows: Rows

    def _info(self) -> datasets.DatasetInfo:
        self._rows = listed(self.config.data_dir)
        return datasets.DatasetInfo(features=features(self._rows))

    def _split_generators(self, _: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator("test", gen_kwargs={"rows": self._rows})]


class ArrowBased(_Base, datasets.ArrowBasedBuilder):
    """Hands tables to the writer, which is the quickest way that `datasets` offers."""

    def _generate_tables(self, rows: Rows) -> Iterator[tuple[int, pa.Table]]:
        label = self.info.features["label"]
        schema = self.info.features.arrow_schema
        with zipfile.ZipFile(self.config.data_dir) as archive:
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                names = [name for _, name in part]
                pictures = [
                    {"bytes": archive.read(name), "path": Path(name).name} for name in names
                ]
                wnids = [wnid_of(name) for name in names]
                columns = [pictures, label.str2int(wnids), wnids, names, [i for i, _ in part]]
                arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
                yield part[0][0], pa.Table.from_arrays(arrays, schema=schema)


class GeneratorBased(_Base, datasets.GeneratorBasedBuilder):
    """Hands rows to the writer, as most loading scripts did."""

    def _generate_examples(self, rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
        names = self.info.features["label"].names
        codes = {wnid: code for code, wnid in enumerate(names)}
        for row in examples(self.config.data_dir, rows, codes):
            yield row["index"], row


def arrow_based(raw: str, out: str, processes: int = 1) -> None:
    """Build with `ArrowBased` into Parquet."""
    _build(ArrowBased, raw, out, processes)


def generator_based(raw: str, out: str, processes: int = 1) -> None:
    """Build with `GeneratorBased` into Parquet."""
    _build(GeneratorBased, raw, out, processes)


def _build(kind: type, raw: str, out: str, processes: int) -> None:
    builder = kind(data_dir=raw)
    builder.download_and_prepare(
        out, file_format="parquet", num_proc=processes if processes > 1 else None
    )


def from_generator(raw: str, out: str) -> None:
    """Go through `Dataset.from_generator` and `to_parquet`."""
    rows = listed(raw)
    columns = features(rows)
    codes = {wnid: code for code, wnid in enumerate(columns["label"].names)}
    # As a list, each row would be a shard of its own, for which `datasets` starts anew.
    given = {"raw": raw, "rows": tuple(rows), "codes": codes}
    made = datasets.Dataset.from_generator(examples, features=columns, gen_kwargs=given)
    Path(out).mkdir(parents=True)
    made.to_parquet(f"{out}/test.parquet")


def imagefolder(raw: str, out: str) -> None:
    """Unpack, open the folder with `imagefolder`, write Parquet: `image` and `label` alone."""
    folder = Path(out).with_name("unpacked")
    with zipfile.ZipFile(raw) as archive:
        archive.extractall(folder)
    # The builder embeds the files; `to_parquet` of what `load_dataset` returns would not.
    builder = datasets.load_dataset_builder("imagefolder", data_dir=str(folder))
    builder.download_and_prepare(out, file_format="parquet")


def webdataset(raw: str, out: str) -> None:
    """Write the shards of webdataset."""
    import webdataset as wds  # noqa: PLC0415 - none of the others should pay for it

    rows = listed(raw)
    codes = {w: c for c, w in enumerate(sorted({wnid_of(name) for _, name in rows}))}
    Path(out).mkdir(parents=True)
    with wds.ShardWriter(f"{out}/test-%05d.tar", maxsize=_SHARD, verbose=0) as writer:
        for row in examples(raw, rows, codes):
            picture = row.pop("image")["bytes"]
            key = row["file_name"].removesuffix(".JPEG")
            writer.write({"__key__": key, "jpg": picture, "json": row})
