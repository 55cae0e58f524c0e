"""Image annotations of SPair-71k's full size whose pairs satisfy the paper's tables.

Nothing is copied from the release: the images are solved for. In each split and category some
pairs of images share no keypoint, which gives Table 2; a hill climb over whole numbers then picks
the flags, azimuth bins and box sizes of the images until every cell of Table 1 is met.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np

from rawshelf.miniature import text_seed
from rawshelf.spair71k.miniature import KEYPOINT_IDS, POSES, SPLITS, annotation, place_points
from rawshelf.spair71k.miniature_pairs import Document

# Table 2: pairs of train, val and test.
PAIRS = {
    "aeroplane": (2924, 304, 690),
    "bicycle": (2946, 334, 650),
    "bird": (3080, 272, 702),
    "boat": (2936, 302, 702),
    "bottle": (2448, 374, 870),
    "bus": (2708, 250, 644),
    "car": (2960, 274, 564),
    "cat": (3306, 272, 600),
    "chair": (3060, 306, 646),
    "cow": (3118, 272, 640),
    "dog": (3192, 306, 600),
    "horse": (3136, 306, 600),
    "motorbike": (3180, 238, 702),
    "person": (3066, 306, 650),
    "pottedplant": (2446, 380, 862),
    "sheep": (3140, 240, 664),
    "train": (2752, 342, 756),
    "tvmonitor": (2942, 306, 692),
}

# Table 1: pairs by code, 0 first.
VIEWPOINT = {"trn": (26466, 21646, 5228), "val": (2862, 2016, 506), "test": (6654, 4474, 1106)}
SCALE = {"trn": (29248, 16184, 7908), "val": (2880, 1570, 934), "test": (6458, 3794, 1982)}
TRUNCATION = {
    "trn": (29184, 9796, 9796, 4564),
    "val": (2744, 1047, 1047, 546),
    "test": (7050, 2166, 2166, 852),
}
OCCLUSION = {
    "trn": (35330, 7737, 7737, 2536),
    "val": (3760, 722, 722, 180),
    "test": (8166, 1806, 1806, 456),
}

IMAGES = {"trn": 997, "val": 322, "test": 481}
SMALL = {"trn": 10652, "val": 1070, "test": 2438}

# The fewest images that have Table 2's pairs sum to 100 in 16 of the categories. The test split
# has 27 buses, and the totals of the splits leave the rest to the training images.
MORE_IMAGES = {("bus", "trn"): 3, ("bus", "test"): 1, ("car", "trn"): 2}

SIZES = ((500, 375), (500, 333), (375, 500), (500, 375), (333, 500), (500, 332))
NEAR = 50  # cells of Table 1 are this many pairs off, all in all

BOX_SIZES = ((430, 310), (268, 192), (166, 120))  # areas of neighbours differ by 2.6

Edge = tuple[int, int]
Move = tuple[str, int, int]  # category, image, level
Levels = dict[str, list[int]]  # by category, one per image
Codes = list[list[int]]


def image_count(category: str, split: str) -> int:
    """Return the number of images of a category in a split."""
    pairs = PAIRS[category][SPLITS.index(split)]
    count = 1
    while count * (count - 1) < pairs:
        count += 1
    return count + MORE_IMAGES.get((category, split), 0)


def strangers(category: str, split: str) -> set[Edge]:
    """Return the pairs of image numbers that share no keypoint, lower number first.

    A few images, the hubs, share none with as many others as Table 2 asks for.
    """
    count = image_count(category, split)
    wanted = (count * (count - 1) - PAIRS[category][SPLITS.index(split)]) // 2
    hubs = 0
    while hubs * (count - hubs) < wanted:
        hubs += 1
    edges = [(hub, other) for hub in range(hubs) for other in range(hubs, count)]
    return set(edges[:wanted])


def visible_ids(category: str, split: str, rng: np.random.Generator) -> list[list[int]]:
    """Return the keypoint ids of each image so that exactly the strangers share none.

    Each hub has an id of its own, which all images show but its strangers; one more id is shared
    by the hubs, and another by all the others. The ids that are left come and go at random.
    """
    edges = strangers(category, split)
    hubs = len({hub for hub, _ in edges})
    own, (among_hubs, elsewhere, *rest) = (
        KEYPOINT_IDS[category][:hubs],
        KEYPOINT_IDS[category][hubs:],
    )
    visible = []
    for image in range(image_count(category, split)):
        if image < hubs:
            ids = [own[image], among_hubs]
        else:
            ids = [own[hub] for hub in range(hubs) if (hub, image) not in edges]
            ids += [elsewhere, *(i for i in rest if rng.random() < 0.5)]
        visible.append(sorted(ids))
    return visible


def flag_code(source: int, target: int) -> int:
    """Return the code of two flags: none, source, target, both."""
    return source + 2 * target


def viewpoint_code(source: int, target: int) -> int:
    """Return the code of two azimuth bins on a circle of 8."""
    return (0, 0, 1, 1, 2, 1, 1, 0)[abs(source - target)]


def scale_code(source: int, target: int) -> int:
    """Return the code of two box sizes, whose areas differ by 2.6 from one to the next."""
    return abs(source - target)


@dataclass
class Climb:
    """One row of one block of Table 1, and the images that are to satisfy it."""

    split: str
    target: tuple[int, ...]
    codes: Codes
    levels: Levels

    def __post_init__(self) -> None:
        """Count the pairs of the first guess by code."""
        kinds = range(len(self.codes))
        self.held = {c: [levels.count(kind) for kind in kinds] for c, levels in self.levels.items()}
        self.apart: dict[tuple[str, int], list[int]] = {}
        for category in self.levels:
            for one, other in strangers(category, self.split):
                self.apart.setdefault((category, one), []).append(other)
                self.apart.setdefault((category, other), []).append(one)
        self.missing = list(self.target)
        for category, levels in self.levels.items():
            edges = strangers(category, self.split)
            for one, other in permutations(range(len(levels)), 2):
                if (min(one, other), max(one, other)) not in edges:
                    self.missing[self.codes[levels[one]][levels[other]]] -= 1

    def move(self, category: str, image: int, level: int) -> Move:
        """Give an image another level and return the move that undoes it."""
        levels, held = self.levels[category], self.held[category]
        old = levels[image]
        held[old] -= 1
        partners = held.copy()
        for other in self.apart.get((category, image), ()):
            partners[levels[other]] -= 1
        for other, count in enumerate(partners):
            self.missing[self.codes[old][other]] += count
            self.missing[self.codes[other][old]] += count
            self.missing[self.codes[level][other]] -= count
            self.missing[self.codes[other][level]] -= count
        held[level] += 1
        levels[image] = level
        return category, image, old

    def run(self, rng: np.random.Generator) -> Levels:
        """Change two images at a time until nothing is missing."""
        draws = _draws(rng, self.levels, len(self.codes))
        distance = sum(map(abs, self.missing))
        while distance:
            undo = [self.move(*next(draws)), self.move(*next(draws))]
            found = sum(map(abs, self.missing))
            # Near the solution anything near goes: the last steps are a walk around it.
            if found <= max(distance, NEAR):
                distance = found
            else:
                for step in reversed(undo):
                    self.move(*step)
        return self.levels


def _draws(rng: np.random.Generator, levels: Levels, kinds: int) -> Iterator[Move]:
    """Yield random moves without end; drawn in bulk, which is several times faster."""
    images = [(c, i) for c, of_images in sorted(levels.items()) for i in range(len(of_images))]
    while True:
        picked = rng.integers(len(images), size=1000).tolist()
        for which, level in zip(picked, rng.integers(kinds, size=1000).tolist(), strict=True):
            yield (*images[which], level)


def solve(
    split: str, target: tuple[int, ...], code: Callable[[int, int], int], shares: tuple[float, ...]
) -> Levels:
    """Return a level for every image of a split, by category, whose pairs have the target counts.

    Args:
        split: The split.
        target: Pairs by code.
        code: The code of the levels of source and target.
        shares: The probability of each level in the first guess.
    """
    kinds = range(len(shares))
    codes = [[code(source, target) for target in kinds] for source in kinds]
    rng = np.random.default_rng([len(shares), *target])
    guess = {
        category: rng.choice(len(shares), size=image_count(category, split), p=shares).tolist()
        for category in PAIRS
    }
    return Climb(split, target, codes, guess).run(rng)


@lru_cache(maxsize=1)
def annotations() -> dict[str, list[Document]]:
    """Return the annotations of the 1,800 images by split; the caller leaves them as they are."""
    made: dict[str, list[Document]] = {}
    serial = 0
    for split in SPLITS:
        azimuths = solve(split, VIEWPOINT[split], viewpoint_code, (0.2, 0.15, 0.15) + (0.1,) * 5)
        boxes = solve(split, SCALE[split], scale_code, (0.7, 0.19, 0.11))
        truncated = solve(split, TRUNCATION[split], flag_code, (0.73, 0.27))
        occluded = solve(split, OCCLUSION[split], flag_code, (0.8, 0.2))
        made[split] = []
        for category in PAIRS:
            rng = np.random.default_rng(text_seed(f"{split}/{category}"))
            for index, ids in enumerate(visible_ids(category, split, rng)):
                serial += 1
                azimuth = azimuths[category][index]
                size = SIZES[int(rng.integers(len(SIZES)))]
                box = _box(size, boxes[category][index], rng)
                image = annotation(
                    category,
                    f"{2007 + serial % 5}_{7919 * serial % 1_000_000:06d}",
                    size=size,
                    box=box,
                    points=place_points(box, ids, rng),
                    azimuth=azimuth,
                    pose=POSES[azimuth] if index % 5 < 3 else "Unspecified",
                    flags=(truncated[category][index], occluded[category][index], 0),
                )
                made[split].append(image)
    return made


def _box(size: tuple[int, int], level: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return a 1-based inclusive box somewhere in the photo; a few percent do no harm."""
    long, short = BOX_SIZES[level]
    width, height = (long, short) if size[0] > size[1] else (short, long)
    width = int(width * rng.uniform(0.97, 1.03))
    height = int(height * rng.uniform(0.97, 1.03))
    left = int(rng.integers(size[0] - width + 1))
    top = int(rng.integers(size[1] - height + 1))
    return left + 1, top + 1, left + width, top + height
