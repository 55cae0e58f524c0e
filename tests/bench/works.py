"""The table: what is measured, who takes part, and what rawshelf should reach.

A further competitor is one entry in a work's `competitors`; a further goal one in its `goals`.
"""

import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import checks, reading, seg_peers, sketch_peers, spair_peers
from tests.bench.figures import Goal
from tests.bench.meter import call
from tests.bench.releases import Size, Store

OURS = "rawshelf"
_NAIVE_STEP = 16  # one pair in so many, evenly: all naive rows of SPair-71k would be 14 GB
_EPOCH_STEP = 50  # one pair in so many, evenly: decoding all of an epoch takes minutes

Check = Callable[[Path, list[checks.Expected]], None]


@dataclass(frozen=True)
class Competitor:
    """One way to do a work.

    Attributes:
        name: As the tables call it.
        command: From the work's input and the folder to write to, the program and its arguments.
        check: Looks into the output once; None if there is nothing that could be looked into.
    """

    name: str
    command: Callable[[Path, Path], list[str]]
    check: Check | None = None


@dataclass(frozen=True)
class Work:
    """One thing to do, in several ways.

    Attributes:
        name: To ask for it on the command line.
        title: In words.
        release: Gives the raw release of a size.
        competitors: Who does it, rawshelf first.
        goals: What to reach at any size.
        full_goals: What to reach besides with all images only.
        small_goals: What to reach besides with a part of the images only.
        expected: What the outputs must hold.
        prepare: Makes of the raw release the folder that the competitors read.
        scale: Whether to measure this work also on parts of its release.
    """

    name: str
    title: str
    release: Callable[[Store, Size], Path]
    competitors: tuple[Competitor, ...]
    goals: tuple[Goal, ...] = ()
    full_goals: tuple[Goal, ...] = ()
    small_goals: tuple[Goal, ...] = ()
    expected: Callable[[Path], list[checks.Expected]] | None = None
    prepare: Callable[[str, str], None] | None = None
    scale: bool = False

    def goals_at(self, size: Size) -> tuple[Goal, ...]:
        """Return what to reach at a size."""
        return self.goals + (self.full_goals if size.full else self.small_goals)

    def against(self, peers: Collection[str]) -> "Work":
        """Return the work with some of its peers only, and the goals that these leave.

        Args:
            peers: Names of peers in every work, or in one: ``WORK: PEER``.
        """
        ways = {each.ours for each in (*self.goals, *self.full_goals, *self.small_goals)}
        own = (peer.removeprefix(f"{self.name}: ") for peer in peers)
        kept = {self.competitors[0].name, *ways, *own}
        return replace(
            self,
            competitors=tuple(each for each in self.competitors if each.name in kept),
            goals=_left(self.goals, kept),
            full_goals=_left(self.full_goals, kept),
            small_goals=_left(self.small_goals, kept),
        )


def _left(goals: Iterable[Goal], kept: Collection[str]) -> tuple[Goal, ...]:
    """Return the goals, against those peers that take part; none that has lost all its peers."""
    left = []
    for goal in goals:
        against = tuple(name for name in goal.against if name in kept)
        if against or not goal.against:
            otherwise = _left([goal.otherwise], kept) if goal.otherwise else ()
            left.append(replace(goal, against=against, otherwise=next(iter(otherwise), None)))
    return tuple(left)


def _rawshelf(name: str, *options: str) -> Competitor:
    command = [sys.executable, "-m", "rawshelf", "convert", name]
    return Competitor(
        OURS, lambda raw, out: [*command, str(raw), str(out), *options], checks.parquet
    )


def _peer(
    name: str, function: Callable[..., object], *more: int, check: Check | None = checks.parquet
) -> Competitor:
    return Competitor(name, lambda raw, out: call(function, raw, out, *more), check)


def _reader(name: str, function: Callable[..., object], layout: str, *more: int) -> Competitor:
    return Competitor(name, lambda place, _: call(function, place / layout, *more))


