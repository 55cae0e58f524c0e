#!/usr/bin/env python3
"""From a raw release to the Hub. Further options go to the push."""

from __future__ import annotations

import argparse
import subprocess
import sys


def main() -> int:
    """Run one step after the other; end with the exit code of the first that fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="The same command resumes. See also: rawshelf push --help."
    )
    parser.add_argument("name", help="dataset, see rawshelf list")
    parser.add_argument("raw", help="the raw release")
    parser.add_argument("out", help="folder of the conversion; kept")
    parser.add_argument("repository", metavar="USER/REPO")
    given, options = parser.parse_known_args()
    steps = (
        ("convert", given.name, given.raw, given.out),
        ("preview", given.out),
        ("card", "lint", given.out),
        ("verify", given.out),
        ("push", given.out, given.repository, *options),
    )
    for step in steps:
        status = subprocess.call([sys.executable, "-m", "rawshelf", *step])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
