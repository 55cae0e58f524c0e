"""The ImageNet-1k label space: the 1,000 classes of ILSVRC-2012 and the WordNet graph above them.

A class is known by its wnid ("n02084071": "n" and the synset's byte offset in WordNet 3.0's file
data.noun; other editions of WordNet number differently) and by its index, 0 to 999 in ascending
order of the wnids. This is the index of ILSVRC/imagenet-1k, timm, torchvision, Keras and
tensorflow_datasets; it is not the `ILSVRC2012_ID`, 1 to 1000, of the challenge's development kit.

Four kinds of name are in use, and they disagree:

* `names`: the strings of ILSVRC/imagenet-1k, all lemmas joined by ", ". Unique.
* the first lemma, as in Keras: `crane` names 134 and 517, `maillot` 638 and 639.
* `zero_shot_names`: OpenAI's prompts for CLIP: `missile` names 657 and 744, `sunglasses` 836
  and 837.
* torchvision's, which are not offered here; there plain `crane` is 517, the machine, where in
  ILSVRC/imagenet-1k it is 134, the bird.

The graph holds 1,860 synsets: the classes and their 860 ancestors, up to n00001740 (entity). No
class is an ancestor of another. The graph is not a tree: 304 classes reach the root by 2 to 5
paths; `chain` says which one it picks. ImageNet's own tree may differ from WordNet 3.0 in places.
Every function that takes a wnid raises `LabelError` for one that is not among the 1,860.

Lemmas, definitions and hypernyms are WordNet 3.0's, read from its database by
`scripts/make_labels`; its licence notice is WORDNET_LICENSE.txt. The zero-shot names are
those of openai/CLIP, notebooks/Prompt_Engineering_for_ImageNet.ipynb, as open_clip_torch 3.3.0
carries them (open_clip/zero_shot_metadata.py, IMAGENET_CLASSNAMES).

    >>> [(each.wnid, each.definition[:23]) for each in find("crane")]
    [('n02012849', 'large long-necked wadin'), ('n03126707', 'lifts and moves heavy o')]
    >>> index("n02012849"), index("n03126707")
    (134, 517)
    >>> len(classes_below("n02084071"))
    118
"""

from __future__ import annotations

import difflib
import operator
from collections import deque
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from rawshelf.errors import LabelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "ImageNetClass",
    "Synset",
    "ancestors",
    "chain",
    "children",
    "classes",
    "classes_below",
    "descendants",
    "find",
    "index",
    "lowest_common_ancestor",
    "lowest_common_ancestors",
    "names",
    "parents",
    "paths",
    "synset",
    "wnid",
    "wnids",
    "zero_shot_names",
]

# Both cranes have the one lemma "crane". ILSVRC/imagenet-1k (classes.py) renames the second, since
# a ClassLabel refuses equal names. Its other 999 names are the joined lemmas.
_RENAMED = {"n03126707": "crane2"}


@dataclass(frozen=True, slots=True)
class Synset:
    """One node of the graph.

    Attributes:
        wnid: The WordNet 3.0 id, e.g. "n02084071".
        lemmas: The synonyms, spaces for underscores, the preferred one first.
        definition: The gloss without its usage examples.
        parents: The wnids of the direct hypernyms in the order of the database; empty for
            n00001740 (entity) alone.
    """

    wnid: str
    lemmas: tuple[str, ...]
    definition: str
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageNetClass(Synset):
    """A synset that is one of the 1,000 classes.

    Attributes:
        index: The label, 0 to 999.
        name: The string of ILSVRC/imagenet-1k, unique.
        zero_shot_name: The name in OpenAI's prompts for CLIP, not unique.
    """

    index: int
    name: str
    zero_shot_name: str


@cache
def classes() -> tuple[ImageNetClass, ...]:
    """Return the 1,000 classes; position is index."""
    return tuple(each for each in _synsets().values() if isinstance(each, ImageNetClass))


def names() -> list[str]:
    """Return the 1,000 unique names of ILSVRC/imagenet-1k; position is index.

    `datasets.ClassLabel(names=names())` equals the label column of that dataset.
    """
    return [each.name for each in classes()]


def wnids() -> list[str]:
    """Return the 1,000 wnids of the classes; position is index."""
    return [each.wnid for each in classes()]


