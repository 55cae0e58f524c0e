"""The graph of the ImageNet-1k labels: parents, chains, descendants, common ancestors."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawshelf import labels

ENTITY, DOG, CHIHUAHUA, SIAMESE = "n00001740", "n02084071", "n02085620", "n02123597"
CARNIVORE, DOMESTIC_ANIMAL = "n02075296", "n01317541"


ALL_WNIDS = [ENTITY, *labels.descendants(ENTITY)]
Step = Callable[[str], tuple[str, ...]]


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
