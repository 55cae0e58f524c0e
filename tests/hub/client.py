"""Client code in a process of its own.

The libraries read `HF_ENDPOINT` when they are imported and keep caches as long as they live.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.hub.server import Hub

# A client that waits for an answer that never comes must not keep the tests waiting.
_SECONDS = 120


def run(
    hub: Hub,
    script: str,
    home: Path,
    *arguments: str,
    token: str | None = None,
    python: str = sys.executable,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run Python code that has a hub for the Hub.

    Args:
        hub: To talk to.
        script: The code.
        home: Folder for all caches.
        *arguments: Given to the script in `sys.argv[1:]`.
        token: Of the user who is signed in.
        python: Which interpreter runs it.
        **environment: Further variables.
    """
    return subprocess.run(
        [python, "-c", script, *arguments],
        env={**hub.environment(home, token), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
