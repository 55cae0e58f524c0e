"""Work that is counted in bytes: a progress bar, and sizes for people."""

from __future__ import annotations

from tqdm import tqdm


class BytesBar(tqdm):  # type: ignore[type-arg] # generic in the stubs only
    """A bar for one kind of work after another, quiet where there is no terminal."""

    def advance(self, work: str, done: int, total: int) -> None:
        """Show how far a kind of work is, see `rawshelf.parts.Advance`."""
        if done < self.n:
            self.reset()
        self.total = total
        self.set_description_str(work, refresh=False)
        self.update(done - self.n)


def bytes_bar() -> BytesBar:
    """Return a bar on standard error."""
    return BytesBar(unit="B", unit_scale=True, disable=None, leave=False)


def size(count: int) -> str:
    """Return a number of bytes in units of 1000."""
    return str(tqdm.format_sizeof(count, "B"))
