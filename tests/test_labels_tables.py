"""The tables of the ImageNet-1k labels: written anew from WordNet, and against references."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from rawshelf import labels

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "builders" / "rawshelf"
REFERENCE = REPOSITORY.parent / "shared" / "real" / "labels"
DATABASE = Path("/usr/share/wordnet/data.noun")
MAKE_LABELS = REPOSITORY / "scripts" / "make_labels"

ENTITY = "n00001740"

needs_database = pytest.mark.skipif(
    not DATABASE.is_file(), reason=f"WordNet 3.0 (Debian's wordnet-base) has no {DATABASE} here"
)
needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the reference tables are not beside this checkout"
)


def make_labels(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run scripts/make_labels."""
    command = [sys.executable, str(MAKE_LABELS), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def reference(name: str) -> list[dict[str, str]]:
    """Read a reference table."""
    with (REFERENCE / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.skipif(not MAKE_LABELS.exists(), reason="the script is in a checkout only")
class TestTables:
    """The tables against WordNet's database, which scripts/make_labels reads."""

    @needs_database
    def test_tables_are_those_of_the_database(self) -> None:
        """The checked-in tables and notice are what the database gives."""
        assert (0, "") == (make_labels("--check").returncode, make_labels("--check").stderr)

    @needs_database
    def test_made_anew(self, tmp_path: Path) -> None:
        """From the table of classes alone the script writes the other files, byte for byte."""
        (tmp_path / "labels_classes.tsv").write_bytes((PACKAGE / "labels_classes.tsv").read_bytes())
        result = make_labels("--tables", tmp_path)
        made = {each.name: each.read_bytes() for each in tmp_path.iterdir()}

        assert 0 == result.returncode
        assert {"labels_classes.tsv", "labels_synsets.tsv", "WORDNET_LICENSE.txt"} == set(made)
        assert {name: (PACKAGE / name).read_bytes() for name in made} == made

    @needs_database
    def test_check_finds_changes(self, tmp_path: Path) -> None:
        """A changed and a missing file are named, with exit code 1, and left as they are."""
        (tmp_path / "labels_classes.tsv").write_bytes((PACKAGE / "labels_classes.tsv").read_bytes())
        changed = (PACKAGE / "labels_synsets.tsv").read_bytes().replace(b"tench", b"trench")
        (tmp_path / "labels_synsets.tsv").write_bytes(changed)
        result = make_labels("--check", "--tables", tmp_path)

        assert 1 == result.returncode
        assert ["labels_synsets.tsv", "WORDNET_LICENSE.txt"] == [
            Path(line.split(" differs")[0]).name for line in result.stderr.splitlines()
        ]
        assert changed == (tmp_path / "labels_synsets.tsv").read_bytes()
        assert not (tmp_path / "WORDNET_LICENSE.txt").exists()

    def test_another_wordnet_is_refused(self, tmp_path: Path) -> None:
        """A database whose offsets are not those of WordNet 3.0 changes nothing."""
        foreign = tmp_path / "data.noun"
        foreign.write_text("  1 A notice.\n00001740 03 n 01 entity 0 000 | what there is\n")
        result = make_labels(foreign, "--check")

        assert 1 == result.returncode
        assert "not WordNet 3.0's data.noun" in result.stderr

    @needs_database
    def test_a_cut_hypernym_is_refused(self, tmp_path: Path) -> None:
        """A synset other than the root that has lost its hypernym changes nothing."""
        head, tench, tail = DATABASE.read_bytes().partition(b"\n01440764 ")
        damaged = tmp_path / "data.noun"
        damaged.write_bytes(head + tench + tail.replace(b" @ ", b" ! ", 1))
        result = make_labels(damaged, "--check")

        assert 1 == result.returncode
        assert "n01440764 has no hypernym" in result.stderr

    def test_missing_database(self, tmp_path: Path) -> None:
        """A missing database is a usage error that names the package to install."""
        result = make_labels(tmp_path / "data.noun")

        assert 2 == result.returncode
        assert "install wordnet-base" in result.stderr

    def test_notice_is_complete(self) -> None:
        """WordNet's notice ships whole: grant, copyright, disclaimer, and use of the name."""
        notice = (PACKAGE / "WORDNET_LICENSE.txt").read_text(encoding="utf-8")

        assert "Permission to use, copy, modify and distribute this software" in notice
        assert "WordNet 3.0 Copyright 2006 by Princeton University." in notice
        assert 'PROVIDED "AS IS"' in notice
        assert notice.endswith("Princeton University and LICENSEE agrees to preserve same.\n")


@needs_reference
class TestReference:
    """The label space against independently made tables."""

    @pytest.mark.parametrize(
        ("column", "expected"),
        [
            ("index", [str(each.index) for each in labels.classes()]),
            ("wnid", labels.wnids()),
            ("hf_imagenet1k_name", labels.names()),
            ("openai_clip_name", labels.zero_shot_names()),
            ("first_lemma", [each.lemmas[0] for each in labels.classes()]),
            ("lemmas", ["|".join(each.lemmas) for each in labels.classes()]),
            ("definition", [each.definition for each in labels.classes()]),
            ("parents", ["|".join(each.parents) for each in labels.classes()]),
            ("hypernym_chain", [">".join(labels.chain(wnid)[1:]) for wnid in labels.wnids()]),
            ("n_hypernym_paths", [str(len(labels.paths(wnid))) for wnid in labels.wnids()]),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_classes(self, column: str, expected: list[str]) -> None:
        """Each column agrees for all 1,000 classes."""
        assert [row[column] for row in reference("imagenet_1k.tsv")] == expected

    def test_graph(self) -> None:
        """Each of the 1,860 synsets has the same lemmas, definition, parents and class count."""
        rows = {row["wnid"]: row for row in reference("imagenet_1k_ancestors.tsv")}
        expected = {
            wnid: (row["lemmas"], row["definition"], row["parents"], int(row["n_classes_below"]))
            for wnid, row in rows.items()
        }
        nodes = map(labels.synset, [ENTITY, *labels.descendants(ENTITY)])

        assert expected == {
            each.wnid: (
                "|".join(each.lemmas),
                each.definition,
                "|".join(each.parents),
                len(labels.classes_below(each.wnid)),
            )
            for each in nodes
        }
