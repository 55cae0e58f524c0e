"""Run the command line as ``python -m rawshelf``."""

from __future__ import annotations

from rawshelf.cli import main

if __name__ == "__main__":
    main()
