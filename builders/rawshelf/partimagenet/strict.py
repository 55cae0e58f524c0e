"""JSON as its standard has it: without what Python's parser lets through."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn


def strict_loads(data: bytes) -> Any:
    """Parse JSON without what Python's parser lets through.

    Raises:
        ValueError: If it is no JSON in UTF-8, holds NaN, Infinity or a number as large as that, or
            has a key twice.
    """
    return json.loads(
        data.decode("utf-8"),
        object_pairs_hook=_object,
        parse_constant=_constant,
        parse_float=_float,
    )


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
