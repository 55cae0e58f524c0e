"""Client code: in a process of its own, or an `HfApi` in this one.

The libraries read `HF_ENDPOINT` when they are imported and keep caches as long as they live, so
that all but `HfApi(endpoint=hub.url, token=...)` needs a process of its own.
"""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

from huggingface_hub import constants, file_download, utils

from tests.hub.server import Hub

# A client that waits for an answer that never comes must not keep the tests waiting.
_SECONDS = 120
# huggingface_hub 2 reads all certificates for each new session: half the time of a push to a hub
# of this machine, which speaks no TLS.
_ssl_context = cache(ssl.create_default_context)


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


class Endpoint(Protocol):
    """What requests are made to."""

    @property
    def url(self) -> str:
        """Its address."""


@contextmanager
def online(hub: Endpoint) -> Iterator[None]:
    """Let huggingface_hub make requests from this process, which otherwise is offline.

    Xet is off: huggingface_hub 2 uploads through it wherever hf_xet is installed. The endpoint
    is set for 0.x, which reads the address of a new commit with it, whatever `HfApi` was given.
    """
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    # 0.x settles the question of being offline when it makes a session, 2.x with each request.
    forget = utils.close_session if hasattr(utils, "close_session") else utils.reset_sessions
    with (
        patch.object(constants, "HF_HUB_OFFLINE", new=False),
        # The first versions with Xet have no such switch; they ask the hub.
        patch.object(constants, "HF_HUB_DISABLE_XET", new=True, create=True),
        patch.object(constants, "ENDPOINT", new=hub.url),
        patch.object(constants, "HUGGINGFACE_CO_URL_TEMPLATE", new=template),
        patch.object(ssl, "create_default_context", _ssl_context),
        # 0.x has a copy of it here, 2.x has none.
        patch.object(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", new=template, create=True),
    ):
        forget()
        try:
            yield
        finally:
            forget()
