"""``rawshelf evaluate partimagenet``: masks, clusters or instances of parts."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import astuple
from typing import Any

import click
import orjson

from rawshelf.errors import MissingError, PredictionError, UsageError
from rawshelf.metrics import clustering, segmentation
from rawshelf.metrics.instances import STATS, average_precision
from rawshelf.metrics.segmentation import BACKGROUNDS
from rawshelf.metrics.tables import FORMATS, Row, Table, render
from rawshelf.partimagenet import evaluation
from rawshelf.partimagenet.evaluation import TARGETS, Judged, Target
from rawshelf.partimagenet.export import export_coco
from rawshelf.partimagenet.release import KINDS, SEG, SPLIT_NAMES

_QUERIES = (
    "a query is an image and a class in its truth; a missed class counts 0. mIoU and mACC are as "
    "in WPS-SAM (ca580c7), mACC with rightly empty pixels; gIoU is that same mIoU, cIoU all "
    "intersections over all unions. These programs draw each class on its own, so that their "
    "figures differ where parts overlap"
)
_CLUSTERS = (
    "all pixels of all images, background included, as in pdiscoformer (ananthu-aniraj, f039c15); "
    "it lets the lower category id win where parts overlap"
)


_PART = "part"


@click.command("partimagenet")
@click.argument("out")
@click.argument("given", metavar="PREDICTIONS")
@click.option("--config", type=click.Choice(KINDS), default=SEG, show_default=True)
@click.option("--split", default="test", show_default=True)
@click.option("--mask", type=click.Choice(list(TARGETS)), show_default=_PART, help="Of what.")
@click.option("--discovery", is_flag=True, help="Labels are clusters without names: NMI and ARI.")
@click.option("--boxes", is_flag=True, help="Instances: overlap of boxes instead of masks.")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="text", show_default=True)
def command(
    out: str,
    given: str,
    config: str,
    split: str,
    mask: str | None,
    kind: str,
    *,
    discovery: bool,
    boxes: bool,
) -> None:
    """Compare predictions with the masks or the instances of the conversion OUT.

    PREDICTIONS is a folder of index PNGs named after their images (n02085782_1.png); or a Parquet
    file with file_name and mask (bytes of a PNG); or an .npz with one array (height, width) per
    image, named after it. Indices are those of the conversion: background is 40 for parts and 158
    for whole objects. A .json file is taken as COCO results for the files of `rawshelf export
    coco`, and gives COCO's average precision.
    """
    where = f"PartImageNet {config}, {split}"
    if given.endswith(".json"):
        _refuse_options("instances", mask=mask is not None, discovery=discovery)
        shown = _instances(out, given, config, split, where, boxes=boxes)
    else:
        _refuse_options("masks", boxes=boxes)
        kind_of_mask = mask or _PART
        target = TARGETS[kind_of_mask]
        classes = evaluation.ANY_LABEL if discovery else 0
        found = evaluation.judge(out, config, split, target, evaluation.read(given), classes)
        about = f"{where}, {len(found.images):,} images, {kind_of_mask} masks"
        shown = [_clusters(found, about)] if discovery else _semantic(found, target, about)
    click.echo(render(shown, kind))


def _refuse_options(what: str, **given: bool) -> None:
    names = ", ".join(f"--{name}" for name, each in given.items() if each)
    if names:
        raise UsageError(
            f"There is no such choice for predicted {what}.",
            found=names,
            remedy="Leave it out; COCO results are instances, everything else is masks.",
        )


def _semantic(found: Judged, target: Target, about: str) -> list[Table]:
    figures = ("mIoU", "mACC", "pACC", "fwIoU")
    rows = [
        Row(
            f"background {how}",
            _percent(*astuple(segmentation.scores(found.total, target.background, how))),
        )
        for how in BACKGROUNDS
    ]
    notes = [f"background {how}: {words}" for how, words in BACKGROUNDS.items()]
    queries = segmentation.query_scores(found.images, target.background)
    per_query = Row(
        "per query",
        (
            queries.queries,
            *_percent(queries.mean_iou, queries.mean_accuracy, queries.mean_iou, queries.total_iou),
        ),
    )
    return [
        Table(f"In per cent, {about}", _plain(*figures), tuple(rows), (*notes, *_unmasked(found))),
        Table(
            f"In per cent over images and their classes, {about}",
            _plain("queries", "mIoU", "mACC", "gIoU", "cIoU"),
            (per_query,),
            (_QUERIES,),
        ),
        _classes(found, target, about),
    ]


def _classes(found: Judged, target: Target, about: str) -> Table:
    overlap = segmentation.ious(found.total)
    accuracy = segmentation.accuracies(found.total)
    rows = [
        Row(name, (*_percent(overlap[place], accuracy[place]), int(found.total[place].sum())))
        for place, name in enumerate((*target.names, "background"))
    ]
    columns = _plain("IoU", "ACC", "true pixels")
    return Table(f"In per cent by class, {about}", columns, tuple(rows))


def _clusters(found: Judged, about: str) -> Table:
    figures = (clustering.mutual_information(found.total), clustering.rand_index(found.total))
    rows = (Row("clusters", _percent(*figures)),)
    notes = (_CLUSTERS, *_unmasked(found))
    return Table(f"Part discovery, times 100, {about}", _plain("NMI", "ARI"), rows, notes)


def _unmasked(found: Judged) -> tuple[str, ...]:
    return (f"{found.unmasked:,} images have no mask and are left out",) if found.unmasked else ()


def _instances(
    out: str, given: str, config: str, split: str, where: str, *, boxes: bool
) -> list[Table]:
    truth = _exported(out, config, split)
    found = average_precision(truth, _json(given), "bbox" if boxes else "segm", path=given)
    absent = sum(map(math.isnan, found.categories.values()))
    notes = [
        f"{'boxes' if boxes else 'masks'}, computed by pycocotools; AP at 0.50:0.95",
        f"{absent} of {len(found.categories)} categories are not in the truth and not in the mean",
        f"{found.undrawable:,} annotations without a polygon that can be drawn are left out",
    ]
    stats = Row("instances", _percent(*(found.stats[name] for name in STATS)))
    rows = tuple(Row(name, _percent(value)) for name, value in found.categories.items())
    return [
        Table(f"In per cent, {where}", _plain(*STATS), (stats,), tuple(notes)),
        Table(f"In per cent by category, {where}", _plain("AP"), rows),
    ]


def _exported(out: str, config: str, split: str) -> Any:
    raw = {name: each for each, name in SPLIT_NAMES.items()}.get(split, split)
    with tempfile.TemporaryDirectory() as folder:
        export_coco(out, folder)
        path = os.path.join(folder, config, f"{raw}.json")
        if not os.path.exists(path):
            raise MissingError(
                "The conversion does not hold what is to be evaluated on.",
                archive=out,
                field=f"{config}, {split}",
                remedy="Convert the release first, with this config.",
            )
        return _json(path)


def _json(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            return orjson.loads(file.read())
    except (OSError, orjson.JSONDecodeError) as error:
        raise PredictionError(
            "The predictions cannot be read.",
            archive=path,
            found=str(error),
            expected="a JSON file of COCO results",
            remedy="Check the path, or write the predictions again.",
        ) from error


def _plain(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple(("", name) for name in names)


def _percent(*shares: float) -> tuple[float, ...]:
    return tuple(100 * float(share) for share in shares)
