"""Which rows to show: a seeded choice that is spread over groups."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from random import Random


def spread(
    groups: Sequence[Hashable], seed: int, count: int, within: Sequence[Hashable] | None = None
) -> list[int]:
    """Choose rows so that each group comes as often as another, and the first ones all differ.

    Args:
        groups: The group of each row, such as its category.
        seed: Other seeds choose other groups and rows.
        count: How many rows; fewer if there are fewer.
        within: A second property of each row, such as its split, whose values are to come about
            equally often as well.

    Returns:
        Positions of rows, each once, in the order of the choice.

    >>> [position // 2 for position in sorted(spread("aabbcc", 0, 3))]
    [0, 1, 2]
    """
    within = within or [None] * len(groups)
    chance = Random(seed)  # noqa: S311 - a picture needs no secrets
    rows: dict[Hashable, dict[Hashable, list[int]]] = {}
    for position, (group, other) in enumerate(zip(groups, within, strict=True)):
        rows.setdefault(group, {}).setdefault(other, []).append(position)
    uses = dict.fromkeys(within, 0)
    order = list(rows)
    chance.shuffle(order)
    chosen: list[int] = []
    while len(chosen) < min(count, len(groups)):
        for group in [group for group in order if rows[group]][: count - len(chosen)]:
            left = rows[group]
            other = min(left, key=lambda value: uses[value])
            chosen.append(left[other].pop(chance.randrange(len(left[other]))))
            uses[other] += 1
            if not left[other]:
                del left[other]
    return chosen
