"""``rawshelf evaluate partimagenet`` on the miniature releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image
from pycocotools import mask as coco_mask

from rawshelf.cli import cli
from rawshelf.errors import MissingError, PredictionError, UsageError
from rawshelf.partimagenet.export import export_coco
from tests.repositories import convert_parts

Masks = dict[str, npt.NDArray[np.uint8]]

# pycocotools 2.0.11 was built for numpy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert_parts(tmp_path_factory.mktemp("parts"))


def evaluate(*arguments: object) -> list[dict[str, dict[str, float]]]:
    """Return the figures of each table, by row."""
    words = ["evaluate", "partimagenet", *map(str, arguments), "--format", "json"]
    found = CliRunner().invoke(cli, words)
    if found.exception:
        raise found.exception
    tables = json.loads(found.output)
    return [{row["name"]: row["figures"] for row in table["rows"]} for table in tables]


def masks(out: Path, config: str, column: str, split: str = "test") -> Masks:
    """Return a split's masks by file name, read without rawshelf."""
    found = {}
    for path in sorted((out / "data" / config).glob(f"{split}-*.parquet")):
        for row in pq.read_table(path, columns=["file_name", column]).to_pylist():
            with Image.open(BytesIO(row[column]["bytes"])) as image:
                found[row["file_name"]] = np.array(image)
    return found


def png(mask: npt.NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(mask, "L").save(buffer, "PNG")
    return buffer.getvalue()


def as_folder(found: Masks, path: Path) -> Path:
    path.mkdir()
    for name, mask in found.items():
        (path / name).with_suffix(".png").write_bytes(png(mask))
    return path


def as_parquet(found: Masks, path: Path) -> Path:
    target = path.with_suffix(".parquet")
    contents = [png(mask) for mask in found.values()]
    pq.write_table(pa.table({"file_name": list(found), "mask": contents}), target)
    return target


def as_images(found: Masks, path: Path) -> Path:
    target = path.with_suffix(".parquet")
    contents = [{"bytes": png(mask), "path": None} for mask in found.values()]
    pq.write_table(pa.table({"file_name": list(found), "mask": contents}), target)
    return target


def as_npz(found: Masks, path: Path) -> Path:
    target = path.with_suffix(".npz")
    np.savez(target, **{name: mask.astype(np.int64) for name, mask in found.items()})  # type: ignore[arg-type]
    return target


@pytest.mark.parametrize("write", [as_folder, as_parquet, as_images, as_npz])
@pytest.mark.parametrize(
    ("config", "mask"), [("seg", "part"), ("seg", "whole"), ("ood", "part"), ("ood", "whole")]
)
def test_the_truth_scores_100(
    config: str, mask: str, write: Callable[[Masks, Path], Path], out: Path, tmp_path: Path
) -> None:
    """In every figure, from every form of predictions."""
    path = write(masks(out, config, f"{mask}_mask"), tmp_path / "masks")

    first, queries, classes = evaluate(out, path, "--config", config, "--mask", mask)

    for figures in first.values():
        assert {100.0} == set(figures.values())
    assert queries["per query"].pop("queries") > 0
    assert {100.0} == set(queries["per query"].values())
    assert {100.0, None} >= {row["IoU"] for row in classes.values()}


def test_figures_by_hand(out: Path, tmp_path: Path) -> None:
    """All background: every part is missed, and the background is right where there is any."""
    true = masks(out, "seg", "part_mask")
    empty = {name: np.full_like(mask, 40) for name, mask in true.items()}

    first, queries, classes = evaluate(out, as_folder(empty, tmp_path / "masks"))

    pixels = np.concatenate([mask.reshape(-1) for mask in true.values()])
    share = np.mean(pixels == 40)
    parts = len(np.unique(pixels)) - 1
    counted = first["background counted"]
    assert 100 * share / (parts + 1) == pytest.approx(counted["mIoU"])
    assert 100 / (parts + 1) == pytest.approx(counted["mACC"])
    assert 100 * share == pytest.approx(counted["pACC"])
    assert 100 * share**2 == pytest.approx(counted["fwIoU"])
    for how in ("left out", "ignored"):
        assert {0.0} == set(first[f"background {how}"].values())
    assert sum(len(np.unique(m[m != 40])) for m in true.values()) == queries["per query"]["queries"]
    assert np.sum(pixels == 0) == classes["Quadruped Head"]["true pixels"]
    assert 100 * share == pytest.approx(classes["background"]["IoU"])


def test_discovery_knows_no_names(out: Path, tmp_path: Path) -> None:
    """Other labels for the same pixels are as good; one label for all says nothing."""
    true = masks(out, "seg", "part_mask")
    other = as_folder({n: 255 - mask for n, mask in true.items()}, tmp_path / "other")
    same = as_folder({n: np.zeros_like(mask) for n, mask in true.items()}, tmp_path / "same")

    [found] = evaluate(out, other, "--discovery")
    [nothing] = evaluate(out, same, "--discovery")

    assert {"NMI": 100.0, "ARI": 100.0} == pytest.approx(found["clusters"])
    assert {"NMI": 0.0, "ARI": 0.0} == pytest.approx(nothing["clusters"])


def first_changed(found: Masks, change: Callable[[npt.NDArray[np.uint8]], Any]) -> Masks:
    name = next(iter(found))
    return {**found, name: change(found[name])}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: dict(list(m.items())[1:]), "1 predicted masks are missing"),
        (lambda m: {**m, "n1_1.JPEG": next(iter(m.values()))}, "for nothing in this split"),
        (lambda m: first_changed(m, lambda a: a[1:]), "beside one of"),
        (lambda m: first_changed(m, lambda a: np.full_like(a, 41)), "an index above 40"),
        (lambda m: first_changed(m, lambda a: np.stack([a] * 3, axis=2)), "cannot be used"),
    ],
)
def test_masks_that_do_not_fit_are_refused(
    change: Callable[[Masks], Masks], expected: str, out: Path, tmp_path: Path
) -> None:
    """Each fault is named; nothing is scored."""
    found = change(masks(out, "seg", "part_mask"))

    with pytest.raises(PredictionError, match=expected):
        evaluate(out, as_npz(found, tmp_path / "masks"))


