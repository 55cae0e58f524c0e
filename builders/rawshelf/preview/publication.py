"""``rawshelf preview``: draw a conversion's pictures and put them into its card.

Everything is drawn before anything is written. Then each picture appears whole at its place, then
the manifest that lists them, then the card; last, pictures that only the former manifest listed
are removed. A run killed between the first and the manifest leaves the former card with some
pictures that are newer than the manifest says; every other state is the old or the new one as a
whole. The same command again completes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rawshelf import catalog
from rawshelf.cards import render
from rawshelf.engines import threads
from rawshelf.errors import MissingError, OutputError, UsageError
from rawshelf.manifest import card_record
from rawshelf.manifests import ASSETS, MANIFEST
from rawshelf.output import CARD, Output
from rawshelf.pools import each
from rawshelf.preview.pictures import Picture, Wish, encode
from rawshelf.preview.reading import REMEDY, Conversion
from rawshelf.records import ShardRecord
from rawshelf.release import Dataset


@dataclass(frozen=True)
class LeftOut:
    """A picture that could not be drawn.

    Attributes:
        picture: Its name.
        reason: Why.
    """

    picture: str
    reason: str


@dataclass(frozen=True)
class Preview:
    """What was drawn.

    Attributes:
        assets: As the manifest lists them: path, bytes, sha256, title, alt.
        left_out: Pictures whose configs are not there.
    """

    assets: list[dict[str, Any]]
    left_out: list[LeftOut]


def preview(out: str, wish: Wish | None = None) -> Preview:
    """Draw the pictures of a conversion and put them into its folder, manifest and card.

    The same conversion, wish and version of Pillow give the same bytes.

    Args:
        out: Folder of the conversion.
        wish: How to choose the rows that are shown.

    Raises:
        MissingError: If there is no conversion, or a file of it is missing.
        OutputError: If a file of it is damaged, or a picture's place is taken.
        UsageError: If the dataset has no pictures.
    """
    output = Output(out, "preview")
    try:
        _manifest(output)  # before anything is locked, hence created
        with output.opened():
            return _preview(output, wish or Wish())
    except OSError as error:
        raise OutputError(
            "The pictures cannot be written.",
            archive=out,
            found=error.strerror or str(error),
            remedy="Check that the folder can be written and has space, then run this again.",
        ) from error


def _manifest(output: Output) -> dict[str, Any]:
    manifest = output.manifest()
    if manifest is None:
        raise MissingError(
            "There is no conversion in this folder.",
            archive=str(output.root),
            member=MANIFEST,
            remedy="Convert a release first: rawshelf convert NAME RAW OUT.",
        )
    return manifest


def _preview(output: Output, wish: Wish) -> Preview:
    manifest = _manifest(output)
    dataset = catalog.find(str(manifest.get("dataset")))
    records = tuple(output.records_of(manifest))
    _check(output, records)
    conversion = Conversion(str(output.root), records)
    pictures = dict(_drawn(dataset, conversion, wish))
    contents = {path: encode(picture.image) for path, picture in pictures.items()}
    manifest["assets"] = [_asset(path, contents[path], pictures[path]) for path in contents]
    card = _card(output, dataset, manifest)
    manifest["card"] = card_record(card)
    _publish(output, contents, manifest, card)
    return Preview(manifest["assets"], _left_out(dataset, conversion))


def _check(output: Output, records: tuple[ShardRecord, ...]) -> None:
    """Check that all shards are what the manifest says: their figures will stand in the card."""
    intact = list(each(output.intact, records, threads()))
    for record, is_intact in zip(records, intact, strict=True):
        place = {"archive": str(output.root), "member": record.path}
        if not (output.root / record.path).is_file():
            raise MissingError("A file of the conversion is missing.", **place, remedy=REMEDY)
        if not is_intact:
            raise OutputError(
                "A file of the conversion is damaged.",
                **place,
                found="another size or sha256 than the manifest states",
                remedy=REMEDY,
            )


def _asset(path: str, content: bytes, picture: Picture) -> dict[str, Any]:
    return {
        "path": path,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "title": picture.title,
        "alt": picture.alt,
    }


def _card(output: Output, dataset: Dataset, manifest: dict[str, Any]) -> str:
    try:
        return render(dataset, manifest)
    except (KeyError, TypeError) as error:
        raise output.unreadable(f"no figures for the card ({error!r})") from error


def _publish(
    output: Output, contents: Mapping[str, bytes], manifest: dict[str, Any], card: str
) -> None:
    """Write pictures, manifest and card in this order; then remove pictures of an earlier run."""
    known = output.known_assets()
    for path, content in contents.items():
        _refuse_taken(output, path, content, known)
    (output.root / ASSETS).mkdir(exist_ok=True)
    for path, content in contents.items():
        output.write(output.root / path, content)
    text = f"{json.dumps(manifest, indent=1, ensure_ascii=False)}\n"
    output.write(output.root / MANIFEST, text.encode("utf-8"))
    output.write(output.root / CARD, card.encode("utf-8"))
    output.remove(known - set(contents))


def _refuse_taken(output: Output, path: str, content: bytes, known: set[str]) -> None:
    """Refuse a place that holds neither what the manifest names nor what a killed run left."""
    place = output.root / path
    if path in known or not place.exists() or place.read_bytes() == content:
        return
    raise OutputError(
        "A file that rawshelf did not write stands in the place of a picture.",
        archive=str(output.root),
        member=path,
        remedy="Move it away. If an interrupted preview left it, give the same options again.",
    )


def _drawn(dataset: Dataset, conversion: Conversion, wish: Wish) -> Iterator[tuple[str, Picture]]:
    """Draw the pictures whose configs are there; each comes with its path."""
    pictures = dataset.tools().pictures
    if not pictures:
        raise UsageError(
            "This dataset has no pictures.",
            field="dataset",
            found=dataset.release.name,
            remedy="Name the folder of another conversion.",
        )
    for subject in pictures:
        configs = conversion.best(subject.needs)
        if configs:
            yield f"{ASSETS}/{subject.name}.png", subject.draw(conversion, configs, wish)


def _left_out(dataset: Dataset, conversion: Conversion) -> list[LeftOut]:
    return [
        LeftOut(
            subject.name,
            f"needs config {' or '.join(' and '.join(each) for each in subject.needs)}",
        )
        for subject in dataset.tools().pictures
        if not conversion.best(subject.needs)
    ]
