"""``rawshelf evaluate spair71k`` on the miniature release."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from rawshelf.cli import cli
from rawshelf.errors import MissingError, RawshelfError, UsageError
from rawshelf.metrics.pck import Protocol
from rawshelf.metrics.protocols import PRESETS
from rawshelf.spair71k import evaluation
from rawshelf.spair71k.baselines import BASELINES
from rawshelf.spair71k.evaluation import Truth
from rawshelf.spair71k.results import result, tables
from tests import pck_reference
from tests.conftest import Conversion
from tests.pck_reference import Pair, Side
from tests.test_spair71k_rows import Row, rows


@pytest.fixture(scope="module")
def truth(conversion: Conversion) -> Truth:
    return evaluation.read(str(conversion.out), "train")


@pytest.fixture(scope="module")
def pair_rows(conversion: Conversion) -> list[Row]:
    return rows(conversion.out, "pairs", "train")


def evaluate(*arguments: object) -> str:
    found = CliRunner().invoke(cli, ["evaluate", "spair71k", *map(str, arguments)])
    if found.exception:
        raise found.exception
    return found.output


def figures(text: str) -> list[dict[str, dict[str, float]]]:
    """Return the figures of each table in JSON, by row."""
    return [{row["name"]: row["figures"] for row in table["rows"]} for table in json.loads(text)]


def pair(row: Row) -> Pair:
    """Return a row with the scaled identity as its prediction."""

    def side(name: str) -> Side:
        points = zip(row["keypoints"][f"{name}_x"], row["keypoints"][f"{name}_y"], strict=True)
        places = [(Fraction(x), Fraction(y)) for x, y in points]
        return Side(tuple(row[f"{name}_size"][:2]), tuple(row[f"{name}_bbox"]), places)

    src, trg = side("src"), side("trg")
    across = Fraction(trg.size[0], src.size[0])
    down = Fraction(trg.size[1], src.size[1])
    return Pair(row["category"], src, trg, [(x * across, y * down) for x, y in src.points])


@pytest.mark.parametrize("name", PRESETS)
def test_identity_by_hand(name: str, conversion: Conversion, pair_rows: list[Row]) -> None:
    """Both identities are what loops over the rows give, under every protocol."""
    pairs = [pair(row) for row in pair_rows]
    rules = PRESETS[name].protocol
    moved = [each._replace(predicted=pck_reference.unscaled(each, rules)) for each in pairs]

    for baseline, expected in (("identity", pairs), ("identity-unscaled", moved)):
        text = evaluate(
            conversion.out, "--split", "train", "--baseline", baseline,
            "--protocol", name, "--format", "json",
        )  # fmt: skip
        found = figures(text)[0][baseline]["all"]
        assert 100 * pck_reference.pck(expected, rules) == pytest.approx(found)


def test_box_by_hand(truth: Truth, pair_rows: list[Row]) -> None:
    """A point keeps its place in the box, and boxes begin at 1."""
    found = BASELINES["box"].points(truth, Protocol(), "")

    expected = []
    for row in pair_rows:
        src, trg, points = row["src_bbox"], row["trg_bbox"], row["keypoints"]
        for x, y in zip(points["src_x"], points["src_y"], strict=True):
            across = (x - (src[0] - 1)) / (src[2] - src[0])
            down = (y - (src[1] - 1)) / (src[3] - src[1])
            expected.append(
                [trg[0] - 1 + across * (trg[2] - trg[0]), trg[1] - 1 + down * (trg[3] - trg[1])]
            )
    np.testing.assert_allclose(found, expected)


def test_mean_by_hand(conversion: Conversion) -> None:
    """A keypoint's mean place is that of the training images, whatever split is evaluated."""
    truth = evaluation.read(str(conversion.out), "test")
    places: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for row in rows(conversion.out, "images", "train"):
        left, top, right, bottom = row["bbox"]
        for each, x, y in zip(*row["keypoints"].values(), strict=True):
            place = ((x - left + 1) / (right - left), (y - top + 1) / (bottom - top))
            places.setdefault((row["category"], each), []).append(place)

    expected = []
    for row in rows(conversion.out, "pairs", "test"):
        left, top, right, bottom = row["trg_bbox"]
        for each in row["keypoints"]["id"]:
            across, down = np.mean(places.get((row["category"], each), [(0.5, 0.5)]), axis=0)
            expected.append([left - 1 + across * (right - left), top - 1 + down * (bottom - top)])

    np.testing.assert_allclose(
        BASELINES["mean"].points(truth, Protocol(), str(conversion.out)), expected
    )