def zero_shot_names() -> list[str]:
    """Return OpenAI's 1,000 names for CLIP, 998 of them different; position is index.

    A `ClassLabel` refuses them: `missile` is 657 and 744, `sunglasses` is 836 and 837.
    """
    return [each.zero_shot_name for each in classes()]


def index(wnid: str) -> int:
    """Return the index, 0 to 999, of a class.

    Raises:
        LabelError: The wnid is unknown, or is that of an ancestor.
    """
    node = synset(wnid)
    if isinstance(node, ImageNetClass):
        return node.index
    what = f"{_describe(node)} has no index: it lies above classes and is not one itself."
    raise LabelError(
        what,
        field="wnid",
        found=wnid,
        expected="the wnid of one of the 1,000 ILSVRC-2012 classes",
        remedy=f"Choose among the {len(classes_below(wnid))} of classes_below({wnid!r}).",
    )


def wnid(index: int) -> str:
    """Return the wnid of the class with this index.

    Raises:
        LabelError: The index is not in 0 to 999. -1, which ILSVRC/imagenet-1k uses for the
            unlabelled images of its test split, is no class either.
    """
    position = operator.index(index)
    if 0 <= position < len(classes()):
        return classes()[position].wnid
    what = f"No class has the index {position}."
    raise LabelError(
        what,
        field="index",
        found=position,
        expected="0 to 999",
        remedy="Count from 0 in ascending order of the wnids, and drop unlabelled rows (-1) first.",
    )


def synset(wnid: str) -> Synset:
    """Return a class (an `ImageNetClass`) or an ancestor (a plain `Synset`).

    Raises:
        LabelError: The wnid is not one of the 1,860; the error names the nearest.
    """
    node = _synsets().get(wnid)
    if node is None:
        raise _unknown_wnid(str(wnid))
    return node


def find(text: str) -> list[Synset]:
    """Return every synset with this wnid, name, lemma or zero-shot name.

    Upper and lower case are equal, as are underscores and spaces. First come the classes that
    WordNet or ILSVRC/imagenet-1k calls so, then those that only CLIP calls so, then the
    ancestors; each group in ascending order of the wnids. Several hits are several meanings.

    Raises:
        LabelError: Nothing is called so; the error names the nearest spellings.
    """
    found = _called().get(_fold(text))
    if found:
        return list(found)
    near = difflib.get_close_matches(_fold(text), _called(), n=3)
    what = f"No class and no ancestor of one is called {text!r}."
    raise LabelError(
        what,
        field="name",
        found=text,
        expected="a wnid, a name, a WordNet 3.0 lemma or a zero-shot name",
        remedy=f"The nearest are: {'; '.join(near)}." if near else "Look through names().",
    )


def parents(wnid: str) -> tuple[str, ...]:
    """Return the direct hypernyms in the order of WordNet's database: none, one or more."""
    return synset(wnid).parents


def children(wnid: str) -> tuple[str, ...]:
    """Return the direct hyponyms that are among the 1,860 synsets, ascending."""
    return _children()[synset(wnid).wnid]


def ancestors(wnid: str) -> tuple[str, ...]:
    """Return all synsets above, each once, the fewest steps away first."""
    return _walk(wnid, parents)


def descendants(wnid: str) -> tuple[str, ...]:
    """Return all synsets below that are among the 1,860, each once, the fewest steps away first."""
    return _walk(wnid, children)


def classes_below(wnid: str) -> list[ImageNetClass]:
    """Return the classes below a synset, ascending by index: 118 for n02084071 (dog).

    A class has none below it; it returns itself, so that superclasses and classes can be mixed.
    """
    inside = {synset(wnid).wnid, *descendants(wnid)}
    return [each for each in classes() if each.wnid in inside]


def lowest_common_ancestors(wnid: str, *others: str) -> tuple[str, ...]:
    """Return the synsets at or above all of the given ones that lie above no other such synset.

    A synset counts as above itself: Chihuahua and dog meet in dog. There can be several, as for 638
    pairs of classes: Chihuahua and Siamese cat meet in carnivore and in domestic animal. The
    one with the longest `chain` comes first; equally deep ones are ascending.
    """
    common = set.intersection(*({each, *ancestors(each)} for each in (wnid, *others)))
    covered = {above for each in common for above in ancestors(each)}
    return tuple(sorted(common - covered, key=lambda each: (-len(chain(each)), each)))


