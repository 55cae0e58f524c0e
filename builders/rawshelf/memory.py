"""How this process holds memory: what is freed goes back, so that peaks do not add up."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from importlib.abc import MetaPathFinder

import pyarrow as pa

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
# More than most images, less than a row group: those come and go in mappings of their own.
_OWN_MAPPING = 1 << 20


def settle() -> None:
    """Let large buffers go back to the system when they are freed, and leave pandas out.

    Arrow's own pool keeps what is freed: it takes half as much memory again (measured). glibc
    raises the size from which a buffer gets a mapping of its own with each such buffer that is
    freed, and then row groups lie in its heaps, between images (measured: a third more at the
    peak). Other C libraries are left as they are.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _OWN_MAPPING)
    _leave_pandas_out()


def _leave_pandas_out() -> None:
    """Keep Arrow from importing pandas, which it does before it makes the first array.

    It wants to know the values of pandas, of which there are none here (measured: 25 MB and 0.4 s
    of a processor). Other importers of pandas find it.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas)
        try:
            pa.array([])
        finally:
            sys.meta_path.remove(_NoPandas)


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas."""

    @classmethod
    def find_spec(cls, name: str, *_: object) -> None:
        """Find nothing; let others look for what is not pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
