"""Tests of the ImageNet-1k label space."""

from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from functools import partial

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawshelf import labels
from rawshelf.errors import LabelError, RawshelfError

DOG, SIAMESE = "n02084071", "n02123597"


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
