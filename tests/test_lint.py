import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rawshelf import catalog
from rawshelf.cli import cli
from rawshelf.convert import Options, convert
from rawshelf.demo import write_release
from rawshelf.errors import UsageError
from rawshelf.lint import RULES, counts, lint, vocabularies
from tests.conftest import Conversion
from tests.fakes.card_defects import DEFECTS
from tests.fakes.card_edits import dump, edit_prose, front_and_prose, load
from tests.outputs import content

_PLACE = re.compile(r"README\.md:(\d+)")


def _link(source: str, target: str) -> str:
    if source.endswith(".parquet"):
        os.link(source, target)
        return target
    return str(shutil.copy(source, target))


@pytest.fixture
def out(conversion: Conversion, tmp_path: Path) -> Path:
    """Return a copy of the conversion; its data files are links, to be replaced and not changed."""
    return Path(shutil.copytree(conversion.out, tmp_path / "out", copy_function=_link))


@pytest.mark.parametrize("name", catalog.names())
def test_our_cards_break_no_rule(name: str, conversion: Conversion, tmp_path: Path) -> None:
    """Neither errors nor warnings are found in a conversion of any of the releases."""
    out = conversion.out
    if name != "spair71k":
        out = tmp_path / "out"
        raw = write_release(catalog.find(name), tmp_path)
        convert(name, str(raw), str(out), Options(allow_missing=100))

    assert [] == [str(finding) for finding in lint(str(out))]