def test_breakdowns_by_hand(truth: Truth, pair_rows: list[Row]) -> None:
    """Each cell is the PCK of the pairs with that code, and where asked easy in all else."""
    factors = evaluation.FACTORS
    rules = Protocol()
    name = "identity"
    points = BASELINES[name].points(truth, rules, "")

    first, second, third = tables(truth, [result(name, truth, points, rules)])

    def expected(chosen: list[Row]) -> Any:
        told = [pair(row) for row in chosen]
        return pytest.approx(100 * pck_reference.pck(told, rules)) if told else None

    cells = [(factor, code) for factor in factors for code in range(3 + (factor[-1] == "n"))]
    cells = [(f, c) for f, c in cells if not (f.endswith("variation") and c == 3)]
    assert 14 == len(cells)
    for place, (factor, code) in enumerate(cells):
        own = [row for row in pair_rows if row[factor] == code]
        easy = [row for row in own if not any(row[f] for f in factors if f != factor)]
        for table, chosen in ((first, own), (second, easy)):
            found = table.rows[0].cells[place]
            assert expected(chosen) == (None if np.isnan(found) else found)  # type: ignore[arg-type]
    for place, found in enumerate(third.rows[0].cells[:-1]):
        wanted = expected([row for row in pair_rows if row["category"] == place])
        assert wanted == (None if np.isnan(found) else found)  # type: ignore[arg-type]


def test_reverse_exchanges_source_and_target(conversion: Conversion) -> None:
    """Only the columns of truncation and occlusion change places."""
    out = conversion.out, "--split", "train", "--baseline", "identity", "--format", "json"
    there = figures(evaluate(*out, "--protocol", "dift"))[0]["identity"]
    back = figures(evaluate(*out, "--protocol", "paper"))[0]["identity"]

    for name, value in there.items():
        other = {"source": "target", "target": "source"}.get(name.split()[-1], "")
        assert value == back[f"{name.split()[0]} {other}" if other else name]
    option = figures(evaluate(*out, "--protocol", "dift", "--reverse"))[0]["identity"]
    assert back == option != there


def test_single_rules_can_be_changed(conversion: Conversion) -> None:
    """Options change what the protocol says, and the note says so."""
    out = conversion.out, "--split", "train", "--baseline", "identity", "--protocol", "geoaware"

    text = evaluate(*out, "--alpha", "0.2", "--not-strict", "--frame", "original")

    assert "PCK at 0.2" in text
    assert "distance <= 0.2 of the target's box, original pixels" in text
    assert "changed from Junyi42/GeoAware-SC" in text


def test_published_rows_stand_beside_their_like_only(conversion: Conversion) -> None:
    """The paper's figures are of the test split, at 0.1, of the box."""
    out = conversion.out, "--baseline", "identity"

    assert "CNNGeo [paper]" in evaluate(*out)
    for other in (("--split", "train"), ("--alpha", "0.05"), ("--threshold", "image")):
        assert "[paper]" not in evaluate(*out, *other)


@pytest.mark.parametrize(
    ("kind", "expected"), [("text", "truncation"), ("latex", "\\bottomrule"), ("markdown", "---:")]
)
def test_every_format_has_every_protocol(kind: str, expected: str, conversion: Conversion) -> None:
    """One row each, with what the rules are."""
    text = evaluate(
        conversion.out, "--split", "train", "--baseline", "box", "--all-protocols", "--format", kind
    )

    assert expected in text
    for name, preset in PRESETS.items():
        assert name in text
        assert preset.source in text


@pytest.mark.parametrize(
    ("arguments", "kind", "expected"),
    [
        ((), UsageError, "predictions or a baseline"),
        (("p.parquet", "--baseline", "box"), UsageError, "not both"),
        (("--baseline", "box", "--alpha", "-1"), UsageError, "above 0"),
        (("--baseline", "box", "--split", "trn"), MissingError, "splits test, train, validation"),
        (("--baseline", "box", "--split", "*"), MissingError, "splits test, train, validation"),
        (("--baseline", "box", "--all-protocols", "--protocol", "dift"), UsageError, "single one"),
    ],
)
def test_wrong_usage_is_explained(
    arguments: tuple[str, ...], kind: type[RawshelfError], expected: str, conversion: Conversion
) -> None:
    """With what to do instead."""
    with pytest.raises(kind, match=expected):
        evaluate(conversion.out, *arguments)


def test_a_missing_shard_is_noticed(conversion: Conversion, tmp_path: Path) -> None:
    """A figure over a part of the split would be wrong in silence."""
    (source,) = (conversion.out / "data" / "pairs").glob("test-*.parquet")
    folder = tmp_path / "data" / "pairs"
    folder.mkdir(parents=True)
    (folder / "test-00000-of-00002.parquet").write_bytes(source.read_bytes())

    with pytest.raises(MissingError, match="2 files"):
        evaluation.read(str(tmp_path))


def test_a_damaged_file_is_explained(tmp_path: Path) -> None:
    """No traceback of Arrow's."""
    folder = tmp_path / "data" / "pairs"
    folder.mkdir(parents=True)
    (folder / "test-00000-of-00001.parquet").write_bytes(b"PAR1")

    with pytest.raises(RawshelfError, match="cannot be read"):
        evaluation.read(str(tmp_path))


def test_an_unknown_dataset_is_refused() -> None:
    """Only what can be evaluated on is offered."""
    found = CliRunner().invoke(cli, ["evaluate", "spair"])

    assert isinstance(found.exception, UsageError)
    assert "Did you mean spair71k?" in str(found.exception)
