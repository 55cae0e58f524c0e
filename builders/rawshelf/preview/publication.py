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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rawshelf import catalog
from rawshelf.cards import render
from rawshelf.errors import MissingError, OutputError, UsageError
from rawshelf.output import ASSETS, MANIFEST, Output
from rawshelf.preview.pictures import Picture, Subject, Wish, encode
from rawshelf.preview.reading import Conversion
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
    wish = wish or Wish()
    output = Output(out, "preview")
    _opened(output)
    try:
        with output.opened():
            return _publish(output, wish)
    except OSError as error:
        raise OutputError(
            "The pictures cannot be written.",
            archive=out,
            found=error.strerror or str(error),
            remedy="Check that the folder can be written and has space, then run this again.",
        ) from error


def _opened(output: Output) -> dict[str, Any]:
    manifest = output.manifest()
    if manifest is None:
        raise MissingError(
            "There is no conversion in this folder.",
            archive=str(output.root),
            member=MANIFEST,
            remedy="Convert a release first: rawshelf convert NAME RAW OUT.",
        )
    return manifest


def _publish(output: Output, wish: Wish) -> Preview:
    manifest = _opened(output)
    dataset = catalog.find(str(manifest.get("dataset")))
    conversion = Conversion(str(output.root), tuple(output.records_of(manifest)))
    conversion.check()
    assets: list[dict[str, Any]] = []
    contents: dict[str, bytes] = {}
    for subject, picture in _drawn(dataset, conversion, wish):
        path = f"{ASSETS}/{subject.name}.png"
        contents[path] = encode(picture.image)
        assets.append(
            {
                "path": path,
                "bytes": len(contents[path]),
                "sha256": hashlib.sha256(contents[path]).hexdigest(),
                "title": picture.title,
                "alt": picture.alt,
            }
        )
    manifest["assets"] = assets
    text = f"{json.dumps(manifest, indent=1, ensure_ascii=False)}\n"
    output.publish_assets(contents, text, render(dataset, manifest))
    return Preview(assets, _left_out(dataset, conversion))


def _drawn(
    dataset: Dataset, conversion: Conversion, wish: Wish
) -> Iterator[tuple[Subject, Picture]]:
    if not dataset.pictures:
        raise UsageError(
            "This dataset has no pictures.",
            field="dataset",
            found=dataset.release.name,
            remedy="Name the folder of another conversion.",
        )
    for subject in dataset.pictures:
        configs = _present(subject, conversion)
        if configs:
            yield subject, subject.draw(conversion, configs, wish)


def _present(subject: Subject, conversion: Conversion) -> tuple[str, ...]:
    """Return the best set of configs that a picture can be drawn from, or none."""
    present = set(conversion.configs)
    return next((configs for configs in subject.needs if present.issuperset(configs)), ())


def _left_out(dataset: Dataset, conversion: Conversion) -> list[LeftOut]:
    return [
        LeftOut(
            subject.name,
            f"needs config {' or '.join(' and '.join(each) for each in subject.needs)}",
        )
        for subject in dataset.pictures
        if not _present(subject, conversion)
    ]
