"""Checks of a dataset repository without the network: its card, its files, its manifest."""

from __future__ import annotations

from collections.abc import Iterator

from rawshelf.lint import accounts, configs, counts, features, fields, prose
from rawshelf.lint.findings import RULES, Finding
from rawshelf.lint.repository import Repository

__all__ = ["RULES", "Finding", "lint"]

_CHECKS = (fields.check, configs.check, counts.check, features.check, accounts.check, prose.check)


def lint(folder: str) -> list[Finding]:
    """Check a dataset repository in a local folder.

    Nothing is written, nothing is fetched, and of data files only Parquet footers are read. What
    the files hold is not compared with their hashes.

    Args:
        folder: A folder with a README.md, as it is on the Hub or is to be pushed there.

    Returns:
        What was found, in the order of the checks; see `RULES` for what each means.

    Raises:
        UsageError: If there is no such folder.
    """
    return list(_findings(Repository(folder)))


def _findings(repository: Repository) -> Iterator[Finding]:
    yield from repository.faults
    for check in _CHECKS:
        yield from check(repository)
