"""How this process holds memory: what is freed goes back, so that peaks do not add up."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import pyarrow as pa

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
# More than most images, less than a row group: those come and go in mappings of their own.
_OWN_MAPPING = 1 << 20


def settle() -> None:
    """Let large buffers go back to the system when they are freed.

    Arrow's own pool keeps what is freed: it takes half as much memory again (measured). glibc
    raises the size from which a buffer gets a mapping of its own with each such buffer that is
    freed, and then row groups lie in its heaps, between images (measured: a third more at the
    peak). Other C libraries are left as they are.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _OWN_MAPPING)
