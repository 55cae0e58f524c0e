"""Calls one function in a fresh process: `python -m tests.bench.compete MODULE:FUNCTION ARGS...`.

Whole numbers among the arguments become int. What the function returns is printed as JSON. This
module imports next to nothing, because its imports count in what is measured.
"""

import json
import sys
from importlib import import_module


def main() -> None:
    """Call the function."""
    where, *arguments = sys.argv[1:]
    module, _, name = where.partition(":")
    function = getattr(import_module(module), name)
    told = function(*(int(each) if each.isdecimal() else each for each in arguments))
    if told is not None:
        sys.stdout.write(f"{json.dumps(told)}\n")


if __name__ == "__main__":
    main()
