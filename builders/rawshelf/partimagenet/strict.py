"""JSON as its standard has it: without what Python's parser lets through."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, NoReturn

# COCO files nest to five. How deep Python's own parser and writer go depends on who calls them.
_DEEPEST = 64
_TOO_DEEP = f"lists and objects within each other, more than {_DEEPEST} levels"
_CONTAINERS = (dict, list)


def strict_loads(data: bytes) -> Any:
    """Parse JSON without what Python's parser lets through.

    Raises:
        ValueError: If it is no JSON in UTF-8, holds NaN, Infinity or a number as large as that,
            has a key twice, or nests more than 64 levels deep.
    """
    try:
        found = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
        )
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    if not _is_shallow(found):
        raise ValueError(_TOO_DEEP)
    return found


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [item for each in level for item in _items(each) if isinstance(item, _CONTAINERS)]
        if not level:
            return True
    return False


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        msg = f"the key {twice!r} twice in one object"
        raise ValueError(msg)
    return made


def _constant(text: str) -> NoReturn:
    msg = f"{text} is no finite number"
    raise ValueError(msg)


def _float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _constant(text)
