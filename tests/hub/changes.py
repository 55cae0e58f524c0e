"""Endpoints that change: repositories, branches, uploads and commits."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.hub.accounts import Account, check_signed_in, check_visible, check_writable
from tests.hub.cards import validate
from tests.hub.protocol import Call, Refusal, Reply, json_reply
from tests.hub.service import Service
from tests.hub.store import LFS_SUFFIXES, Entry, Repository, lfs_entry

# From this size on the Hub takes a file through LFS only.
_LFS_BYTES = 10_000_000
# Long past any test; the clients fetch a new token when this moment is near.
_NEVER = 4_102_444_800


def create(service: Service, call: Call) -> Reply:
    """Create a repository."""
    repo_id, account, asked = _named(service, call)
    url = f"{service.url}/datasets/{repo_id}"
    check_writable(repo_id.partition("/")[0], account)
    if repo_id in service.store.repositories:
        return json_reply({"error": "You already created this dataset repo", "url": url}, 409)
    service.store.create(repo_id, private=_private(asked) or False)
    return json_reply({"url": url, "name": repo_id, "id": repo_id})


def delete(service: Service, call: Call) -> Reply:
    """Delete a repository."""
    repo_id, account, _ = _named(service, call)
    check_visible(service.store.repositories.get(repo_id), account)
    check_writable(repo_id.partition("/")[0], account)
    del service.store.repositories[repo_id]
    return json_reply({})


def _named(service: Service, call: Call) -> tuple[str, Account, dict[str, Any]]:
    account = check_signed_in(service.account(call))
    asked = call.json()
    if asked.get("type") != "dataset":
        raise Refusal(400, "This hub has dataset repositories only")
    return f"{asked.get('organization') or account.name}/{asked['name']}", account, asked


def settings(service: Service, call: Call) -> Reply:
    """Change who sees a repository."""
    repository = service.writable(call)
    asked = call.json()
    private = _private(asked)
    if private is not None:
        repository.private = private
    if "gated" in asked:
        repository.gated = bool(asked["gated"])
    return json_reply({"private": repository.private, "gated": repository.gated})


def _private(asked: Mapping[str, Any]) -> bool | None:
    """Return what a client asks for, in the words of 2.x or of 0.x."""
    if "visibility" in asked:
        return bool(asked["visibility"] == "private")
    return asked.get("private")


def branch(service: Service, call: Call) -> Reply:
    """Create a branch, or delete one."""
    return _ref(service, call, service.writable(call).branches, call.place["revision"], "main")


def tag(service: Service, call: Call) -> Reply:
    """Create a tag at a revision, or delete one."""
    repository = service.writable(call)
    if call.method == "DELETE":
        return _ref(service, call, repository.tags, call.place["revision"], None)
    return _ref(service, call, repository.tags, call.json()["tag"], call.place["revision"])


def _ref(
    service: Service, call: Call, names: dict[str, str], name: str, start: str | None
) -> Reply:
    repository, _ = service.repository(call)
    if call.method == "DELETE":
        if names.pop(name, None) is None:
            raise Refusal(404, f"Reference does not exist: {name}", "RevisionNotFound")
        return json_reply({})
    if name in names:
        raise Refusal(409, f"Reference already exists: {name}")
    asked = call.json() if call.body else {}
    names[name] = service.at(repository, asked.get("startingPoint") or start or "main").id
    return json_reply({}, 201)


def validate_yaml(_: Service, call: Call) -> Reply:
    """Answer what is wrong with the metadata of a card."""
    errors, warnings = validate(call.json()["content"])
    answer = {
        "errors": [{"message": text} for text in errors],
        "warnings": [{"message": text} for text in warnings],
    }
    return json_reply(answer, 400 if errors else 200)


def preupload(service: Service, call: Call) -> Reply:
    """Answer how each file is to be uploaded, and what is under its path now."""
    repository = service.proposable(call)
    commit = service.at(repository, call.place["revision"])
    return json_reply(
        {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if _needs_lfs(file) else "regular",
                    "shouldIgnore": False,
                    "oid": _present(commit.tree.get(file["path"])),
                }
                for file in call.json()["files"]
            ]
        }
    )


def _needs_lfs(file: Mapping[str, Any]) -> bool:
    binary = b"\0" in base64.b64decode(file["sample"])
    return file["path"].endswith(LFS_SUFFIXES) or file["size"] > _LFS_BYTES or binary


def _present(entry: Entry | None) -> str | None:
    if entry is None:
        return None
    return entry.sha256 if entry.lfs else entry.oid


def lfs_batch(service: Service, call: Call) -> Reply:
    """Answer where objects are to be uploaded; those that are here already need not be."""
    repository = service.writable(call)
    asked = call.json()
    xet = service.xet is not None and "xet" in asked.get("transfers", [])
    objects = []
    for item in asked["objects"]:
        answer: dict[str, Any] = {"oid": item["oid"], "size": item["size"]}
        if item["oid"] not in repository.objects:
            href = f"{service.url}/lfs/{repository.id}/{item['oid']}"
            answer["actions"] = {"upload": {"href": href, "header": {}}}
        objects.append(answer)
    return json_reply({"transfer": "xet" if xet else "basic", "objects": objects})


def lfs_put(service: Service, call: Call) -> Reply:
    """Keep an object; its address is the permission, as with signed URLs."""
    repository = service.store.repositories.get(call.place["repo"])
    oid = call.place["oid"]
    if repository is None or hashlib.sha256(call.body).hexdigest() != oid:
        raise Refusal(400, "The content does not have the hash in the address")
    service.store.add(call.body, lfs=True)
    repository.objects.add(oid)
    return Reply(200, b"", {"ETag": f'"{oid}"'})


def xet_token(service: Service, call: Call) -> Reply:
    """Answer where the Xet client stores its chunks: a folder of this machine."""
    if call.place["access"] == "write":
        service.proposable(call)
    else:
        service.repository(call)
    if service.xet is None:
        raise Refusal(404, "This hub has no Xet storage")
    answer = {"casUrl": f"local://{service.xet.folder}", "accessToken": "none", "exp": _NEVER}
    headers = {
        "X-Xet-Cas-Url": answer["casUrl"],
        "X-Xet-Access-Token": answer["accessToken"],
        "X-Xet-Token-Expiration": str(_NEVER),
    }
    return json_reply(answer, headers={key: str(value) for key, value in headers.items()})


def commit(service: Service, call: Call) -> Reply:
    """Make a commit, on a branch or as a pull request."""
    repository = service.proposable(call)
    name = call.place["revision"]
    head = service.at(repository, name)
    if name not in repository.branches and not call.flag("create_pr"):
        raise Refusal(404, f"No branch: {name}", "RevisionNotFound")
    operations = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    header = next(item["value"] for item in operations if item["key"] == "header")
    if not head.id.startswith(header.get("parentCommit") or ""):
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    changes: dict[str, Entry | None] = {}
    for item in operations:
        changes |= _change(service, repository, item["key"], item["value"], head.tree)
    pull = None
    if call.flag("create_pr"):
        pull = 1 + sum(ref.startswith("refs/pr/") for ref in repository.branches)
        name = f"refs/pr/{pull}"
        repository.branches[name] = head.id
    account = check_signed_in(service.account(call))
    made = service.commit(
        repository,
        changes,
        branch=name,
        title=header["summary"],
        description=header.get("description") or "",
        author=account.name,
    )
    url = f"{service.url}/datasets/{repository.id}"
    return json_reply(
        {
            "success": True,
            "commitOid": made.id,
            "commitUrl": f"{url}/commit/{made.id}",
            "pullRequestUrl": None if pull is None else f"{url}/discussions/{pull}",
        }
    )


def _change(
    service: Service,
    repository: Repository,
    key: str,
    value: Mapping[str, Any],
    tree: Mapping[str, Entry],
) -> dict[str, Entry | None]:
    match key:
        case "header":
            return {}
        case "file":
            return {value["path"]: _regular(service, value)}
        case "lfsFile":
            return {value["path"]: _uploaded(service, repository, value)}
        case "deletedFile" | "deletedFolder":
            gone = dict.fromkeys(_below(value["path"], tree, folder=key == "deletedFolder"))
            if not gone:
                raise Refusal(404, f"{value['path']} does not exist", "EntryNotFound")
            return gone
        case _:
            raise Refusal(400, f"Unknown operation: {key}")


def _below(path: str, tree: Mapping[str, Entry], *, folder: bool) -> Iterator[str]:
    prefix = path.rstrip("/") + "/"
    return (known for known in tree if (known.startswith(prefix) if folder else known == path))


def _regular(service: Service, value: Mapping[str, Any]) -> Entry:
    content = value["content"].encode()
    if value.get("encoding") == "base64":
        content = base64.b64decode(content)
    if value["path"] == "README.md" and (errors := validate(content.decode(errors="replace"))[0]):
        raise Refusal(400, f"Invalid metadata in README.md: {'; '.join(errors)}")
    return service.store.add(content, lfs=False)


def _uploaded(service: Service, repository: Repository, value: Mapping[str, Any]) -> Entry:
    """Return the entry of an LFS object.

    Raises:
        Refusal: If the object was never uploaded to this repository.
    """
    oid = value["oid"]
    size = service.store.size(oid) if oid in repository.objects else None
    if size is None and service.xet is not None and service.xet.holds(oid):
        size = value["size"]
    if size is None or size != value.get("size", size):
        message = (
            "Your push was rejected because an LFS pointer pointed to a file that does not exist."
            f" Offending file: - {value['path']}"
        )
        raise Refusal(400, message)
    return lfs_entry(oid, size)