def test_coloured_pngs_are_refused(out: Path, tmp_path: Path) -> None:
    """Decoding them to grey would make up indices."""
    folder = as_folder(masks(out, "seg", "part_mask"), tmp_path / "masks")
    Image.new("RGB", (48, 48)).save(min(folder.iterdir()))

    with pytest.raises(PredictionError, match="holds no class indices"):
        evaluate(out, folder)


def test_values_that_are_no_masks_are_refused(out: Path, tmp_path: Path) -> None:
    """Floats, negative indices, text in place of a PNG, two masks of one image, no masks at all."""
    true = masks(out, "seg", "part_mask")
    name = next(iter(true))
    for wrong in (true[name] / 2, true[name].astype(int) - 99):
        np.savez(tmp_path / "a.npz", **{**true, name: wrong})  # type: ignore[arg-type]
        with pytest.raises(PredictionError, match="cannot be used"):
            evaluate(out, tmp_path / "a.npz")
    for names, cells in (([name], ["text"]), ([name, f"x/{name}"], [b"", b""])):
        pq.write_table(pa.table({"file_name": names, "mask": cells}), tmp_path / "a.parquet")
        with pytest.raises(PredictionError):
            evaluate(out, tmp_path / "a.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PredictionError):
        evaluate(out, tmp_path / "empty")


def detections(out: Path, folder: Path, config: str, split: str) -> list[dict[str, Any]]:
    """Return the drawable annotations of a split as detections."""
    export_coco(str(out), str(folder))
    document = json.loads((folder / config / f"{split}.json").read_text())
    sizes = {each["id"]: (each["height"], each["width"]) for each in document["images"]}
    found = []
    for each in document["annotations"]:
        polygons = [p for p in each["segmentation"] if len(p) >= 6]
        if polygons:
            size = sizes[each["image_id"]]
            rle = coco_mask.merge(coco_mask.frPyObjects(polygons, *size))
            shape = {"size": list(size), "counts": rle["counts"].decode()}
            keys = {name: each[name] for name in ("image_id", "category_id")}
            found.append({**keys, "score": 0.5, "segmentation": shape})
    return found


@pytest.mark.parametrize("config", ["seg", "ood"])
def test_instances_of_the_truth(config: str, out: Path, tmp_path: Path) -> None:
    """The annotations of `rawshelf export coco` as detections have an AP of 100."""
    found = detections(out, tmp_path / "coco", config, "val")
    (tmp_path / "results.json").write_text(json.dumps(found))

    arguments = out, tmp_path / "results.json", "--config", config, "--split", "validation"
    stats, categories = evaluate(*arguments)

    assert 100 == pytest.approx(stats["instances"]["AP"])
    present = {each["category_id"] for each in found}
    assert len(present) == sum(row["AP"] is not None for row in categories.values())


def test_results_that_do_not_fit_are_refused(out: Path, tmp_path: Path) -> None:
    """No JSON, and no such split."""
    (tmp_path / "a.json").write_text("[")
    with pytest.raises(PredictionError, match="cannot be read"):
        evaluate(out, tmp_path / "a.json")
    with pytest.raises(MissingError, match="does not hold"):
        evaluate(out, tmp_path / "a.json", "--split", "none")


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("a.json", ("--discovery",)),
        ("a.json", ("--mask", "part")),
        ("a.npz", ("--boxes",)),
        ("a.npz", ("--boxes", "--discovery")),
    ],
)
def test_options_of_the_other_kind_are_refused(
    name: str, option: tuple[str, ...], tmp_path: Path
) -> None:
    """They would change nothing."""
    with pytest.raises(UsageError, match=f"found: {option[0]}"):
        evaluate(tmp_path, tmp_path / name, *option)


def test_text_names_the_conventions(out: Path, tmp_path: Path) -> None:
    """A reader sees whose definition each figure follows."""
    path = as_folder(masks(out, "seg", "part_mask"), tmp_path / "masks")

    text = CliRunner().invoke(cli, ["evaluate", "partimagenet", str(out), str(path)]).output

    for expected in (
        "images, part masks",
        "Compositor",
        "part-catseg",
        "WPS-SAM",
        "background counted",
        "fwIoU",
    ):
        assert expected in text
