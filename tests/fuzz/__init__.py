"""Hostile bytes for every reader: targets, their seeds, what was found, and the search for more."""
