"""What a dataset is made of: frozen types for facts, configs and the way from raw to tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rawshelf.claims import Check
from rawshelf.features import Column
from rawshelf.parts import Parts
from rawshelf.report import Quarantined, Report

if TYPE_CHECKING:
    import click

    from rawshelf.preview.album import Shelf
    from rawshelf.preview.pictures import Subject
    from rawshelf.sources import Source


@dataclass(frozen=True)
class Archive:
    """One published file.

    Attributes:
        name: File name as published.
        bytes: Its size, or None if nobody states it.
        sha256: Its hash, or None if nobody states it.
        urls: Where it can be had; the first is the publisher's.
        bytes_by: Who states the size.
        sha256_by: Who states the hash.
        configs: Names of the configs that are made of it; empty for all.
    """

    name: str
    bytes: int | None
    sha256: str | None
    urls: tuple[str, ...]
    bytes_by: str
    sha256_by: str
    configs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """One split.

    Attributes:
        name: As `datasets` names it: ``train``, ``validation``, ``test``.
        raw: As the release names it.
    """

    name: str
    raw: str


@dataclass(frozen=True)
class Claim:
    """A number that somebody publishes about a release.

    Attributes:
        config: The config whose rows it counts.
        split: The split, or None for all.
        rows: The number.
        source: Who claims it.
        refuted: Who knows that it is wrong, or "" if it should hold.
    """

    config: str
    split: str | None
    rows: int
    source: str
    refuted: str = ""


@dataclass(frozen=True)
class Release:
    """The facts about one raw release.

    Attributes:
        name: Name in the catalog, lower snake case.
        title: Name as the paper spells it.
        summary: One sentence: what one row is.
        homepage: Where the authors present it.
        paper: Where the paper is.
        licence: What is known about the terms, with its source.
        private: Whether a published copy should be private unless the user says otherwise.
        shareable: Configs without the images on whose account copies should be private.
        archives: The published files.
        splits: The splits, in order.
        claims: Published row counts.
    """

    name: str
    title: str
    summary: str
    homepage: str
    paper: str
    licence: str
    private: bool
    archives: tuple[Archive, ...]
    splits: tuple[Split, ...]
    claims: tuple[Claim, ...]
    shareable: tuple[str, ...] = ()


Derive = Callable[[pa.Table], tuple[pa.Table, list[Quarantined]]]


@dataclass(frozen=True)
class Config:
    """One table of a dataset.

    Attributes:
        name: Config name.
        doc: What one row is.
        columns: The columns, in order.
        group: Column whose changes are good places to end a row group, or None.
        shared: Whether rows share images, so that each is stored once per row group in a Parquet
            dictionary page.
        batch_rows: Rows that a reader should take at a time, or None for a whole row group.
        derive: Fills in columns that follow from the images, and sets aside rows whose image is
            no good: from a filled row group to the rows that stay and the others with reasons.
            Called while a shard is written, so that images are read once.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    group: str | None = None
    shared: bool = False
    batch_rows: int | None = None
    derive: Derive | None = None


@dataclass
class Job:
    """What a dataset needs to know to prepare its tables.

    Attributes:
        source: The raw release.
        configs: Names of the wanted configs.
        folder: An existing folder for temporary files of this job.
        allow_missing: How many files that the release must hold may be absent.
        order: In which order rows are to come, one of the dataset's `orders`.
        report: Collects what was found.
        parts: Runs work that must be done before tables can be planned.
    """

    source: Source
    configs: tuple[str, ...]
    folder: str
    allow_missing: int = 0
    order: str = ""
    report: Report = field(default_factory=Report)
    parts: Parts = field(default_factory=Parts)


@dataclass(frozen=True)
class Prepared:
    """What reading a release gives.

    Attributes:
        blobs: Every image that a row may name (see `rawshelf.blobs.BLOBS`).
        tables: One planned table per (config, split), in the order of publication: the config's
            columns in order, with an index into `blobs` (`rawshelf.blobs.INDEX`) in place of each
            image.
    """

    blobs: pa.Table
    tables: Mapping[tuple[str, str], pa.Table]


@dataclass(frozen=True)
class Evidence:
    """What a release's claims are compared with.

    Attributes:
        job: How the release was read, with its report.
        prepared: What reading it gave.
        folders: Number of files in each folder of the container.
        deep: Whether every image is to be decoded.
    """

    job: Job
    prepared: Prepared
    folders: Mapping[str, int]
    deep: bool


@dataclass(frozen=True)
class Verifier:
    """How a dataset's raw release is verified.

    Attributes:
        configs: Names of the configs to prepare.
        check: Compares what is claimed about this dataset alone.
    """

    configs: tuple[str, ...]
    check: Callable[[Evidence], Iterable[Check]]


@dataclass(frozen=True)
class Tools:
    """What a dataset has for commands other than a conversion.

    Attributes:
        verifier: How a raw release is verified.
        details: Further lines for ``rawshelf info``, such as a table of classes.
        inspect: Looks at a source without converting it and answers what nobody has confirmed
            about the release, as plain JSON values.
        exports: By format: writes a conversion's folder into a target folder in that format and
            returns the files written.
        pictures: What ``rawshelf preview`` draws, in the order of the card.
        evaluate: The dataset's part of ``rawshelf evaluate``: a command of the dataset's name.
        shelf: What ``rawshelf preview --html`` shows, or None if it shows nothing.
    """

    verifier: Verifier
    details: Callable[[], list[str]] | None = None
    inspect: Callable[[Job], dict[str, Any]] | None = None
    exports: Mapping[str, Callable[[str, str], list[str]]] = field(default_factory=dict)
    pictures: tuple[Subject, ...] = ()
    evaluate: click.Command | None = None
    shelf: Shelf | None = None


@dataclass(frozen=True)
class Dataset:
    """A release, its configs, and the function that reads it.

    Attributes:
        release: The facts.
        configs: The configs; the first is the default.
        prepare: Reads a source once and returns its planned tables.
        tools: Imports what commands other than a conversion need: a conversion does without the
            time and the memory that they cost.
        orders: In which orders rows can come; the first is the default.
    """

    release: Release
    configs: tuple[Config, ...]
    prepare: Callable[[Job], Prepared]
    tools: Callable[[], Tools]
    orders: tuple[str, ...] = ("release",)

    def config(self, name: str) -> Config:
        """Return a config by its name; the name must be one of `configs`."""
        return {config.name: config for config in self.configs}[name]
