"""Tests of the ImageNet-1k label space."""

from __future__ import annotations

import csv
import hashlib
import itertools
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawshelf import labels
from rawshelf.errors import LabelError, RawshelfError

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "builders" / "rawshelf"
REFERENCE = REPOSITORY.parent / "shared" / "real" / "labels"
DATABASE = Path("/usr/share/wordnet/data.noun")
MAKE_LABELS = REPOSITORY / "scripts" / "make_labels"

ENTITY, DOG, CHIHUAHUA, SIAMESE = "n00001740", "n02084071", "n02085620", "n02123597"
CARNIVORE, DOMESTIC_ANIMAL = "n02075296", "n01317541"

needs_database = pytest.mark.skipif(
    not DATABASE.is_file(), reason=f"WordNet 3.0 (Debian's wordnet-base) has no {DATABASE} here"
)
needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the reference tables are not beside this checkout"
)

ALL_WNIDS = [ENTITY, *labels.descendants(ENTITY)]
Step = Callable[[str], tuple[str, ...]]


def make_labels(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run scripts/make_labels."""
    command = [sys.executable, str(MAKE_LABELS), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def reference(name: str) -> list[dict[str, str]]:
    """Read a reference table."""
    with (REFERENCE / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def wnids_of(found: list[labels.Synset]) -> list[str]:
    """Keep the wnids."""
    return [each.wnid for each in found]


def class_wnids(found: list[labels.Synset]) -> list[str]:
    """Keep the wnids of the classes."""
    return [each.wnid for each in found if isinstance(each, labels.ImageNetClass)]


class TestClasses:
    """The 1,000 classes by index, wnid and name."""

    def test_positions_are_indices(self) -> None:
        """The classes are numbered 0 to 999 in ascending order of their wnids."""
        assert list(range(1000)) == [each.index for each in labels.classes()]
        assert sorted(set(labels.wnids())) == labels.wnids()

    @pytest.mark.parametrize(
        ("index", "wnid", "name"),
        [
            (0, "n01440764", "tench, Tinca tinca"),
            (9, "n01518878", "ostrich, Struthio camelus"),
            (999, "n15075141", "toilet tissue, toilet paper, bathroom tissue"),
        ],
    )
    def test_pinned_rows(self, index: int, wnid: str, name: str) -> None:
        """The first, the tenth and the last class are those of ILSVRC/imagenet-1k."""
        assert (index, wnid, name) == (
            labels.index(wnid),
            labels.wnid(index),
            labels.names()[index],
        )

    @given(st.integers(0, 999))
    def test_lookups_are_inverse(self, index: int) -> None:
        """Index, wnid and name lead back to the same class."""
        node = labels.classes()[index]

        assert index == labels.index(labels.wnid(index))
        assert node == labels.synset(node.wnid)
        assert node in labels.find(node.name)

    def test_names_are_the_published_ones(self) -> None:
        """The names are, byte for byte, those of huggingface/datasets' imagenet-1k/classes.py."""
        digest = hashlib.sha256("\n".join(labels.names()).encode()).hexdigest()

        assert "937eaf0024f6061b49ed40d4fbeda028f58571990fd1e3ec8c026bc29fc38f71" == digest

    def test_names_make_a_class_label(self) -> None:
        """A ClassLabel takes the names and codes them by index."""
        feature = datasets.ClassLabel(names=labels.names())

        assert 1000 == feature.num_classes
        assert [134, 517] == feature.str2int(["crane", "crane2"])
        assert "tench, Tinca tinca" == feature.int2str(0)

    def test_a_class_label_refuses_zero_shot_names(self) -> None:
        """The zero-shot names are no ClassLabel, since two of them occur twice."""
        repeated = {name: n for name, n in Counter(labels.zero_shot_names()).items() if n > 1}

        assert {"missile": 2, "sunglasses": 2} == repeated
        with pytest.raises(ValueError, match="duplicated"):
            datasets.ClassLabel(names=labels.zero_shot_names())

    @pytest.mark.parametrize(
        "function",
        [labels.names, labels.wnids, labels.zero_shot_names, partial(labels.find, "crane")],
    )
    def test_lists_are_the_callers_own(self, function: Callable[[], list[object]]) -> None:
        """Changing a returned list changes no later answer."""
        expected = function().copy()
        function().clear()

        assert expected == function()

    def test_records_are_frozen_and_picklable(self) -> None:
        """A class can be a key, crosses to another process, and cannot be changed."""
        node = labels.classes()[0]

        assert node == pickle.loads(pickle.dumps(node))  # noqa: S301 (its own bytes)
        assert 1000 == len(set(labels.classes()))
        with pytest.raises(FrozenInstanceError):
            node.index = 1  # type: ignore[misc]

    def test_record_of_a_class(self) -> None:
        """A class carries its names, its definition without examples, and its hypernyms."""
        expected = labels.ImageNetClass(
            wnid="n04356056",
            lemmas=("sunglasses", "dark glasses", "shades"),
            definition="spectacles that are darkened or polarized to protect the eyes"
            " from the glare of the sun",
            parents=("n04272054",),
            index=837,
            name="sunglasses, dark glasses, shades",
            zero_shot_name="sunglasses",
        )

        assert expected == labels.synset("n04356056")


class TestNames:
    """The names that more than one class bears."""

    def test_crane(self) -> None:
        """Two classes are called crane: 134 is the bird; 517, crane2, is the machine."""
        bird, machine = labels.find("crane")

        assert ("n02012849", "n03126707") == (bird.wnid, machine.wnid)
        assert (134, 517) == (labels.index(bird.wnid), labels.index(machine.wnid))
        assert ("crane", "crane2") == (labels.names()[134], labels.names()[517])
        assert ("crane",) == bird.lemmas == machine.lemmas
        assert "large long-necked wading bird" in bird.definition
        assert "lifts and moves heavy objects" in machine.definition
        assert [machine] == labels.find("crane2") == labels.find("construction crane")
        assert [bird] == labels.find("crane bird")

    def test_maillot(self) -> None:
        """Two classes have the first lemma maillot: 638 are tights, 639 is a bathing suit."""
        tights, suit = labels.find("maillot")

        assert (638, 639) == (labels.index(tights.wnid), labels.index(suit.wnid))
        assert ("maillot", "maillot, tank suit") == tuple(labels.names()[638:640])
        assert ("tights", "one-piece bathing suit") == tuple(labels.zero_shot_names()[638:640])
        assert [suit] == labels.find("tank suit")

    def test_missile(self) -> None:
        """Classes 657 and 744 are both missile to WordNet and to CLIP, not to the ClassLabel."""
        rocket, projectile = labels.find("missile")

        assert (657, 744) == (labels.index(rocket.wnid), labels.index(projectile.wnid))
        assert ("missile", "projectile, missile") == (labels.names()[657], labels.names()[744])
        assert ("missile", "missile") == (
            labels.zero_shot_names()[657],
            labels.zero_shot_names()[744],
        )
        assert ("n04565375",) == labels.lowest_common_ancestors(rocket.wnid, projectile.wnid)

    def test_sunglass(self) -> None:
        """Class 836 is a burning lens that CLIP calls sunglasses, as it does class 837."""
        (lens,) = labels.find("sunglass")

        assert 836 == labels.index(lens.wnid)
        assert lens.definition.startswith("a convex lens")
        assert ["sunglasses", "sunglasses"] == labels.zero_shot_names()[836:838]
        # WordNet's own use of a name goes before CLIP's.
        assert [837, 836] == [labels.index(each.wnid) for each in labels.find("sunglasses")]

    def test_shared_lemmas(self) -> None:
        """Eighteen lemmas are shared by two classes, and finding one gives both, in index order."""
        bearers = Counter(lemma for each in labels.classes() for lemma in each.lemmas)
        shared = [lemma for lemma, count in bearers.items() if count > 1]
        expected = {
            lemma: [each.wnid for each in labels.classes() if lemma in each.lemmas]
            for lemma in shared
        }

        assert 18 == len(shared)
        assert expected == {lemma: class_wnids(labels.find(lemma)) for lemma in shared}

    @pytest.mark.parametrize(
        "text", ["Siamese cat", "siamese_cat", " SIAMESE  cat ", "Siamese cat, Siamese", SIAMESE]
    )
    def test_find_ignores_case_and_underscores(self, text: str) -> None:
        """A name is found however it is cased and spaced."""
        assert [SIAMESE] == wnids_of(labels.find(text))

    def test_find_reaches_ancestors_after_classes(self) -> None:
        """An ancestor is found too, behind the classes of the same name."""
        assert [DOG] == wnids_of(labels.find("dog"))
        assert ["n03710637", "n04434932"] == wnids_of(labels.find("tights"))


class TestGraph:
    """The hypernym graph."""

    def test_size(self) -> None:
        """The graph is the 1,000 classes and 860 ancestors under one root."""
        above = {each for wnid in labels.wnids() for each in labels.ancestors(wnid)}

        assert 860 == len(above)
        assert set() == above & set(labels.wnids()), "no class is an ancestor of another"
        assert above | set(labels.wnids()) == {ENTITY, *labels.descendants(ENTITY)}
        assert {ENTITY} == {each for each in above if not labels.parents(each)}

    @pytest.mark.parametrize(
        ("wnid", "lemma", "count"),
        [
            (DOG, "dog", 118),
            ("n01503061", "bird", 59),
            ("n01726692", "snake", 17),
            ("n00015388", "animal", 398),
            (ENTITY, "entity", 1000),
            (CHIHUAHUA, "Chihuahua", 1),
        ],
    )
    def test_classes_below(self, wnid: str, lemma: str, count: int) -> None:
        """A superclass holds its classes, each once and in index order; a class holds itself."""
        found = labels.classes_below(wnid)

        assert lemma == labels.synset(wnid).lemmas[0]
        assert count == len(found)
        assert sorted({each.index for each in found}) == [each.index for each in found]

    @pytest.mark.parametrize("name", ["dingo", "dhole", "African hunting dog"])
    def test_wild_dogs_are_not_dogs(self, name: str) -> None:
        """Dingo, dhole and African hunting dog are canines, but not below dog."""
        (node,) = labels.find(name)

        assert DOG not in labels.ancestors(node.wnid)
        assert "n02083346" in labels.ancestors(node.wnid)

    def test_parents_in_the_order_of_the_database(self) -> None:
        """The one class with three hypernyms lists them as WordNet does, which is not ascending."""
        most = max(labels.classes(), key=lambda each: len(each.parents))

        assert "n04389033" == most.wnid
        assert ("n03764276", "n02740533", "n04464852") == labels.parents(most.wnid)
        assert {1: 962, 2: 37, 3: 1} == Counter(len(each.parents) for each in labels.classes())

    def test_ancestors_come_nearest_first(self) -> None:
        """Ancestors are ordered by their distance, across all paths."""
        expected = (
            *("n02085374", DOG),
            *("n02083346", DOMESTIC_ANIMAL),
            *(CARNIVORE, "n00015388"),
            *("n01886756", "n00004475"),
        )

        assert expected == labels.ancestors(CHIHUAHUA)[:8]

    def test_descendants_come_nearest_first(self) -> None:
        """Descendants are ordered by their distance: foxhound comes before its two breeds."""
        hounds = labels.descendants("n02087551")

        assert labels.children("n02087551") == hounds[: len(labels.children("n02087551"))]
        assert hounds.index("n02089555") < hounds.index("n02089867") < hounds.index("n02089973")

    def test_children(self) -> None:
        """Children are ascending and of the graph alone, which has no puppy below dog."""
        assert () == labels.children(CHIHUAHUA)
        assert ("n00001930", "n00002137") == labels.children(ENTITY)
        assert CHIHUAHUA in labels.children("n02085374")
        assert "n01322604" not in labels.children(DOG)

    @pytest.mark.parametrize(
        ("up", "down"),
        [(labels.parents, labels.children), (labels.ancestors, labels.descendants)],
    )
    def test_up_and_down_agree(self, up: Step, down: Step) -> None:
        """Each pair of a lower and a higher synset is found from both ends, and only once."""
        ascents = [(low, high) for low in ALL_WNIDS for high in up(low)]
        descents = [(low, high) for high in ALL_WNIDS for low in down(high)]

        assert sorted(ascents) == sorted(descents)
        assert len(set(ascents)) == len(ascents)

    def test_number_of_paths(self) -> None:
        """304 classes reach the root by 2 to 5 paths."""
        counts = Counter(len(labels.paths(wnid)) for wnid in labels.wnids())

        assert 304 == sum(counts.values()) - counts[1]
        assert (1, 5) == (min(counts), max(counts))

    @pytest.mark.parametrize("wnid", [CHIHUAHUA, "n04389033"])
    def test_paths_end_at_the_root(self, wnid: str) -> None:
        """Every path is different and climbs from the synset to the root by recorded parents."""
        paths = labels.paths(wnid)

        assert len(set(paths)) == len(paths) > 1
        for path in paths:
            assert (wnid, ENTITY) == (path[0], path[-1])
            assert all(b in labels.parents(a) for a, b in itertools.pairwise(path))

    def test_chain_is_the_first_path(self) -> None:
        """The chain of every class is the first of its paths: first-listed hypernyms."""
        assert [labels.paths(wnid)[0] for wnid in labels.wnids()] == [
            labels.chain(wnid) for wnid in labels.wnids()
        ]

    def test_chain_where_paths_fork(self) -> None:
        """The chain of a Chihuahua goes by canine; the other path goes by domestic animal."""
        by_canine, by_use = labels.paths(CHIHUAHUA)

        assert by_canine == labels.chain(CHIHUAHUA)
        assert (16, 11) == (len(by_canine), len(by_use))
        assert (CHIHUAHUA, "n02085374", DOG, "n02083346", CARNIVORE) == by_canine[:5]
        assert (CHIHUAHUA, "n02085374", DOG, DOMESTIC_ANIMAL) == by_use[:4]


class TestLowestCommonAncestors:
    """Where synsets meet."""

    @pytest.mark.parametrize(
        ("wnids", "expected"),
        [
            ([CHIHUAHUA, "n02085936"], ("n02085374",)),
            ([CHIHUAHUA, "n02106662"], (DOG,)),
            ([CHIHUAHUA, SIAMESE], (CARNIVORE, DOMESTIC_ANIMAL)),
            ([CHIHUAHUA, SIAMESE, "n02129165"], (CARNIVORE,)),
            (["n03854065", "n02672831"], ("n03614532", "n04586932")),
            ([CHIHUAHUA, DOG], (DOG,)),
            ([CHIHUAHUA, CHIHUAHUA], (CHIHUAHUA,)),
            ([CHIHUAHUA], (CHIHUAHUA,)),
            ([CHIHUAHUA, ENTITY], (ENTITY,)),
        ],
    )
    def test_examples(self, wnids: list[str], expected: tuple[str, ...]) -> None:
        """Toy dogs meet in toy dog; a dog and a cat in carnivore, then in domestic animal."""
        assert expected == labels.lowest_common_ancestors(*wnids)
        assert expected[0] == labels.lowest_common_ancestor(*wnids)

    @given(st.sampled_from(ALL_WNIDS), st.sampled_from(ALL_WNIDS))
    def test_definition(self, a: str, b: str) -> None:
        """The answer is what lies at or above both, less what lies above another such synset."""
        common = {a, *labels.ancestors(a)} & {b, *labels.ancestors(b)}
        expected = {
            each for each in common if not any(each in labels.ancestors(low) for low in common)
        }
        answer = labels.lowest_common_ancestors(a, b)

        assert expected == set(answer)
        assert answer == labels.lowest_common_ancestors(b, a)


class TestErrors:
    """What is said about labels that do not exist."""

    @pytest.mark.parametrize(
        ("text", "nearest"),
        [
            ("n02084072", DOG),
            ("N02084071", DOG),
            ("n0208407", DOG),
            ("German shepherd", "n02106662 (German shepherd)"),
            ("crane", "n02012849 (crane); n03126707 (crane)"),
            ("", "find()"),
        ],
    )
    @pytest.mark.parametrize(
        "function",
        [
            labels.synset,
            labels.index,
            labels.parents,
            labels.children,
            labels.ancestors,
            labels.descendants,
            labels.classes_below,
            labels.paths,
            labels.chain,
            labels.lowest_common_ancestors,
            partial(labels.lowest_common_ancestor, DOG),
        ],
    )
    def test_unknown_wnid(self, function: Callable[[str], object], text: str, nearest: str) -> None:
        """Every function names the unknown wnid, and the nearest known ones."""
        with pytest.raises(LabelError) as caught:
            function(text)

        assert ("wnid", text) == (caught.value.field, caught.value.found)
        assert repr(text) in caught.value.what
        assert nearest in caught.value.remedy

    def test_an_ancestor_has_no_index(self) -> None:
        """Asking for the index of an ancestor points to the classes below it."""
        with pytest.raises(LabelError) as caught:
            labels.index(DOG)

        assert caught.value.what.startswith("n02084071 (dog) has no index")
        assert "118 of classes_below('n02084071')" in caught.value.remedy

    @pytest.mark.parametrize("index", [-1, 1000])
    def test_unknown_index(self, index: int) -> None:
        """An index outside 0 to 999 is refused: -1 is no label, rather than the last one."""
        with pytest.raises(LabelError) as caught:
            labels.wnid(index)

        assert ("index", index, "0 to 999") == (
            caught.value.field,
            caught.value.found,
            caught.value.expected,
        )

    def test_fractional_index(self) -> None:
        """An index that is no integer is a programming error, never rounded."""
        with pytest.raises(TypeError, match="float"):
            labels.wnid(1.5)  # type: ignore[arg-type]

    def test_unknown_name(self) -> None:
        """A misspelt name brings the nearest spellings."""
        with pytest.raises(LabelError) as caught:
            labels.find("siamese cot")

        assert ("name", "siamese cot") == (caught.value.field, caught.value.found)
        assert "siamese cat" in caught.value.remedy

    def test_name_like_nothing(self) -> None:
        """A name that resembles nothing still gets an error that says where to look."""
        with pytest.raises(LabelError, match="zzzqqq") as caught:
            labels.find("zzzqqq")

        assert "names()" in caught.value.remedy

    def test_errors_have_the_common_root(self) -> None:
        """A label error can be caught as any other error of this package."""
        with pytest.raises(RawshelfError):
            labels.synset("n00000000")


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
