"""Pictures, tables and legends of the cards."""

from typing import Any

import pytest

from rawshelf import cards, catalog
from rawshelf.card_tables import pictures, type_text, verification_table
from rawshelf.features import ClassLabel, Image, List, Struct, Value
from rawshelf.partimagenet.classes import object_classes
from rawshelf.partimagenet.release import PARTS, SUPERCATEGORIES
from tests.conftest import Conversion

ARCHIVE = {
    "name": "raw.zip",
    "bytes": 1000,
    "bytes_by": "a script",
    "sha256": "ab",
    "sha256_by": "a card",
}
ZIP = {"kind": "zip", "bytes": 1000, "sha256": "ab"}
FOLDER = {"kind": "folder", "files": 2, "bytes": 1000, "files_sha256": "cd"}
ASSETS = [
    {"path": "assets/a.png", "bytes": 1, "sha256": "0", "title": "Rows", "alt": "Nine rows"},
    {"path": "assets/b.png", "bytes": 1, "sha256": "0", "title": "Parts", "alt": "All parts"},
]


def verified(**changes: Any) -> list[list[str]]:
    """Return the cells of the table, without its header."""
    manifest = {"counts": [], "input": ZIP, "published": [ARCHIVE], **changes}
    lines = verification_table(manifest).splitlines()
    return [line[2:-2].split(" | ") for line in lines[2:]]


def test_counts_stand_beside_what_is_claimed() -> None:
    """One line per claim, a config's total after its splits."""
    claims = [{"rows": 7, "by": "paper"}, {"rows": 1234, "by": "README"}]
    counts = [
        {"config": "a", "split": None, "rows": 1234, "claims": claims},
        {"config": "a", "split": "test", "rows": 7, "claims": claims[:1]},
        {"config": "b", "split": "test", "rows": 1, "claims": []},
    ]

    assert [
        ["rows of `a`, test", "7", "7", "equal", "paper"],
        ["rows of `a`, all", "7", "1,234", "**differs**", "paper"],
        ["rows of `a`, all", "1,234", "1,234", "equal", "README"],
    ] == verified(counts=counts, published=[])


def test_the_archive_stands_beside_the_published_one() -> None:
    """Size and hash, each with who states it."""
    assert [
        ["bytes of `raw.zip`", "1,000", "1,000", "equal", "a script"],
        ["sha256 of `raw.zip`", "`ab`", "`ab`", "equal", "a card"],
    ] == verified()
    assert ["**differs**"] * 2 == [
        row[3] for row in verified(input={"kind": "zip", "bytes": 1, "sha256": "ef"})
    ]


def test_what_nobody_states_is_not_compared() -> None:
    """No claim is no agreement."""
    found = verified(published=[{**ARCHIVE, "sha256": None, "sha256_by": "nobody"}])

    assert ["sha256 of `raw.zip`", "none stated", "`ab`", "not comparable", "nobody"] == found[1]


def test_a_folder_is_not_compared_with_an_archive() -> None:
    """Also where both happen to have the same number of bytes."""
    assert [
        ("a folder of 2 files, 1,000 bytes", "not comparable"),
        ("of its files: `cd`", "not comparable"),
    ] == [(row[2], row[3]) for row in verified(input=FOLDER)]


def test_the_manifest_has_the_archives_of_its_configs(conversion: Conversion) -> None:
    """What is published about them stands there, for programs."""
    archive = catalog.find("spair71k").release.archives[0]
    [found] = conversion.result.manifest["published"]

    assert (archive.name, archive.bytes, archive.sha256) == (
        found["name"],
        found["bytes"],
        found["sha256"],
    )


def test_pictures_have_alt_text_and_caption(conversion: Conversion) -> None:
    """They stand near the top of the card, in order; without any there is nothing."""
    manifest = conversion.result.manifest
    dataset = catalog.find("spair71k")
    shown = "![Nine rows](assets/a.png)\n*Rows*\n\n![All parts](assets/b.png)\n*Parts*"

    assert shown == pictures(ASSETS)
    plain = cards.render(dataset, manifest)
    assert plain == cards.render(dataset, {**manifest, "assets": []})
    with_pictures = cards.render(dataset, {**manifest, "assets": ASSETS})
    assert plain == with_pictures.replace(f"{shown}\n\n", "")
    assert with_pictures.index(shown) < with_pictures.index("\n## ")


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (Value("int32"), "int32"),
        (Image(), "image"),
        (ClassLabel(("a", "b")), "class label (2)"),
        (List(Value("int32"), 4), "list of 4 int32"),
        (List(List(Value("float64"))), "list of list of float64"),
        (
            Struct({"x": List(Value("int8")), "n": Value("string"), "y": List(Value("int8"))}),
            "struct of `x`, `y`: list of int8; `n`: string",
        ),
    ],
)
def test_types_read_well(feature: Any, expected: str) -> None:
    """Fields of one type stand together."""
    assert expected == type_text(feature)


def test_the_legend_of_the_classes_is_that_of_the_code() -> None:
    """Each class stands in its super-category with mask value and OOD split."""
    _, prose = cards.authored("partimagenet")
    text = " ".join(prose.split())
    marks = {"train": "", "val": " (v)", "test": " (t)"}
    for group in SUPERCATEGORIES:
        own = [each for each in object_classes() if each.supercategory == group]
        names = (f"{each.whole_id} {each.name}{marks[each.ood_split]}" for each in own)
        assert f"- **{group}** ({len(own)}): {', '.join(names)} " in text


def test_the_legend_of_the_parts_is_that_of_the_code() -> None:
    """Each part stands in its super-category with its id."""
    _, prose = cards.authored("partimagenet")
    for group in SUPERCATEGORIES:
        own = [(i, name) for i, name in enumerate(PARTS) if name.startswith(f"{group} ")]
        parts = ", ".join(f"{i} {name.removeprefix(f'{group} ')}" for i, name in own)
        assert f"| {group} | {parts} |" in prose
