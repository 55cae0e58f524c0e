"""What is claimed about a raw release, beside what is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rawshelf.report import Difference

Value = int | str


class Verdict(StrEnum):
    """How a claim fares; in the order in which people are told."""

    CONTRADICTS = "contradicts"
    KNOWN = "known defect"
    PACKING = "another packing"
    UNCHECKED = "not checked"
    OBSERVED = "observed only"
    AGREES = "agrees"


@dataclass(frozen=True)
class Check:
    """One claim, or one observation that nobody claims anything about.

    Attributes:
        group: What it belongs to: ``archive``, ``files``, ``rows``, a table of the paper ...
        subject: What is counted or compared.
        claimed: What it should be; None if nobody says.
        observed: What it is; None if it was not looked at.
        verdict: How the two fare.
        source: Who claims it, or who knows of the defect.
        member: The file of the release that it is about, or "".
        field: The field within that file, or "".
    """

    group: str
    subject: str
    claimed: Value | None
    observed: Value | None
    verdict: Verdict
    source: str = ""
    member: str = ""
    field: str = ""


def compared(
    group: str, subject: str, claimed: Value, observed: Value, source: str, *, firm: bool = True
) -> Check:
    """Return the check of a claim.

    Args:
        group: See `Check`.
        subject: See `Check`.
        claimed: See `Check`.
        observed: See `Check`.
        source: See `Check`.
        firm: Whether a difference contradicts; else it is only told, because the claim is
            unconfirmed.
    """
    differs = Verdict.CONTRADICTS if firm else Verdict.OBSERVED
    verdict = Verdict.AGREES if claimed == observed else differs
    return Check(group, subject, claimed, observed, verdict, source)


def noted(group: str, subject: str, observed: Value, *, known: str = "", member: str = "") -> Check:
    """Return the check of something that nobody puts a number to.

    Args:
        group: See `Check`.
        subject: See `Check`.
        observed: See `Check`.
        known: Who knows of it, if it is a known defect; one that does not occur is not told so.
        member: See `Check`.
    """
    verdict = Verdict.KNOWN if known and observed else Verdict.OBSERVED
    return Check(group, subject, None, observed, verdict, known, member)


def contradicted(group: str, found: Iterable[Difference], source: str) -> list[Check]:
    """Return a contradiction for each difference, named by file and field."""
    return [
        Check(
            group,
            "field" if each.field else "file",
            each.expected,
            each.found,
            Verdict.CONTRADICTS,
            source,
            each.member,
            each.field,
        )
        for each in found
    ]


def free_of(group: str, rule: str, count: int, failed: int, source: str) -> Check:
    """Return the check of a rule that holds for each of so many items.

    >>> free_of("pixels", "images that decode", 3, 1, "rawshelf").observed
    '2 of 3'
    """
    return compared(
        group, rule, f"{count:,} of {count:,}", f"{count - failed:,} of {count:,}", source
    )
