"""``rawshelf evaluate imagenet_sketch``: top-1 and top-5."""

from __future__ import annotations

import click

from rawshelf.imagenet_sketch import evaluation
from rawshelf.imagenet_sketch.evaluation import SPLIT, Ranked, Truth
from rawshelf.metrics import predictions
from rawshelf.metrics.classification import macro, micro
from rawshelf.metrics.tables import FORMATS, Cell, Row, Table, render

_KS = (1, 5)
_PUBLISHED = (
    "published figures are those of all images over images (as in timm's results-sketch.csv); 889 "
    "classes have 51 images and 111 have 50, so that the mean over classes differs a little"
)
_NO_QUALITY = "convert the config quality too, for the figures without constant images and copies"


@click.command("imagenet_sketch")
@click.argument("out")
@click.argument("given", metavar="PREDICTIONS")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="text", show_default=True)
def command(out: str, given: str, kind: str) -> None:
    """Compute top-1 and top-5 accuracy on the conversion OUT.

    PREDICTIONS is a Parquet file or an .npz with file_name (as in the conversion:
    sketch/n01440764/sketch_0.JPEG), and either logits, 1000 per image, or labels, the k likeliest
    ImageNet indices per image, the likeliest first.
    """
    truth = evaluation.read(out)
    ranked = evaluation.rank(truth, predictions.read(given))
    click.echo(render([table(truth, ranked)], kind))


def table(truth: Truth, ranked: Ranked) -> Table:
    """Return the accuracies in per cent, over images (micro) and over classes (macro)."""
    rows = tuple(_row(truth, ranked, name) for name in truth.subsets)
    notes = [_PUBLISHED] if len(rows) > 1 else [_PUBLISHED, _NO_QUALITY]
    if ranked.depth < max(_KS):
        notes.append(f"the predictions hold {ranked.depth} classes per image")
    columns = (
        ("", "images"),
        *(("over images", f"top-{k}") for k in _KS),
        *(("over classes", f"top-{k}") for k in _KS),
    )
    return Table(f"Accuracy in per cent, ImageNet-Sketch {SPLIT}", columns, rows, tuple(notes), 2)


def _row(truth: Truth, ranked: Ranked, name: str) -> Row:
    chosen = truth.subsets[name]
    ranks, labels = ranked.ranks[chosen], truth.labels[chosen]
    known = {k: ranks < k for k in _KS if k <= ranked.depth}
    over_images: list[Cell] = [100 * micro(known[k]) if k in known else None for k in _KS]
    over_classes: list[Cell] = [100 * macro(known[k], labels) if k in known else None for k in _KS]
    return Row(name, (int(chosen.sum()), *over_images, *over_classes))