def _shell(name: str, line: str) -> Competitor:
    return Competitor(name, lambda raw, out: ["sh", "-c", line, "sh", str(raw), str(out)])


_CAT = _shell("cat", 'cat "$1" > "$2"')
# What hashing the input once takes by itself; a conversion hashes its output besides.
_HASH = _shell("sha256sum", 'sha256sum "$1"')
_BUILDERS = ("ArrowBasedBuilder", "GeneratorBasedBuilder")
_TWO = tuple(f"{name}, 2 processes" for name in _BUILDERS)


def _sketch(kind: str, release: Callable[[Store, Size], Path], one: float, two: float) -> Work:
    return Work(
        f"sketch-{kind}",
        f"Convert ImageNet-Sketch, zip {kind}",
        release,
        (
            _rawshelf("imagenet_sketch", "--config", "default"),
            _CAT,
            _HASH,
            _peer(_BUILDERS[0], sketch_peers.arrow_based),
            _peer(_TWO[0], sketch_peers.arrow_based, 2),
            _peer(_BUILDERS[1], sketch_peers.generator_based),
            _peer(_TWO[1], sketch_peers.generator_based, 2),
            _peer("from_generator", sketch_peers.from_generator),
            _peer("unzip, imagefolder", sketch_peers.imagefolder, check=checks.unkeyed),
            _peer("webdataset ShardWriter", sketch_peers.webdataset, check=checks.tars),
        ),
        (
            Goal(f"passthrough builder, 1 process: {one:g}x faster", OURS, _BUILDERS, one),
            Goal(f"passthrough builder, 2 processes: {two:g}x faster", OURS, _TWO, two),
            Goal("anonymous memory: 100 MB", OURS, at_most=100, quantity="anonymous_mb"),
        ),
        full_goals=(Goal("cat: 0.6 of its time", OURS, ("cat",), at_most=0.6),),
        expected=checks.of_sketches,
        scale=True,
    )


_NAIVE = "naive rows"
_SCRIPTS = ("tarfile, from_generator", "untar, from_generator")

SPAIR = Work(
    "spair",
    "Convert SPair-71k, images + pairs, tar.gz",
    Store.spair,
    (
        _rawshelf("spair71k", "--config", "images", "--config", "pairs"),
        _shell("gzip -dc", 'gzip -dc "$1" > /dev/null'),
        _HASH,
        _peer(_SCRIPTS[0], spair_peers.streamed),
        _peer(_SCRIPTS[1], spair_peers.extracted),
    ),
    (
        Goal("idiomatic script: 40x faster", OURS, _SCRIPTS, 40),
        Goal("gzip -dc alone: 1.0 of its time", OURS, ("gzip -dc",), at_most=1.0),
        Goal("anonymous memory: 200 MB", OURS, at_most=200, quantity="anonymous_mb"),
    ),
    expected=checks.of_spair,
    scale=True,
)

PAIRS_FLAT = Work(
    "spair-flat",
    "Convert SPair-71k, pairs_flat, tar.gz",
    Store.spair,
    (
        _peer(OURS, reading.pairs_flat, check=None),
        _peer(_NAIVE, spair_peers.naive, _NAIVE_STEP, check=None),
    ),
    (
        Goal(
            "size against naive rows with both pictures: 1/35",
            OURS,
            (_NAIVE,),
            at_least=35,
            quantity="bytes_per_row",
        ),
    ),
)

