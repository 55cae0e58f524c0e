"""The benchmark of `scripts/bench`: rawshelf and its peers, side by side in one run."""
