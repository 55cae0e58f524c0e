"""The command line of the benchmark: `scripts/bench --help`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.bench import page
from tests.bench.releases import Size, Store
from tests.bench.rounds import Place, compete, scale
from tests.bench.works import OURS, WORKS, Work

_PAGES = Path(__file__).resolve().parents[2] / "scripts"
_HEAD = """\
# Benchmarks

What `scripts/bench --write` measured, or with `--full`, for all images. rawshelf and its peers run
side by side: a fresh process and a fresh output for every run, in shuffled order within each round,
the releases in the page cache. The releases are made up, at the published counts and sizes; unless
it says full, there is a part of the sketches and of PartImageNet's photographs. Times are walls,
start of Python and imports included; those of readers begin after the imports. Memory is the peak
of anonymous memory of all processes of a run. rawshelf syncs and hashes every file that it writes;
the peers do neither. Peers of the sketches and of PartImageNet write fewer columns than rawshelf.

A ratio is the median of the rounds' ratios. Its interval holds the true median with a probability
of 90 % or more, from five rounds on. Of a goal within the interval, or one that other programs
disturbed, nobody can tell."""


def main() -> None:
    """Measure, and print."""
    arguments = _parser().parse_args()
    size = Size(full=arguments.full, toy=arguments.toy)
    wanted = [work for work in WORKS if not arguments.only or work.name in arguments.only]
    if arguments.peers is not None:
        wanted = [work.against(arguments.peers) for work in wanted]
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        store = Store(arguments.releases or Path(scratch) / "releases")
        place = Place(store, Path(scratch), arguments.repeat, arguments.seed)
        results = [_measure(work, size, place, parts=arguments.scale) for work in wanted]
    body = page.text(results, arguments.repeat)
    if arguments.json:
        arguments.json.write_text(json.dumps(page.plain(results, arguments.repeat), indent=1))
    if arguments.write:
        page.write(_PAGES / _page(full=arguments.full), _HEAD, body)
    sys.stdout.write(f"{body}\n")


def _measure(work: Work, size: Size, place: Place, *, parts: bool) -> page.Result:
    runs = compete(work, size, place)
    shares = scale(work, size, place) if parts and work.scale else []
    return page.Result(work, size, runs, shares)


def _page(*, full: bool) -> str:
    return "BENCHMARKS-full.md" if full else "BENCHMARKS.md"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    names = [work.name for work in WORKS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="WORK", help=", ".join(names))
    peers = sorted({each.name for work in WORKS for each in work.competitors} - {OURS})
    single = [f"{work.name}: {each.name}" for work in WORKS for each in work.competitors]
    told = f"of every work, or WORK: PEER for one; {'; '.join(peers)}"
    choices = [*peers, *single]
    parser.add_argument("--peers", nargs="*", choices=choices, metavar="PEER", help=told)
    parser.add_argument("--repeat", type=int, default=5, help="rounds; 5 by default")
    parser.add_argument("--seed", type=int, default=0, help="of the order within the rounds")
    parser.add_argument("--full", action="store_true", help="all images of every release")
    parser.add_argument("--toy", action="store_true", help="a few images, to try the benchmark")
    parser.add_argument("--scale", action="store_true", help="also 1/8, 1/4, 1/2 of each release")
    parser.add_argument("--releases", type=Path, metavar="FOLDER", help="keep the releases there")
    parser.add_argument("--scratch", type=Path, metavar="FOLDER", help="for what is temporary")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    pages = " or ".join(_page(full=full) for full in (False, True))
    parser.add_argument("--write", action="store_true", help=f"write {pages} of scripts")
    return parser


if __name__ == "__main__":
    main()
