"""What a check can find: the rules, each with its severity and remedy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]
_LONGEST_VALUE = 200


class Rule(NamedTuple):
    """One rule of the linter.

    Attributes:
        severity: ``error`` where a reader fails, is misled, or the Hub refuses the card;
            ``warning`` where it is only harder to use.
        remedy: What to do.
    """

    severity: Severity
    remedy: str


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule.

    Attributes:
        rule: Name of the rule, a key of `RULES`.
        severity: ``error`` or ``warning``.
        place: File, with the line (from 1) and the key where there are such:
            ``README.md:14 configs/0/data_files``.
        found: What is there.
        expected: What would be right.
        remedy: What to do.
    """

    rule: str
    severity: Severity
    place: str
    found: str
    expected: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        """Give one line for people, and a second one that says what to do."""
        return (
            f"{self.place}: {self.severity}: {self.rule}: found {self.found}, "
            f"expected {self.expected}\n  {self.remedy}"
        )


def finding(rule: str, place: str, found: object, expected: object) -> Finding:
    """Return a finding with its rule's severity and remedy."""
    severity, remedy = RULES[rule]
    return Finding(rule, severity, place, _shorten(found), _shorten(expected), remedy)


def _shorten(value: object) -> str:
    # A lone surrogate, from an escape in YAML, can be printed nowhere.
    text = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _error(remedy: str) -> Rule:
    return Rule("error", remedy)


def _warning(remedy: str) -> Rule:
    return Rule("warning", remedy)


_ENUM = "Choose from the list; the Hub files the dataset under these names only."

RULES = {
    # The file and its front matter.
    "card-missing": _error("Write a README.md: it is the dataset's page and its configuration."),
    "card-encoding": _error("Save README.md as UTF-8 without a byte order mark."),
    "front-matter": _error("Begin README.md with YAML between two lines of three dashes."),
    "yaml-syntax": _error("Correct the YAML; nothing of a card that does not parse is used."),
    "yaml-limit": _error("Write the front matter plainly: shorter, flatter, without aliases."),
    "yaml-tag": _error("Remove the tag: plain YAML needs none, and safe readers refuse it."),
    "yaml-duplicate": _error("Keep one of the keys; which one a reader takes is not defined."),
    # Fields with listed values.
    "field-type": _error("Give the field the type that the Hub's card specification says."),
    "license": _error(
        "Use an id of the Hub's list of licences, or `other` with a name and a link."
    ),
    "license-other": _error("Add license_name and license_link: `other` alone states no terms."),
    "license-missing": _warning("State the licence, `unknown` if nobody states one."),
    "language": _error("Use ISO 639 codes in lower case, such as `en`."),
    "size-categories": _error(_ENUM),
    "size-rows": _error("State the size of the largest config, or of all configs together."),
    "annotations-creators": _error(_ENUM),
    "language-creators": _error(_ENUM),
    "multilinguality": _error(_ENUM),
    "source-datasets": _error("Write `original`, `extended`, `extended|NAME`, or a Hub dataset."),
    "task-categories": _error(_ENUM),
    "task-ids": _error("Choose a sub-task of one of the task_categories that the card states."),
    "tags": _error("Write tags as a list of short texts."),
    # Configs and their files.
    "config-form": _error("Write configs as a list of mappings with config_name and data_files."),
    "config-name": _error("Name the config without any of <>:/\\|?* and not `..`."),
    "config-duplicate": _error("Give every config a name of its own."),
    "config-default": _error("Mark exactly one config with `default: true`."),
    "split-name": _error("Name splits with letters, digits and underscores, dots in between."),
    "split-duplicate": _error("Put all paths of a split into one list."),
    "data-files-outside": _error("Name files of this repository by their path within it."),
    "data-files-remote": _warning("Check by hand: an address cannot be looked up offline."),
    "data-files-empty": _error("Correct the pattern or add the files: loading the config fails."),
    "data-files-twice": _error("Narrow the patterns: rows of one split leak into another."),
    "data-files-unused": _warning("Add the file to a config, or remove it."),
    # dataset_info against the files.
    "info-form": _error("Write dataset_info as `datasets` does: config_name, features, splits."),
    "info-config": _error("Describe each config that configs lists once, and no other."),
    "info-split": _error("Describe the same splits in configs and in dataset_info."),
    "num-examples": _error("State the rows that the files hold: `datasets` refuses others."),
    "num-bytes": _warning("State the bytes of the split's files."),
    "download-size": _warning("State the bytes of the config's files."),
    "dataset-size": _warning("State the sum of the splits' num_bytes."),
    "parquet-unreadable": _error("Write the file again: it is no Parquet file, or is damaged."),
    "row-group": _warning("Write smaller row groups: the dataset viewer refuses such large ones."),
    "features-form": _error("Write features as `datasets` writes them into a card."),
    "features-differ": _error("Make the card's features and the files' schema say the same."),
    "features-spelling": _warning("Write `sequence`, which every version of `datasets` reads."),
    # The manifest.
    "manifest-form": _error("Write the manifest again: convert the release once more."),
    "manifest-file": _error("Restore the file, or convert again: the manifest lists it."),
    "manifest-unlisted": _error(
        "Remove the file, or convert again: the manifest does not list it."
    ),
    "manifest-counts": _error("Write card and manifest in one conversion: their counts differ."),
    # Prose.
    "placeholder": _error("Fill in the text, or remove the section."),
    "heading-empty": _error("Give the heading a text, or remove it."),
    "fence-open": _error("Close the code block: all that follows is shown as code."),
    "link-broken": _error("Correct the link, or add the file."),
    "link-local": _error("Link within the repository, or to a public address."),
    "anchor-broken": _warning("Correct the part after #: no heading of the card gives it."),
    "image-alt": _error("Describe the image in a few words for those who cannot see it."),
    "bibtex": _error("Correct the entry so that BibTeX reads it."),
}