def test_every_rule_has_a_defect_that_breaks_it() -> None:
    """No rule is without a test, and no defect is of an unknown rule."""
    assert set(RULES) == {defect.rule for defect in DEFECTS.values()}


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.fault(21, only="yaml|front|alias|tag|deep")
def test_a_defect_is_found_and_nothing_else(
    name: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One rule is named, with the line of the card or the key."""
    defect = DEFECTS[name]
    if not defect.manifest:
        (out / "manifest.json").unlink()
    if defect.rule == "row-group":
        monkeypatch.setattr(counts, "LARGEST_GROUP", 1)
    defect.edit(out)

    found = lint(str(out))

    assert {defect.rule} == {finding.rule for finding in found}, found
    places = [finding.place for finding in found if finding.place.endswith(defect.place)]
    assert places, found
    assert not defect.line or any(defect.line in _line(out, place) for place in places), found


def _line(out: Path, place: str) -> str:
    """Return the line of the card that a place names."""
    match = _PLACE.match(place)
    assert match is not None
    return (out / "README.md").read_text("utf-8").splitlines()[int(match[1]) - 1]


def test_findings_are_told_with_their_remedy(out: Path) -> None:
    """A person reads where, what, and what to do; a program gets the same; errors exit with 1."""
    edit_prose("[x](docs/x.md)")(out)

    people = CliRunner().invoke(cli, ["card", "lint", str(out)], standalone_mode=False)
    program = CliRunner().invoke(cli, ["card", "lint", str(out), "--json"], standalone_mode=False)

    (finding,) = json.loads(program.output)
    assert 1 == people.return_value == program.return_value
    assert finding == lint(str(out))[0].to_json()
    assert all(finding[key] in people.output for key in ("rule", "place", "found", "remedy"))
    assert "1 errors, 0 warnings" in people.output


def test_warnings_do_not_fail(out: Path) -> None:
    """They are printed, and the exit code is 0."""
    edit_prose("[x](#no-such-title)")(out)

    result = CliRunner().invoke(cli, ["card", "lint", str(out)], standalone_mode=False)

    assert 0 == result.return_value
    assert "anchor-broken" in result.output


def test_no_folder_is_an_error_of_usage(tmp_path: Path) -> None:
    """It names the folder."""
    with pytest.raises(UsageError, match="nowhere"):
        lint(str(tmp_path / "nowhere"))


def test_nothing_is_written(out: Path) -> None:
    """A check leaves the repository as it is."""
    before = content(out)

    lint(str(out))

    assert before == content(out)


def test_a_foreign_repository_needs_neither_configs_nor_figures(tmp_path: Path) -> None:
    """What a card does not state is not asked for, and links in code are none."""
    text = "---\nlicense: mit\n---\n# Title\n\n`[x](y)`\n\n```\n[More](x)\n```\n"
    (tmp_path / "README.md").write_text(text)

    assert [] == lint(str(tmp_path))


def test_what_datasets_writes_breaks_no_rule(tmp_path: Path) -> None:
    """Card and file as the installed version writes them agree; 4.0 spells lists anew."""
    features = datasets.Features(
        {
            "number": datasets.Value("float64"),
            "time": datasets.Value("timestamp[us, tz=UTC]"),
            "price": datasets.Value("decimal128(9, 2)"),
            "long": datasets.Value("large_string"),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            "image": datasets.Image(),
            "grid": datasets.Array2D(shape=(2, 2), dtype="float32"),
            "words": datasets.Sequence(datasets.Value("string")),
            "box": datasets.Sequence(datasets.Value("int32"), length=4),
            "columns": datasets.Sequence({"x": datasets.Value("int8")}),
            "objects": [{"kind": datasets.ClassLabel(names=["a"])}],
            "large": datasets.LargeList(datasets.Value("int32")),
        }
    )
    path = tmp_path / "data" / "train-0.parquet"
    path.parent.mkdir()
    datasets.Dataset.from_dict({name: [] for name in features}, features).to_parquet(str(path))
    info = {"features": features._to_yaml_list(), "splits": [{"name": "train", "num_examples": 0}]}
    files = [{"split": "train", "path": "data/train-*"}]
    configs = [{"config_name": "default", "data_files": files}]
    card = {"license": "mit", "configs": configs, "dataset_info": info}
    (tmp_path / "README.md").write_text(f"---\n{dump(card)}---\n# Title\n")

    found = lint(str(tmp_path))

    assert {"features-spelling"} >= {finding.rule for finding in found}, found


@pytest.mark.parametrize(
    ("name", "rows", "inside"),
    [
        ("n<1K", 999, True),
        ("n<1K", 1000, False),
        ("1K<n<10K", 1000, True),
        ("100B<n<1T", 10**12, False),
        ("n>1T", 10**13, True),
        ("unknown", 1, True),
    ],
)
def test_size_categories_have_bounds(name: str, rows: int, *, inside: bool) -> None:
    """The lower one belongs to the category, as in the cards that are written here."""
    low, high = vocabularies.sizes()[name]

    assert inside == (low <= rows < high)


def test_lists_are_those_of_the_installed_datasets() -> None:
    """One value of each, and the tables beside the code are not empty."""
    assert "no-annotation" in vocabularies.creators("annotations") - vocabularies.creators(
        "language"
    )
    assert {"en", "zh", "multilingual"} <= vocabularies.languages()
    assert {"other", "unknown", "cc-by-nc-4.0"} <= vocabularies.licences()
    assert "pose-estimation" in vocabularies.tasks()["keypoint-detection"]


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _TEXT
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_SCALARS, inner, max_size=3),
    max_leaves=8,
)
_KEYS = [
    "license",
    "language",
    "tags",
    "task_ids",
    "source_datasets",
    "size_categories",
    "configs",
    "dataset_info",
]
_HOSTILE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def short(out: Path) -> tuple[str, str]:
    """Return the front matter of a card of one config, and its prose."""
    front, prose = front_and_prose(out)
    card = load(front)
    card["configs"], card["dataset_info"] = card["configs"][1:2], card["dataset_info"][1:2]
    return dump(card), prose[:2000]


@_HOSTILE
@given(data=st.data())
@pytest.mark.fault(21)
def test_values_of_any_kind_give_findings_only(
    data: st.DataObject, out: Path, short: tuple[str, str]
) -> None:
    """Whatever stands where, in the whole front matter, nothing breaks off."""
    card = load(short[0])
    place: Any = card
    key = data.draw(st.sampled_from(_KEYS))
    while isinstance(place[key], (list, dict)) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(
            st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))
        )
    place[key] = data.draw(_VALUES)
    (out / "README.md").write_text(f"---\n{dump(card)}---\n{short[1]}", "utf-8")

    assert all(str(finding) for finding in lint(str(out)))


@_HOSTILE
@given(
    first=st.integers(0, 5000),
    length=st.integers(0, 40),
    added=st.text("-:[]{}&*!<>|%@#'\"\n\t ax0~?,`()\x00\ud800", max_size=12),
)
@pytest.mark.fault(21)
def test_mutated_text_gives_findings_only(
    first: int, length: int, added: str, out: Path, short: tuple[str, str]
) -> None:
    """YAML and Markdown that are broken anywhere are reported."""
    text = f"---\n{short[0]}---\n{short[1]}"
    mutated = text[:first] + added + text[first + length :]
    (out / "README.md").write_bytes(mutated.encode("utf-8", "surrogatepass"))

    assert all(str(finding) for finding in lint(str(out)))


@pytest.mark.parametrize(
    "text", ["<![foo[", "<div>\n<![foo[ x\n</div>", "[x](http://[)", "[x](<>)"]
)
@pytest.mark.fault(21)
def test_hostile_prose_gives_findings_only(text: str, out: Path) -> None:
    """What parsers of HTML and of addresses refuse is no traceback."""
    edit_prose(text)(out)

    assert {"link-broken"} >= {finding.rule for finding in lint(str(out))}
