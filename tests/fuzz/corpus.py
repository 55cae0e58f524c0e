"""What was found: small inputs that once broke a reader, as text."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "corpus"


def finds(target: str) -> dict[str, bytes]:
    """Return the finds of a target by their names.

    A file ``corpus/<target>.txt`` has a line for each: a name that says what it is, a space, and
    the bytes, deflated, in base64.
    """
    path = FOLDER / f"{target}.txt"
    lines = path.read_text(encoding="ascii").splitlines() if path.is_file() else []
    pairs = (line.split(" ") for line in lines)
    return {name: zlib.decompress(base64.b64decode(text, validate=True)) for name, text in pairs}


def line(name: str, data: bytes) -> str:
    """Return the line of a find."""
    text = base64.b64encode(zlib.compress(data, 9)).decode("ascii")
    return f"{name} {text}\n"