PARTIMAGENET = Work(
    "partimagenet",
    "Convert PartImageNet, seg, zip deflated",
    Store.partimagenet,
    (
        _rawshelf("partimagenet", "--config", "seg", "--allow-missing", "100000"),
        _CAT,
        _HASH,
        _peer("GeneratorBasedBuilder", seg_peers.generator_based),
        _peer("unzip, imagefolder (photographs only)", seg_peers.imagefolder, check=checks.unkeyed),
    ),
    (Goal("anonymous memory: 250 MB", OURS, at_most=250, quantity="anonymous_mb"),),
    full_goals=(Goal("bytes builder, all images: 6x faster", OURS, ("GeneratorBasedBuilder",), 6),),
    small_goals=(
        Goal("bytes builder, 1/8 of the images: 4x faster", OURS, ("GeneratorBasedBuilder",), 4),
    ),
    expected=checks.of_partimagenet,
    scale=True,
)

_OWN = "rawshelf.stream"
_PUSHED = "push_to_hub's layout"

STREAM = Work(
    "stream",
    "Stream the sketches, images as bytes",
    Store.sketch_stored,
    (
        _reader(OURS, reading.stream, "rawshelf"),
        _reader(_OWN, reading.stream_own, "rawshelf"),
        _reader(_PUSHED, reading.stream, "default"),
        _reader("webdataset", reading.stream_webdataset, "webdataset"),
    ),
    (
        Goal("push_to_hub's layout: 2x faster", OURS, (_PUSHED,), 2),
        Goal("webdataset: 2x faster", OURS, ("webdataset",), 2),
        Goal(f"{_OWN}, push_to_hub's layout: 4x faster", _OWN, (_PUSHED,), 4),
        Goal(f"{_OWN}, webdataset: 4x faster", _OWN, ("webdataset",), 4),
    ),
    prepare=reading.prepare_sketches,
)

FIRST_ROW = Work(
    "first-row",
    "First streamed row",
    Store.sketch_stored,
    (
        _reader(OURS, reading.first_row, "rawshelf"),
        _reader(_PUSHED, reading.first_row, "default"),
    ),
    (
        Goal(
            "40 ms",
            OURS,
            at_most=0.04,
            otherwise=Goal("push_to_hub's layout: 1/6 of its time", OURS, (_PUSHED,), 6),
        ),
    ),
    prepare=reading.prepare_sketches,
)

_JOIN = "rawshelf.join"
_DECODED = "rawshelf.join, rawshelf.decoded"
_TRANSFORM = "with_transform"
_READ = ", each byte read once"

RANDOM_PAIRS = Work(
    "random-pairs",
    "Take the pairs of a shuffled epoch with both photographs, as bytes",
    Store.spair,
    (
        _reader(_JOIN, reading.random_join, "rawshelf"),
        _reader(_TRANSFORM, reading.random_transform, "rawshelf"),
        _reader(f"{_JOIN}{_READ}", reading.random_join_read, "rawshelf"),
        _reader(f"{_TRANSFORM}{_READ}", reading.random_transform_read, "rawshelf"),
    ),
    (
        Goal("with_transform over two datasets: 10x faster", _JOIN, (_TRANSFORM,), 10),
        Goal(
            "with_transform, each byte read once: 10x faster",
            f"{_JOIN}{_READ}",
            (f"{_TRANSFORM}{_READ}",),
            10,
        ),
    ),
    prepare=reading.prepare_pairs,
)

DECODED_PAIRS = Work(
    "decoded-pairs",
    "A pair of a shuffled epoch with the pixels of both photographs",
    Store.spair,
    (
        _reader(_DECODED, reading.epoch_cached, "rawshelf"),
        _reader(_TRANSFORM, reading.epoch_decoding, "rawshelf", _EPOCH_STEP),
    ),
    (Goal("decoding each: 20x faster", _DECODED, (_TRANSFORM,), 20),),
    prepare=reading.prepare_pairs,
)

WORKS = (
    _sketch("deflated", Store.sketch_deflated, 7, 4),
    _sketch("stored", Store.sketch_stored, 10, 6),
    SPAIR,
    PAIRS_FLAT,
    PARTIMAGENET,
    STREAM,
    FIRST_ROW,
    RANDOM_PAIRS,
    DECODED_PAIRS,
)