def lowest_common_ancestor(wnid: str, *others: str) -> str:
    """Return the first of `lowest_common_ancestors`, the one with the longest `chain`."""
    return lowest_common_ancestors(wnid, *others)[0]


def paths(wnid: str) -> list[tuple[str, ...]]:
    """Return every path to the root: wnids from the given one up to n00001740 (entity).

    At each fork the first-listed hypernym goes first, so that the first path is `chain`.
    """
    above = parents(wnid)
    return [(wnid, *path) for each in above for path in paths(each)] if above else [(wnid,)]


def chain(wnid: str) -> tuple[str, ...]:
    """Return the one path that takes the first-listed hypernym at each step, the given wnid first.

    It is neither the shortest nor the longest by design; `paths` returns all.
    """
    steps = [wnid]
    while above := parents(steps[-1]):
        steps.append(above[0])
    return tuple(steps)


def _walk(start: str, step: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """Return what is reached from the start, in breadth-first order, without the start."""
    reached: dict[str, None] = {}
    waiting = deque(step(start))
    while waiting:
        each = waiting.popleft()
        if each not in reached:
            reached[each] = None
            waiting.extend(step(each))
    return tuple(reached)


def _unknown_wnid(text: str) -> LabelError:
    """Build the error for a wnid that is not in the graph, be it misspelt, foreign or a name."""
    near = list(_called().get(_fold(text), ()))
    near = near or [_synsets()[each] for each in difflib.get_close_matches(text, _synsets())]
    nearest = "; ".join(map(_describe, near))
    return LabelError(
        f"No synset of the ImageNet-1k graph has the wnid {text!r}.",
        field="wnid",
        found=text,
        expected="the WordNet 3.0 id of one of the 1,000 classes or of their 860 ancestors",
        remedy=f"The nearest are: {nearest}." if near else "Look it up by name with find().",
    )


def _describe(node: Synset) -> str:
    """Write a synset for a message: n02084071 (dog)."""
    return f"{node.wnid} ({node.lemmas[0]})"


def _fold(text: str) -> str:
    """Make equal what differs by case, underscores or spacing only."""
    return " ".join(text.replace("_", " ").split()).casefold()


def _read_table(name: str) -> list[list[str]]:
    """Read a table of the package: tab-separated fields without quoting, below a header."""
    text = resources.files("rawshelf").joinpath(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.rstrip("\n").split("\n")[1:]]


@cache
def _synsets() -> Mapping[str, Synset]:
    """Read all 1,860 synsets, ascending by wnid; the line of a class gives its index."""
    rows = enumerate(_read_table("labels_classes.tsv"))
    labelled = {wnid: (index, zero_shot) for index, (wnid, zero_shot) in rows}
    synsets: dict[str, Synset] = {}
    for wnid, above, synonyms, definition in _read_table("labels_synsets.tsv"):
        parents, lemmas = tuple(above.split("|")) if above else (), tuple(synonyms.split("|"))
        if wnid in labelled:
            index, zero_shot = labelled[wnid]
            name = _RENAMED.get(wnid, ", ".join(lemmas))
            synsets[wnid] = ImageNetClass(wnid, lemmas, definition, parents, index, name, zero_shot)
        else:
            synsets[wnid] = Synset(wnid, lemmas, definition, parents)
    return synsets


@cache
def _children() -> Mapping[str, tuple[str, ...]]:
    """Turn the graph around."""
    below: dict[str, list[str]] = {wnid: [] for wnid in _synsets()}
    for each in _synsets().values():
        for parent in each.parents:
            below[parent].append(each.wnid)
    return {wnid: tuple(found) for wnid, found in below.items()}


@cache
def _called() -> Mapping[str, tuple[Synset, ...]]:
    """Map each folded text to the synsets that are called so, in the order `find` promises."""
    plain = [each for each in _synsets().values() if not isinstance(each, ImageNetClass)]
    called: dict[str, dict[str, Synset]] = {}
    for node, texts in [
        *((each, (each.wnid, each.name, *each.lemmas)) for each in classes()),
        *((each, (each.zero_shot_name,)) for each in classes()),
        *((each, (each.wnid, ", ".join(each.lemmas), *each.lemmas)) for each in plain),
    ]:
        for text in texts:
            called.setdefault(_fold(text), {}).setdefault(node.wnid, node)
    return {text: tuple(found.values()) for text, found in called.items()}
