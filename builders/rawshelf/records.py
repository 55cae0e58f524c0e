"""What is known of a written shard: in a run's records and in a conversion's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rawshelf.report import Quarantined


@dataclass(frozen=True)
class ShardRecord:
    """What a written shard is.

    Attributes:
        path: Relative to the output's root.
        config: Config name.
        split: Split name.
        rows: Number of rows.
        bytes: Size of the file.
        sha256: Hash of the file.
        groups: Rows of each row group.
        set_aside: Rows that the file does not hold because their image is no good.
    """

    path: str
    config: str
    split: str
    rows: int
    bytes: int
    sha256: str
    groups: tuple[int, ...]
    set_aside: tuple[Quarantined, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ShardRecord:
        """Return the record that `to_json` gave.

        Raises:
            KeyError: If the rows of its row groups are not among the values.
            TypeError: If the values are none of a record.
        """
        aside = tuple(Quarantined(**row) for row in values.get("set_aside", ()))
        return cls(**{**values, "groups": tuple(values["groups"]), "set_aside": aside})

    def to_json(self) -> dict[str, object]:
        """Return the record as plain JSON values; rows set aside only where there are any."""
        values = {**asdict(self), "groups": list(self.groups)}
        aside = values.pop("set_aside")
        return {**values, "set_aside": list(aside)} if aside else values
