"""What a conversion noticed: everything that was skipped, missing, set aside or different."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Self


def printable(value: Any) -> Any:
    """Return JSON values whose texts UTF-8 can hold: a lone surrogate stands as its escape.

    JSON may have one, which Python reads and cannot write.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {printable(key): printable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(each) for each in value]
    return value


@dataclass(frozen=True)
class Quarantined:
    """A row that was set aside.

    Attributes:
        member: The file that would have become a row.
        reason: Why it did not.
    """

    member: str
    reason: str


@dataclass(frozen=True)
class Difference:
    """A field that contradicts the rule it should follow.

    Attributes:
        member: The file.
        field: The field within it.
        found: What it says.
        expected: What the rule gives.
    """

    member: str
    field: str
    found: str
    expected: str


@dataclass
class Report:
    """Collected while a release is read; part of the manifest.

    Attributes:
        junk: Number of skipped operating-system leftovers.
        skipped_links: Links of a folder, which are never followed.
        missing: Files that the release should hold and that are absent, sorted.
        strays: Files that the release does not list and that were not converted, sorted.
        quarantine: Rows set aside, each with its reason.
        differences: Fields that contradict a rule of the release.
        checked: How many items each rule was applied to.
        notes: Sentences for the reader of the report.
        left_out: Wanted configs that the release has no files for.
    """

    junk: int = 0
    skipped_links: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def set_aside(self, members: Iterable[str], reason: str) -> None:
        """Quarantine several members for one reason."""
        self.quarantine.extend(Quarantined(member, reason) for member in members)

    def add_quarantine(self, rows: Iterable[Quarantined]) -> None:
        """Quarantine rows, each once: two configs may set the same image aside."""
        self.quarantine += set(rows) - set(self.quarantine)

    def to_json(self) -> dict[str, object]:
        """Return the report as plain JSON values, in a stable order."""
        # Not `asdict`: over the files of a release it takes a second.
        kept = {name: copy(value) for name, value in vars(self).items()}
        aside = sorted(self.quarantine, key=lambda row: (row.member, row.reason))
        found: dict[str, object] = printable(
            {
                **kept,
                "missing": sorted(self.missing),
                "strays": sorted(self.strays),
                "quarantine": [dict(vars(row)) for row in aside],
                "differences": [dict(vars(row)) for row in self.differences],
            }
        )
        return found

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the report that `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: If the values are none.
        """
        quarantine = [Quarantined(**row) for row in values["quarantine"]]
        differences = [Difference(**row) for row in values["differences"]]
        return cls(**{**values, "quarantine": quarantine, "differences": differences})

    def lines(self) -> list[str]:
        """Return a summary for people, one line per kind of finding; empty if all is well."""
        counted = {
            "skipped leftovers of an operating system": self.junk,
            "links not followed": len(self.skipped_links),
            "missing files": len(self.missing),
            "stray files, not converted": len(self.strays),
            "rows set aside": len(self.quarantine),
            "fields that contradict a rule of the release": len(self.differences),
        }
        found = [f"{count:,} {what}" for what, count in counted.items() if count]
        return [*found, *map(printable, self.notes)]
