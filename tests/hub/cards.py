"""The metadata of a card, checked as the Hub checks it before it takes a commit."""

from __future__ import annotations

import re
from typing import Any

import yaml

# The clients find the block with the same rule (huggingface_hub.repocard).
_BLOCK = re.compile(r"\A\s*---[\r\n]+(.*?)(?:[\r\n]+)?---(?:\s|\Z)", re.DOTALL)
# Fields of the specification (hub-docs, datasetcard.md) that are texts, or lists of texts.
_TEXTS = ("license", "language", "tags", "task_categories", "task_ids", "size_categories")


class CardError(ValueError):
    """Metadata that the Hub refuses."""


# The one in C: a card names thousands of classes, and every commit and question parses it.
class _Loader(yaml.CSafeLoader):
    """Refuses a key that is given twice, as the parser of the Hub does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (self.construct_object(key, deep=True) for key, _ in node.value):
            if key in seen:
                raise CardError(f"duplicated mapping key {key!r}")
            seen.add(key)
        return super().construct_mapping(node, deep)


def front_matter(content: str) -> dict[str, Any] | None:
    """Return the metadata of a card, None if it has none.

    Raises:
        CardError: If it is not a YAML mapping.
    """
    block = _BLOCK.match(content)
    if block is None:
        return None
    try:
        metadata = yaml.load(block[1], _Loader)  # noqa: S506 - derived from the safe one
    except yaml.YAMLError as error:
        raise CardError(f"no valid YAML: {error}") from error
    if metadata is not None and not isinstance(metadata, dict):
        raise CardError("the metadata is no mapping")
    return metadata


def validate(content: str) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings of a card."""
    try:
        metadata = front_matter(content)
    except CardError as error:
        return [str(error)], []
    if not metadata:
        return [], ["empty or missing yaml metadata in repo card"]
    errors = [
        f'"{name}" must be a string or a list of strings'
        for name in _TEXTS
        if metadata.get(name) is not None and not _texts(metadata[name])
    ]
    return [*errors, *_config_errors(metadata.get("configs"))], []


def _texts(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def _config_errors(configs: Any) -> list[str]:
    if configs is None:
        return []
    if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
        return ['"configs" must be a list of mappings']
    names = [config.get("config_name") for config in configs]
    errors = [
        f'"configs[{index}].config_name" is required'
        for index, name in enumerate(names)
        if not isinstance(name, str)
    ]
    if len(names) != len(set(map(str, names))):
        errors.append('"configs" names a config twice')
    return errors
