"""Plans of raw releases, kept beside the cache of `datasets`.

A plan is made once per state of the release and of our code. For a compressed tar it holds the
images too (see `rawshelf.blobs.Spool`), because such an archive has no random access.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from rawshelf.code import code_fingerprint
from rawshelf.files import flush, publish
from rawshelf.parts import Parts
from rawshelf.plan import ShardTask, plan
from rawshelf.release import Dataset, Job
from rawshelf.sources import Source

FOLDER = "rawshelf_plans"
_DONE = "tasks.json"


def source_key(url: str) -> str:
    """Return a short string that changes when the release at this place changes.

    Raises:
        SourceError: If nothing is there that rawshelf reads.
    """
    return Source(url).fingerprint()[:16]


def cached_plan(
    dataset: Dataset, url: str, config: str, root: str, *, allow_missing: int, order: str
) -> list[ShardTask]:
    """Return the tasks of one config, planning only what was not planned before.

    Args:
        dataset: What to read.
        url: Path or URL of the release.
        config: Config name.
        root: Folder of the cache.
        allow_missing: How many files that the release must hold may be absent.
        order: In which order rows come, one of the dataset's.

    Raises:
        RawshelfError: If the release is damaged, incomplete or wrong.
    """
    source = Source(url)
    place = url if source.remote else os.path.abspath(url)
    parts = (dataset.release.name, config, place, source.fingerprint(), code_fingerprint())
    key = hashlib.sha256("\0".join((*parts, str(allow_missing), order)).encode()).hexdigest()[:32]
    folder = Path(root).expanduser() / FOLDER / key
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / _DONE
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            job = Job(
                source,
                (config,),
                str(folder),
                allow_missing=allow_missing,
                order=order,
                parts=Parts(str(folder / "parts")),
            )
            tasks = plan(job, dataset)
            # A plan that a crash of the machine cut short would be taken for whole for ever.
            for path in (*folder.rglob("*"), folder):
                flush(str(path))
            with publish(str(done)) as temporary:
                Path(temporary).write_text(json.dumps([asdict(task) for task in tasks]))
    return [ShardTask.from_json(values) for values in json.loads(done.read_text())]
