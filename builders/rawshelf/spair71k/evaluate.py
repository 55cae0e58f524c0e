"""``rawshelf evaluate spair71k``: PCK of predictions or of a baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import click

from rawshelf.errors import UsageError
from rawshelf.metrics import predictions
from rawshelf.metrics.pck import Floats, Protocol
from rawshelf.metrics.protocols import DEFAULT, PRESETS, protocol
from rawshelf.metrics.tables import FORMATS, render
from rawshelf.spair71k import evaluation
from rawshelf.spair71k.baselines import BASELINES
from rawshelf.spair71k.evaluation import Truth
from rawshelf.spair71k.results import by_difficulty, result, tables


def _choices(field: str) -> click.Choice[str]:
    return click.Choice(get_args(get_type_hints(Protocol)[field]))


@click.command("spair71k")
@click.argument("out")
@click.argument("given", metavar="[PREDICTIONS]", required=False)
@click.option("--split", default="test", show_default=True)
@click.option("--baseline", type=click.Choice(list(BASELINES)), help="Evaluate this instead.")
@click.option(
    "--protocol",
    "preset",
    type=click.Choice(list(PRESETS)),
    show_default=DEFAULT,
    help="Whose rules; the options below change single ones.",
)
@click.option("--all-protocols", is_flag=True, help="One row for each published evaluator.")
@click.option("--alpha", type=float, help="Threshold as a share of the length.")
@click.option("--threshold", type=_choices("threshold"), help="What the length is of.")
@click.option("--side", type=_choices("side"), help="Whose box or image that is.")
@click.option("--inclusive/--exclusive", default=None, help="Whether boxes are 1 pixel longer.")
@click.option("--strict/--not-strict", default=None, help="Whether < or <=.")
@click.option("--average", type=_choices("average"), help="Over each image's share, or all points.")
@click.option("--pool", type=_choices("pool"), help="Over all pairs, or over categories.")
@click.option("--frame", type=_choices("frame"), help="Pixels to measure in.")
@click.option("--size", type=int, help="Size of a resized frame.")
@click.option(
    "--reverse/--not-reverse",
    default=None,
    help="Whether source and target of truncation and occlusion are exchanged in breakdowns.",
)
@click.option("--format", "kind", type=click.Choice(FORMATS), default="text", show_default=True)
def command(
    out: str,
    given: str | None,
    split: str,
    baseline: str | None,
    preset: str | None,
    kind: str,
    *,
    all_protocols: bool,
    **changes: Any,
) -> None:
    """Compute PCK on the pairs of the conversion OUT, beside the paper's figures.

    PREDICTIONS is a Parquet file with the columns pair_id (or name) and points, a list of [x, y]
    for each pair; or an .npz with pair_id (or name), points (all pairs' points one after another,
    n x 2) and offsets (where each pair's points begin, and the end). Points are pixels of the
    original target image, counted from 0, in the order of keypoints.id.
    """
    if all_protocols and preset:
        raise UsageError(
            "All protocols are asked for, and a single one.",
            field="--protocol",
            found=preset,
            remedy="Leave out --protocol or --all-protocols.",
        )
    names = list(PRESETS) if all_protocols else [preset or DEFAULT]
    rules = {name: protocol(name, **changes) for name in names}
    truth = evaluation.read(out, split)
    predicted = _source(truth, out, given, baseline)
    rows = [
        result(name if all_protocols else baseline or "predictions", truth, predicted(each), each)
        for name, each in rules.items()
    ]
    notes = [_note(name, each) for name, each in rules.items()]
    if baseline:
        notes.insert(0, f"{baseline}: {BASELINES[baseline].doc}")
    shown = [by_difficulty(truth, rows, notes)] if all_protocols else tables(truth, rows, notes)
    click.echo(render(shown, kind))


def _source(
    truth: Truth, out: str, given: str | None, baseline: str | None
) -> Callable[[Protocol], Floats]:
    """Return what gives the points to judge; a baseline may depend on the rules."""
    if (given is None) == (baseline is None):
        raise UsageError(
            "There must be predictions or a baseline to evaluate, and not both.",
            field="PREDICTIONS",
            found=given,
            remedy=f"Name a file of predictions, or --baseline {'|'.join(BASELINES)}.",
        )
    if baseline is not None:
        chosen = BASELINES[baseline]
        return lambda rules: chosen.points(truth, rules, out)
    points = evaluation.points(truth, predictions.read(str(given)))
    return lambda _: points


def _note(name: str, rules: Protocol) -> str:
    preset = PRESETS[name]
    changed = "" if rules == preset.protocol else "changed from "
    note = f"; {preset.note}" if preset.note else ""
    return f"{name}: {rules.describe()}; {changed}{preset.source}{note}"
