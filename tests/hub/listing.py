"""Endpoints that read: repositories, their history, trees and files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.hub.accounts import check_content, check_signed_in, check_writable
from tests.hub.cards import CardError, front_matter
from tests.hub.protocol import Call, Refusal, Reply, json_reply
from tests.hub.service import Service
from tests.hub.store import Commit, Entry, Repository, git_blob, pointer

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def whoami(service: Service, call: Call) -> Reply:
    """Answer whose token it is."""
    account = check_signed_in(service.account(call))
    return json_reply(
        {
            "type": "user",
            "name": account.name,
            "fullname": account.name,
            "orgs": [
                {"type": "org", "name": name, "roleInOrg": "write"}
                for name in account.organisations
            ],
            "auth": {
                "type": "access_token",
                "accessToken": {
                    "displayName": "tests",
                    "role": "write" if account.write else "read",
                },
            },
        }
    )


def info(service: Service, call: Call) -> Reply:
    """Answer what a repository is and holds."""
    repository, commit = service.commit_of(call)
    blobs = call.flag("blobs")
    return json_reply(
        {
            "id": repository.id,
            "author": repository.owner,
            "sha": commit.id,
            "createdAt": _date(next(iter(repository.history.values()))),
            "lastModified": _date(commit),
            "private": repository.private,
            "gated": "manual" if repository.gated else False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "cardData": _card_data(service, commit),
            "siblings": [
                {"rfilename": path, **(_blob(entry) if blobs else {})}
                for path, entry in commit.tree.items()
            ],
            "xetEnabled": service.xet is not None,
        }
    )


def auth_check(service: Service, call: Call) -> Reply:
    """Answer whether the files may be read, or the repository written to."""
    repository, account = service.repository(call)
    check_content(repository, account)
    if call.place.get("write"):
        check_writable(repository.owner, account)
    return json_reply({})


def refs(service: Service, call: Call) -> Reply:
    """Answer all branches and tags, and pull requests if they are asked for."""
    repository, _ = service.repository(call)
    pulls = {
        name: head for name, head in repository.branches.items() if name.startswith("refs/pr/")
    }
    heads = {name: head for name, head in repository.branches.items() if name not in pulls}
    found = {
        "branches": [_ref(name, f"refs/heads/{name}", head) for name, head in heads.items()],
        "tags": [_ref(name, f"refs/tags/{name}", head) for name, head in repository.tags.items()],
        "converts": [],
    }
    if call.flag("include_prs"):
        found["pullRequests"] = [_ref(name, name, head) for name, head in pulls.items()]
    return json_reply(found)


def discussions(service: Service, call: Call) -> Reply:
    """Answer the pull requests; each is open, and named after its first commit."""
    repository, _ = service.repository(call)
    merged = {commit.id for commit in repository.log(service.at(repository, "main"))}
    found = []
    for name in repository.branches:
        if name.startswith("refs/pr/"):
            steps = repository.log(service.at(repository, name))
            first = [step for step in steps if step.id not in merged][-1]
            number = int(name.removeprefix("refs/pr/"))
            found.append(_discussion(repository, first, number))
    return json_reply({"discussions": found, "count": len(found), "start": 0})


def _discussion(repository: Repository, first: Commit, number: int) -> dict[str, Any]:
    return {
        "num": number,
        "title": first.title,
        "author": {"name": first.author},
        "createdAt": _date(first),
        "status": "open",
        "isPullRequest": True,
        "repo": {"name": repository.id, "type": "dataset"},
    }


def commits(service: Service, call: Call) -> Reply:
    """Answer the history of a revision, newest first."""
    repository, commit = service.commit_of(call)
    return _page(
        service,
        call,
        [
            {
                "id": step.id,
                "title": step.title,
                "message": step.description,
                "authors": [{"user": step.author}],
                "date": _date(step),
            }
            for step in repository.log(commit)
        ],
    )


def tree(service: Service, call: Call) -> Reply:
    """Answer what lies in a folder."""
    repository, commit = service.commit_of(call)
    folder = call.place.get("path") or ""
    prefix = f"{folder}/" if folder else ""
    inside = {path: entry for path, entry in commit.tree.items() if path.startswith(prefix)}
    if folder and not inside:
        raise Refusal(404, f"{folder} does not exist on {repository.id}", "EntryNotFound")
    listed = _listing(inside, prefix, recursive=call.flag("recursive"))
    if call.flag("expand"):
        listed = [_expanded(item, repository, commit) for item in listed]
    return _page(service, call, listed)


def paths_info(service: Service, call: Call) -> Reply:
    """Answer what some paths are; those that do not exist are left out."""
    repository, commit = service.commit_of(call)
    if call.headers.get("content-type", "").startswith("application/json"):
        asked = call.json()
        paths, expand = asked["paths"], bool(asked.get("expand"))
    else:
        form = parse_qs(call.body.decode())
        paths, expand = form.get("paths", []), form.get("expand", ["false"])[0].lower() == "true"
    listed = {item["path"]: item for item in _listing(commit.tree, "", recursive=True)}
    found = [listed[path] for path in paths if path in listed]
    return json_reply([_expanded(item, repository, commit) for item in found] if expand else found)


def resolve(service: Service, call: Call) -> Reply:
    """Answer the bytes of a file, or a range of them."""
    repository, commit = service.commit_of(call)
    known = {"X-Repo-Commit": commit.id}
    check_content(repository, service.account(call))
    path = call.place["path"]
    entry = commit.tree.get(path)
    if entry is None:
        raise Refusal(404, f"Entry not found: {path}", "EntryNotFound", known)
    content = service.store.read(entry)
    if content is None:
        raise Refusal(404, f"{path} is in the Xet storage, which gives no bytes back", None, known)
    headers = {
        **known,
        "ETag": f'"{entry.sha256 if entry.lfs else entry.oid}"',
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
    }
    if entry.lfs:
        headers |= {"X-Linked-Etag": f'"{entry.sha256}"', "X-Linked-Size": str(entry.size)}
    return _ranged(content, call.headers.get("range"), headers)


def _ranged(content: bytes, asked: str | None, headers: Mapping[str, str]) -> Reply:
    found = None if asked is None else _RANGE.fullmatch(asked.strip())
    if found is None or not (found[1] or found[2]):
        return Reply(200, content, headers)
    size = len(content)
    begin = int(found[1]) if found[1] else max(0, size - int(found[2]))
    end = min(int(found[2]) + 1, size) if found[1] and found[2] else size
    if begin >= size or begin >= end:
        raise Refusal(
            416, "Range not satisfiable", None, {**headers, "Content-Range": f"bytes */{size}"}
        )
    place = {"Content-Range": f"bytes {begin}-{end - 1}/{size}"}
    return Reply(206, content[begin:end], {**headers, **place})


def _listing(
    files: Mapping[str, Entry], prefix: str, *, recursive: bool
) -> Sequence[dict[str, Any]]:
    return list(_entries(files, prefix, recursive=recursive))


def _entries(
    files: Mapping[str, Entry], prefix: str, *, recursive: bool
) -> Iterator[dict[str, Any]]:
    """Yield each folder before the first file in it."""
    seen: set[str] = set()
    for path, entry in files.items():
        parts = path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            folder = prefix + "/".join(parts[:depth])
            if folder not in seen:
                seen.add(folder)
                oid = git_blob(folder.encode())
                yield {"type": "directory", "path": folder, "size": 0, "oid": oid}
        if recursive or len(parts) == 1:
            yield {"type": "file", "path": path, **_blob(entry, "oid")}


def _blob(entry: Entry, name: str = "blobId") -> dict[str, Any]:
    """Return a file as info (`blobId`) or as a listing (`oid`) shows it."""
    blob: dict[str, Any] = {"size": entry.size, name: entry.oid}
    if entry.lfs:
        hashed = "oid" if name == "oid" else "sha256"
        length = len(pointer(entry.sha256, entry.size))
        blob["lfs"] = {hashed: entry.sha256, "size": entry.size, "pointerSize": length}
    return blob


def _expanded(item: dict[str, Any], repository: Repository, commit: Commit) -> dict[str, Any]:
    prefix = f"{item['path']}/"
    last = next(
        step
        for step in repository.log(commit)
        if any(path == item["path"] or path.startswith(prefix) for path in step.paths)
    )
    return {**item, "lastCommit": {"id": last.id, "title": last.title, "date": _date(last)}}


def _page(service: Service, call: Call, items: Sequence[Any]) -> Reply:
    """Answer one page, with a link to the next as the Hub gives it."""
    begin = int(call.option("cursor") or 0)
    end = begin + service.page_size
    if end >= len(items):
        return json_reply(items[begin:])
    query = {name: values[-1] for name, values in parse_qs(call.query).items() if name != "cursor"}
    url = f"{service.url}{call.place['raw']}?{urlencode({**query, 'cursor': end})}"
    return json_reply(items[begin:end], headers={"Link": f'<{url}>; rel="next"'})


def _ref(name: str, ref: str, head: str) -> dict[str, str]:
    return {"name": name, "ref": ref, "targetCommit": head}


def _card_data(service: Service, commit: Commit) -> dict[str, Any] | None:
    entry = commit.tree.get("README.md")
    content = None if entry is None else service.store.read(entry)
    try:
        return None if content is None else front_matter(content.decode(errors="replace"))
    except CardError:
        return None


def _date(commit: Commit) -> str:
    return commit.date.strftime("%Y-%m-%dT%H:%M:%S.000Z")
