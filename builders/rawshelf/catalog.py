"""The one list of datasets."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import import_module

from rawshelf.errors import UsageError
from rawshelf.release import Dataset

# name: the package that defines `DATASET`
_DATASETS = {
    "spair71k": "rawshelf.spair71k",
    "imagenet_sketch": "rawshelf.imagenet_sketch",
    "partimagenet": "rawshelf.partimagenet",
}


def names() -> tuple[str, ...]:
    """Return the names of all datasets."""
    return tuple(_DATASETS)


def find(name: str) -> Dataset:
    """Return a dataset by its name.

    Raises:
        UsageError: If there is none of that name; the remedy offers a near match.
    """
    if name not in _DATASETS:
        raise unknown("dataset", name, names())
    dataset: Dataset = import_module(_DATASETS[name]).DATASET
    return dataset


def wanted_configs(dataset: Dataset, configs: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted config names in the dataset's order; all for none.

    Raises:
        UsageError: If a name is not one of the dataset's configs.
    """
    known = tuple(config.name for config in dataset.configs)
    for config in configs:
        if config not in known:
            raise unknown("config", config, known)
    return tuple(config for config in known if config in configs or not configs)


def wanted_order(dataset: Dataset, order: str) -> str:
    """Return the order in which rows are to come: the dataset's default if none is asked for.

    Raises:
        UsageError: If the dataset does not have that order.
    """
    if order and order not in dataset.orders:
        raise unknown("order", order, dataset.orders)
    return order or dataset.orders[0]


def unknown(what: str, name: str, known: tuple[str, ...]) -> UsageError:
    """Build the error for a name that is none of the known ones."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    return UsageError(
        f"There is no {what} of this name.",
        field=what,
        found=name,
        expected=f"one of {', '.join(known)}",
        remedy=f"Did you mean {near[0]}?" if near else f"Name one of {', '.join(known)}.",
    )
