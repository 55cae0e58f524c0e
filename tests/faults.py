"""The faults that a conversion must survive, and which tests show that it does.

A test names its rows with ``@pytest.mark.fault(ROW, ...)``; where only some of its cases belong to
a row, ``only=`` is a pattern that is searched for in the case's id.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

__all__ = ["COLLECTED", "FAULTS", "Fault", "rows_of"]

# Every test that was collected, with its rows, before any was left out.
COLLECTED = pytest.StashKey[list[tuple[pytest.Item, set[int]]]]()


class Fault(NamedTuple):
    """One row of the matrix.

    Attributes:
        title: What goes wrong.
        outcome: What must happen then.
        where: Where it can occur; elsewhere there is nothing that could have it.
    """

    title: str
    outcome: str
    where: str = "every dataset"


FAULTS = {
    1: Fault(
        "the end of an archive is missing",
        "refused, with the bytes there and those due",
        "archives",
    ),
    2: Fault(
        "a bit of an archive flipped",
        "refused by CRC or sha256, or accepted on request",
        "archives",
    ),
    3: Fault(
        "a web page was saved as the archive", "refused: quota and mirrors are named", "archives"
    ),
    4: Fault("names that leave the folder or hide characters", "the whole archive is refused"),
    5: Fault("links, devices and fifos as members", "the whole archive is refused"),
    6: Fault(
        "links and loops in a folder", "listed and not followed", "folders: nothing else has links"
    ),
    7: Fault(
        "bombs: ratio, overlap, nesting, number of members",
        "refused before it is written",
        "archives: folders take what they hold",
    ),
    8: Fault("headers lie about sizes", "refused: real bytes are counted", "archives"),
    9: Fault("two members of one name, case or Unicode form", "refused with the names"),
    10: Fault(
        "encrypted, exotic compression, zip64, sparse", "read, or refused by its name", "archives"
    ),
    11: Fault("leftovers of operating systems", "skipped by an explicit list, and counted"),
    12: Fault(
        "files that the release must hold are missing",
        "all listed; refused past a number",
        "every dataset; of ImageNet-Sketch only counts tell",
    ),
    13: Fault("files that the release does not have", "listed, never converted"),
    14: Fault("images cut short, empty, or of another kind", "set aside with the reason"),
    15: Fault("images of more pixels than can be decoded", "set aside before any is decoded"),
    16: Fault("orientation, colour modes, profiles, palettes", "bytes kept, stored size told"),
    17: Fault(
        "masks of another size or with unknown values",
        "set aside with the reason",
        "SPair-71k and PartImageNet: ImageNet-Sketch has no masks",
    ),
    18: Fault(
        "text that JSON parsers take differently",
        "refused by file and field",
        "SPair-71k and PartImageNet: ImageNet-Sketch has no JSON",
    ),
    19: Fault(
        "annotations that contradict themselves",
        "kept with a status, listed or refused",
        "SPair-71k and PartImageNet: ImageNet-Sketch has no annotations",
    ),
    20: Fault(
        "pairs without image, points or split of their own",
        "refused by file and field",
        "SPair-71k has pairs; splits are PartImageNet's too",
    ),
    21: Fault(
        "hostile YAML in a card",
        "findings only: nothing is run or expanded",
        "cards, when they are checked",
    ),
    22: Fault(
        "killed at any moment",
        "whole files only; the rerun ends with the same bytes",
        "every conversion",
    ),
    23: Fault(
        "interrupted or terminated",
        "stops within seconds, exit code 130 or 143",
        "every command line run",
    ),
    24: Fault("workers die", "another takes the shard; a deadly shard is named", "workers"),
    25: Fault("the disk is full", "bytes free are told; the rerun finishes", "every output"),
    26: Fault(
        "the output may not be written, or holds other files",
        "refused, nothing touched",
        "every output",
    ),
    27: Fault("two conversions into one output", "the second waits; one result", "every output"),
    28: Fault("file locks that lie", "whole files and the same bytes nevertheless", "every output"),
    29: Fault(
        "the machine dies between rename and flush",
        "flush, rename, flush the folder",
        "every output",
    ),
    30: Fault("the release changes while it is read", "refused; the manifest names the input"),
    31: Fault("another clock, locale, umask, hash seed, order, engine", "the same bytes"),
    32: Fault("another version of pyarrow or Pillow", "an equal digest of the content"),
    33: Fault(
        "the Hub fails, slows down or hangs up", "bounded attempts; a rerun goes on", "the Hub"
    ),
    34: Fault("somebody else commits in between", "planned anew; no edit is lost", "the Hub"),
    35: Fault("no right, no token, a gate", "refused before anything is sent", "the Hub"),
    36: Fault("a push stops half way", "card and files agree; the rerun goes on", "the Hub"),
    37: Fault(
        "published files are damaged at the reader's",
        "each is named by its hash",
        "every conversion",
    ),
    38: Fault("odd paths: spaces, Unicode, %, #, reserved names", "read as they are"),
    39: Fault(
        "a manifest of another version", "refused with what to do, never reused", "every conversion"
    ),
    40: Fault("tokens, users and places in what is written", "nowhere in output or messages"),
}


def rows_of(item: pytest.Item) -> set[int]:
    """Return the rows that a case of a test shows."""
    found: set[int] = set()
    case = getattr(getattr(item, "callspec", None), "id", "")
    for mark in item.iter_markers("fault"):
        if re.search(mark.kwargs.get("only", ""), case):
            found.update(mark.args)
    return found
