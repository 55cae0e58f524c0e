"""A raw release's claims against what is there, without converting it.

A dataset's own `prepare` reads the release, with all that it checks; what it notes, what the
release claims to hold, and what the dataset's verifier adds become one list of checks.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from rawshelf import catalog
from rawshelf.claims import Check, Value, Verdict, compared, contradicted, noted
from rawshelf.engines import Engine
from rawshelf.errors import RawshelfError, SourceError
from rawshelf.incomplete import told_if_cut
from rawshelf.manifest import describe_aside
from rawshelf.members import Member
from rawshelf.parts import Advance, Parts, silent
from rawshelf.refusals import explained_aside
from rawshelf.release import Archive, Claim, Dataset, Evidence, Job, Prepared, Release
from rawshelf.report import Difference, Report
from rawshelf.sources import FOLDER, Source, Wanted

Tables = Mapping[tuple[str, str], pa.Table]

_RULE = "rules that every conversion checks"
_PACKED = "another packing of the release: its content decides"
_DAMAGED = "as large as published, but other bytes: damaged or changed"


@dataclass
class Verification:
    """What became of the claims about a release.

    Attributes:
        place: What was verified.
        dataset: Name of the dataset.
        input: What identifies it, see `rawshelf.sources.Source.describe`.
        deep: Whether every image was decoded.
        checks: All checks; those of one group stand together.
        notes: What else was noticed.
        refusal: Why reading ended early, if it did.
    """

    place: str
    dataset: str
    input: dict[str, object]
    deep: bool
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refusal: RawshelfError | None = None

    @property
    def counts(self) -> Counter[Verdict]:
        """How many checks have each verdict."""
        return Counter(check.verdict for check in self.checks)

    @property
    def agrees(self) -> bool:
        """Whether nothing contradicts."""
        return not self.counts[Verdict.CONTRADICTS]

    @property
    def exit_code(self) -> int:
        """0 if nothing contradicts, 3 if the release cannot be read to its end, else 1."""
        if isinstance(self.refusal, SourceError):
            return SourceError.exit_code
        return 0 if self.agrees else RawshelfError.exit_code

    def to_json(self) -> dict[str, object]:
        """Return the verification as plain JSON values."""
        return {
            "place": self.place,
            "dataset": self.dataset,
            "input": self.input,
            "deep": self.deep,
            "agrees": self.agrees,
            "refusal": None if self.refusal is None else str(self.refusal),
            "counts": {verdict.value: self.counts[verdict] for verdict in Verdict},
            "checks": [asdict(check) for check in self.checks],
            "notes": self.notes,
        }


class _Tallied(Source):
    """A source that counts its members by folder while it is walked through.

    Attributes:
        folders: Number of files in each folder, of the container as it is.
    """

    def __init__(self, url: str) -> None:
        """Open the source; nothing is counted yet."""
        super().__init__(url)
        self.folders: Counter[str] = Counter()

    def walk(self, read: Wanted) -> Iterator[tuple[Member, memoryview | None]]:
        self.folders.clear()
        for member, data in super().walk(read):
            self.folders[member.name.rpartition("/")[0]] += 1
            yield member, data


def verify_release(
    name: str, raw: str, *, deep: bool = False, workers: int = 1, advance: Advance = silent
) -> Verification:
    """Compare what is claimed about a release with what is there.

    Args:
        name: Name of the dataset.
        raw: Path or fsspec URL of the release: folder, tar, tar.gz or zip.
        deep: Whether to decode every image.
        workers: Processes that look at images; 1 for threads.
        advance: Called after each part of that work.

    Raises:
        UsageError: If there is no such dataset.
        SourceError: If nothing is there, or no container that rawshelf reads.
    """
    dataset = catalog.find(name)
    described = describe_aside(raw)
    source = _Tallied(raw)
    with tempfile.TemporaryDirectory(prefix="rawshelf-") as folder, explained_aside(folder):
        parts = Parts(None, Engine(workers=workers), advance)
        configs = dataset.tools().verifier.configs
        job = Job(source, configs, folder, allow_missing=sys.maxsize, parts=parts)
        found = Verification(raw, name, {}, deep)
        content = _content_checks(dataset, source, job, deep=deep)
        found.refusal, found.notes = content.refusal, [*job.report.notes]
    try:
        found.input = described()
    except RawshelfError as error:  # it went away meanwhile, or was damaged from the start
        found.refusal = found.refusal or error
    found.checks = [*_archive_checks(content.archives, raw, found.input), *content.checks]
    return found


class _Content(NamedTuple):
    """What reading a release to its end, or as far as it goes, gives.

    Attributes:
        checks: Of what it holds.
        archives: The published archives that it may be.
        refusal: What ended the reading, if anything did.
    """

    checks: list[Check]
    archives: list[Archive]
    refusal: RawshelfError | None


def _content_checks(dataset: Dataset, source: _Tallied, job: Job, *, deep: bool) -> _Content:
    own: list[Check] = []
    prepared: Prepared | None = None
    refusal: RawshelfError | None = None
    try:
        with told_if_cut(source, dataset.release):
            prepared = dataset.prepare(job)
        evidence = Evidence(job, prepared, source.folders, deep)
        own.extend(dataset.tools().verifier.check(evidence))  # those before an error stay
    except RawshelfError as error:
        refusal = error
    tables = {} if prepared is None else prepared.tables
    release = dataset.release
    checks = [
        *([] if refusal is None else [_refused(refusal)]),
        *_file_checks(source, job.report),
        *_row_checks(release, tables),
        *_rule_checks(job.report, complete=refusal is None),
        *own,
    ]
    archives = _made_of(release, tables) if tables else list(release.archives)
    return _Content(checks, archives, refusal)


def _refused(error: RawshelfError) -> Check:
    return Check(
        group="content",
        subject=f"{error.what} Nothing behind it was checked.",
        claimed=None if error.expected is None else str(error.expected),
        observed=None if error.found is None else str(error.found),
        verdict=Verdict.CONTRADICTS,
        source="what reading the release needs",
        member=error.member or "",
        field=error.field or "",
    )


def _archive_checks(archives: list[Archive], raw: str, described: dict[str, Any]) -> list[Check]:
    """Compare size and sha256 with those of the published archive that it may be."""
    if described.get("kind") in (FOLDER, None):
        what = "a folder" if described else "not read to its end"
        return [Check("archive", "sha256", None, what, Verdict.UNCHECKED)]
    size, sha256 = described["bytes"], described["sha256"]
    published = _published(archives, raw, described)
    if published is None:
        return [noted("archive", "bytes", size), noted("archive", "sha256", sha256)]
    if published.bytes == size:
        differs, why = Verdict.CONTRADICTS, _DAMAGED
    else:
        differs, why = Verdict.PACKING, _PACKED

    def check(subject: str, claimed: Value | None, observed: Value, by: str) -> Check:
        if claimed is None:
            return noted("archive", subject, observed, member=published.name)
        agrees = claimed == observed
        verdict = Verdict.AGREES if agrees else differs
        source = by if agrees else f"{by}; {why}"
        return Check("archive", subject, claimed, observed, verdict, source, published.name)

    return [
        check("bytes", published.bytes, size, published.bytes_by),
        check("sha256", published.sha256, sha256, published.sha256_by),
    ]


def _made_of(release: Release, tables: Collection[tuple[str, str]]) -> list[Archive]:
    """Return the published archives that hold what was found."""
    found = {config for config, _ in tables}
    return [each for each in release.archives if not each.configs or found & set(each.configs)]


def _published(archives: list[Archive], raw: str, described: dict[str, Any]) -> Archive | None:
    """Return the published archive that this may be: by hash, else by size, else by name."""
    base = os.path.basename(raw.rstrip("/"))
    tests: tuple[Callable[[Archive], bool], ...] = (
        lambda each: each.sha256 == described["sha256"],
        lambda each: each.bytes == described["bytes"],
        lambda each: each.name == base,
        lambda _: len(archives) == 1,
    )
    return next((each for test in tests for each in archives if test(each)), None)


def _file_checks(source: _Tallied, report: Report) -> Iterator[Check]:
    """Yield what is missing, what is there beside, and how much there is."""
    yield noted("files", "files in the container", source.folders.total())
    yield noted("files", "folders that hold files", len(source.folders))
    yield noted("files", "leftovers of an operating system, skipped", source.guard.junk)
    links = sorted(source.guard.skipped_links)
    yield noted("files", "links, not followed", len(links))
    for path in links:
        yield noted("files", "link", "not followed", member=path)
    whole = "the release's own lists name it"
    yield compared("files", "missing files", 0, len(report.missing), whole)
    yield from contradicted(
        "files",
        (Difference(path, "", "absent", "present") for path in sorted(report.missing)),
        whole,
    )
    yield noted("files", "files that the release does not list", len(report.strays))
    for path in sorted(report.strays):
        yield noted("files", "stray", "present", member=path)


def _row_checks(release: Release, tables: Tables) -> Iterator[Check]:
    """Yield how many rows each config and split would have."""
    rows: dict[tuple[str, str | None], int] = {}
    for (config, split), table in tables.items():
        rows[config, split] = len(table)
        rows[config, None] = rows.get((config, None), 0) + len(table)
    for claim in release.claims:
        yield _row_check(claim, rows.get((claim.config, claim.split)))
    claimed = {(claim.config, claim.split) for claim in release.claims}
    for place, count in rows.items():
        if place not in claimed:
            yield noted("rows", _place(*place), count)


def _row_check(claim: Claim, rows: int | None) -> Check:
    subject = _place(claim.config, claim.split)
    if rows is None:
        verdict = Verdict.UNCHECKED
    elif rows == claim.rows:
        verdict = Verdict.AGREES
    else:
        verdict = Verdict.KNOWN if claim.refuted else Verdict.CONTRADICTS
    source = f"{claim.source}; {claim.refuted}" if verdict is Verdict.KNOWN else claim.source
    return Check("rows", subject, claim.rows, rows, verdict, source)


def _place(config: str, split: str | None) -> str:
    return f"{config} {split}" if split else f"{config}, all splits"


def _rule_checks(report: Report, *, complete: bool) -> Iterator[Check]:
    """Yield every field that contradicts a rule, every row set aside, and what was compared."""
    yield from contradicted("content", report.differences, _RULE)
    aside = (Difference(row.member, "", row.reason, "a row") for row in report.quarantine)
    yield from contradicted("content", aside, _RULE)
    sound = complete and not report.differences and not report.quarantine
    verdict = Verdict.AGREES if sound else Verdict.OBSERVED
    for subject, count in report.checked.items():
        yield Check("content", subject, None, count, verdict, _RULE)
