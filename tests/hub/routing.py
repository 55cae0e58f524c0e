"""Which endpoint answers which request.

The kinds are `whoami`, `create`, `delete`, `validate-yaml`, `info`, `settings`, `auth-check`,
`refs`, `branch`, `tag`, `discussions`, `commits`, `tree`, `paths-info`, `preupload`, `lfs-batch`,
`lfs-put`, `xet-token`, `commit` and `resolve`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from tests.hub import changes, listing
from tests.hub.protocol import Call, Refusal, Reply
from tests.hub.service import Service

Endpoint = Callable[[Service, Call], Reply]

_REPO = r"(?P<repo>[^/]+/[^/]+)"
# One quoted part, or one of the refs with slashes that the Hub takes unquoted as well.
_REVISION = r"(?P<revision>refs/(?:pr|convert|heads|tags)/[^/]+|[^/]+)"
_API = f"/api/datasets/{_REPO}"

_ROUTES: tuple[tuple[str, str, str, Endpoint], ...] = (
    ("GET", "whoami", "/api/whoami-v2", listing.whoami),
    ("POST", "create", "/api/repos/create", changes.create),
    ("DELETE", "delete", "/api/repos/delete", changes.delete),
    ("POST", "validate-yaml", "/api/validate-yaml", changes.validate_yaml),
    ("GET", "info", f"{_API}(?:/revision/{_REVISION})?", listing.info),
    ("PUT", "settings", f"{_API}/settings", changes.settings),
    ("GET", "auth-check", f"{_API}/auth-check(?P<write>/write)?", listing.auth_check),
    ("GET", "refs", f"{_API}/refs", listing.refs),
    ("POST|DELETE", "branch", f"{_API}/branch/{_REVISION}", changes.branch),
    ("POST|DELETE", "tag", f"{_API}/tag/{_REVISION}", changes.tag),
    ("GET", "discussions", f"{_API}/discussions", listing.discussions),
    ("GET", "commits", f"{_API}/commits/{_REVISION}", listing.commits),
    ("GET", "tree", f"{_API}/tree/{_REVISION}(?:/(?P<path>.+))?", listing.tree),
    ("POST", "paths-info", f"{_API}/paths-info/{_REVISION}", listing.paths_info),
    ("POST", "preupload", f"{_API}/preupload/{_REVISION}", changes.preupload),
    ("POST", "lfs-batch", f"/datasets/{_REPO}\\.git/info/lfs/objects/batch", changes.lfs_batch),
    ("PUT", "lfs-put", f"/lfs/{_REPO}/(?P<oid>[0-9a-f]{{64}})", changes.lfs_put),
    (
        "GET",
        "xet-token",
        f"{_API}/xet-(?P<access>read|write)-token/{_REVISION}",
        changes.xet_token,
    ),
    ("POST", "commit", f"{_API}/commit/{_REVISION}", changes.commit),
    ("GET|HEAD", "resolve", f"/datasets/{_REPO}/resolve/{_REVISION}/(?P<path>.+)", listing.resolve),
)
_COMPILED = tuple(
    (re.compile(methods), kind, re.compile(pattern), endpoint)
    for methods, kind, pattern, endpoint in _ROUTES
)


class Route(NamedTuple):
    """What a request is about.

    Attributes:
        kind: Of endpoint.
        place: The named parts of the path, unquoted, and `raw`, the path as it was sent.
        endpoint: Which answers.
    """

    kind: str
    place: dict[str, str]
    endpoint: Endpoint


def find(method: str, path: str) -> Route:
    """Return the route of a request; a request that no endpoint knows is refused with 404."""
    for methods, kind, pattern, endpoint in _COMPILED:
        found = pattern.fullmatch(path)
        if found and methods.fullmatch(method):
            parts = {name: unquote(part) for name, part in found.groupdict().items() if part}
            return Route(kind, {**parts, "raw": path}, endpoint)
    return Route("unknown", {"raw": path}, _unknown)


def _unknown(service: Service, call: Call) -> Reply:
    service.account(call)
    raise Refusal(404, f"Not found: {call.place['raw']}", "RepoNotFound")
