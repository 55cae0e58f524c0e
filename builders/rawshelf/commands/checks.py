"""The checks of a raw release, for people: what contradicts comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rawshelf.claims import Check, Value, Verdict
from rawshelf.commands.progress import size
from rawshelf.verification import Verification

_LISTED = 30  # checks of one verdict, group and source; --json has all
_WIDEST = 64  # characters of an aligned column; longer ones push their neighbours aside
_HEADS = ("", "claimed", "observed")


def lines(found: Verification) -> Iterator[str]:
    """Yield a line that sums up, then a table for each verdict, group and source of claims."""
    yield f"{found.place}: {found.dataset}{_described(found)}"
    tables: dict[tuple[Verdict, str, str], list[Check]] = {}
    for check in found.checks:
        tables.setdefault((check.verdict, check.group, check.source), []).append(check)
    for verdict in Verdict:
        marked = verdict.upper() if verdict is Verdict.CONTRADICTS else verdict.value
        for (each, group, source), checks in tables.items():
            if each is verdict:
                yield f"  {marked}: {group}{f'  [{source}]' if source else ''}"
                yield from _table(checks, cut=verdict is not Verdict.AGREES)
    for note in found.notes:
        yield f"  note: {note}"
    counts = ", ".join(f"{found.counts[each]:,} {each}" for each in Verdict if found.counts[each])
    yield f"  {counts}"
    yield "  nothing contradicts" if found.agrees else "  CONTRADICTED"


def _described(found: Verification) -> str:
    kind, count = found.input.get("kind"), found.input.get("bytes")
    known = f", {kind}, {size(count)}" if isinstance(count, int) else ""
    return f"{known}{', every image decoded' if found.deep else ''}"


def _table(checks: Sequence[Check], *, cut: bool) -> Iterator[str]:
    shown = checks[:_LISTED] if cut else checks
    rows = [_HEADS, *map(_row, shown)]
    left, middle, right = (
        max(len(row[place]) for row in rows if len(row[place]) <= _WIDEST) for place in range(3)
    )
    for subject, claimed, observed in rows:
        yield f"    {subject:<{left}}  {claimed:>{middle}}  {observed:>{right}}".rstrip()
    if len(shown) < len(checks):
        yield f"    ... and {len(checks) - len(shown):,} more; --json lists all"


def _row(check: Check) -> tuple[str, str, str]:
    place = ": ".join(filter(None, (check.member, check.field)))
    subject = f"{check.subject} {place}" if place else check.subject
    return subject, _shown(check.claimed), _shown(check.observed)


def _shown(value: Value | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else " ".join(value.split())
