"""The local Hub under `HfApi`: what it takes, whom it lets in, what it says."""

import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub import Hub
from tests.hub.client import online

CARD = b"---\nconfigs:\n- config_name: default\n  data_files: data/*.parquet\n---\n"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub(page_size=3) as hub, online(hub):
        yield hub


@pytest.fixture
def repo(hub: Hub, request: pytest.FixtureRequest) -> str:
    """Return a repository of the test's own."""
    name = f"me/{request.node.name.partition('[')[0][5:]}"
    hub.create(name)
    hub.reset_requests()
    return name


@pytest.fixture(scope="module")
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.user("me", organisations=("lab",)))


@pytest.fixture(scope="module")
def reader(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.user("me", write=False))


@pytest.fixture(scope="module")
def stranger(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.user("you"))


@pytest.fixture(scope="module")
def nobody(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return int(error.value.response.status_code)


def test_upload_folder_and_nothing_to_do(hub: Hub, api: HfApi, repo: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_bytes(CARD)
    (tmp_path / "data" / "a.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty.txt").write_bytes(b"")
    for _ in range(2):
        api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=tmp_path)
    assert {path for path in hub.files(repo) if path != ".gitattributes"} == {
        "README.md",
        "data/a.parquet",
        "empty.txt",
    }
    assert len(hub.commits(repo)) == 2
    puts = [request for request in hub.requests if request.kind == "lfs-put"]
    assert [(request.received, request.status) for request in puts] == [(4, 200)]


def test_listings_come_in_pages(hub: Hub, api: HfApi, repo: str) -> None:
    files = {f"a/{name}.txt": name.encode() for name in "bcdefgh"}
    hub.commit(repo, {**files, "b/x/y.parquet": b"PAR1"})
    listed = list(api.list_repo_tree(repo, repo_type="dataset", recursive=True))
    assert [item.path for item in listed] == [
        ".gitattributes",
        "a",
        *files,
        "b",
        "b/x",
        "b/x/y.parquet",
    ]
    assert sum(request.kind == "tree" for request in hub.requests) == 4
    top = api.list_repo_tree(repo, repo_type="dataset", expand=True)
    assert {item.path for item in top} == {".gitattributes", "a", "b"}
    below: Any = list(api.list_repo_tree(repo, "b/x", repo_type="dataset"))
    assert below[0].lfs.sha256 == hashlib.sha256(b"PAR1").hexdigest()
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(repo, "c", repo_type="dataset"))


def test_paths_info_leaves_out_what_is_missing(hub: Hub, api: HfApi, repo: str) -> None:
    made = hub.commit(repo, {"a/b.txt": b"1"}, title="One file")
    found: Any = api.get_paths_info(repo, ["a", "a/b.txt", "c"], repo_type="dataset", expand=True)
    assert [item.path for item in found] == ["a", "a/b.txt"]
    assert [item.last_commit.title for item in found] == ["One file"] * 2
    assert found[1].last_commit.oid == made.id
    # As `git hash-object` gives it for this content.
    assert found[1].blob_id == "56a6051ca2b02b04ef92d5150c9ef600403cb1de"


def test_revisions(hub: Hub, api: HfApi, repo: str, tmp_path: Path) -> None:
    old = hub.commit(repo, {"a.txt": b"old"})
    hub.commit(repo, {"a.txt": b"new"})
    api.create_branch(repo, branch="side/way", revision=old.id, repo_type="dataset")
    api.create_tag(repo, tag="v1", revision="side/way", repo_type="dataset")
    with pytest.raises(HfHubHTTPError) as error:
        api.create_branch(repo, branch="side/way", repo_type="dataset")
    assert status(error) == 409
    refs = api.list_repo_refs(repo, repo_type="dataset")
    assert {ref.name for ref in refs.branches} == {"main", "side/way"}
    assert [ref.target_commit for ref in refs.tags] == [old.id]
    for revision, content in (
        ("main", b"new"),
        ("v1", b"old"),
        ("side/way", b"old"),
        (old.id, b"old"),
    ):
        path = api.hf_hub_download(
            repo, "a.txt", repo_type="dataset", revision=revision, cache_dir=tmp_path
        )
        assert Path(path).read_bytes() == content
    assert [item.commit_id for item in api.list_repo_commits(repo, repo_type="dataset")] == [
        commit.id for commit in hub.commits(repo)[::-1]
    ]
    api.delete_tag(repo, tag="v1", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(repo, revision="v1")


def test_a_commit_adds_and_deletes(hub: Hub, api: HfApi, repo: str) -> None:
    hub.commit(repo, {"a/1.txt": b"1", "a/2.txt": b"2", "b/1.txt": b"1", "c.txt": b"1"})
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationDelete("a/"),
        CommitOperationDelete("c.txt"),
        add("README.md", b"---\nlicense: mit\n---\n"),
        add("d.parquet", b"PAR1"),
    ]
    done = api.create_commit(repo, operations, commit_message="Tidy", repo_type="dataset")
    last = hub.commits(repo)[-1]
    assert (done.oid, last.title) == (last.id, "Tidy")
    assert sorted(last.tree) == [".gitattributes", "README.md", "b/1.txt", "d.parquet"]
    assert sorted(last.paths) == ["README.md", "a/1.txt", "a/2.txt", "c.txt", "d.parquet"]
    with pytest.raises(EntryNotFoundError):
        api.delete_file("c.txt", repo, repo_type="dataset")


def test_a_stale_parent_is_refused(hub: Hub, api: HfApi, repo: str) -> None:
    parent = hub.commits(repo)[-1].id
    hub.commit(repo, {"a.txt": b"theirs"})
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as error:
        api.create_commit(
            repo,
            [add("a.txt", b"mine")],
            commit_message="Mine",
            parent_commit=parent,
            repo_type="dataset",
        )
    assert status(error) == 412
    assert hub.files(repo)["a.txt"] == b"theirs"


def test_a_pull_request_is_a_branch(hub: Hub, stranger: HfApi, repo: str) -> None:
    done = stranger.create_commit(
        repo, [add("a.txt", b"1")], commit_message="Propose", create_pr=True, repo_type="dataset"
    )
    assert (done.pr_revision, done.pr_num) == ("refs/pr/1", 1)
    assert "a.txt" not in hub.files(repo)
    assert hub.files(repo, "refs/pr/1")["a.txt"] == b"1"
    assert "a.txt" in stranger.list_repo_files(repo, revision="refs/pr/1", repo_type="dataset")
    with pytest.raises(HfHubHTTPError) as error:
        stranger.create_commit(
            repo, [add("a.txt", b"1")], commit_message="Force", repo_type="dataset"
        )
    assert status(error) == 403


def test_an_object_that_was_not_uploaded_is_refused(hub: Hub, api: HfApi, repo: str) -> None:
    operation = add("a.parquet", b"PAR1")
    operation._upload_mode, operation._is_uploaded = "lfs", True
    operation._should_ignore = False
    with pytest.raises(HfHubHTTPError, match="a file that does not exist") as error:
        api.create_commit(repo, [operation], commit_message="No bytes", repo_type="dataset")
    assert status(error) == 400
    assert len(hub.commits(repo)) == 1


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("a: [", "no valid YAML"),
        ("a: 1\na: 2", "duplicated mapping key 'a'"),
        ("- a", "the metadata is no mapping"),
        ("license: 1", '"license" must be a string'),
        ("configs: {}", '"configs" must be a list'),
        ("configs:\n- data_files: x", "config_name"),
        ("configs:\n- config_name: a\n- config_name: a", "names a config twice"),
    ],
)
def test_bad_metadata_is_refused(api: HfApi, hub: Hub, metadata: str, message: str) -> None:
    repo = "me/metadata"
    api.create_repo(repo, repo_type="dataset", exist_ok=True)
    with pytest.raises(ValueError, match="Invalid metadata") as error:
        api.create_commit(
            repo,
            [add("README.md", f"---\n{metadata}\n---\n".encode())],
            commit_message="Card",
            repo_type="dataset",
        )
    assert message in str(error.value)
    assert "README.md" not in hub.files(repo)


def test_metadata_that_is_missing_is_warned_of(api: HfApi, repo: str) -> None:
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        api.create_commit(
            repo, [add("README.md", b"Text")], commit_message="Card", repo_type="dataset"
        )


@pytest.mark.parametrize(
    ("changes", "violation"),
    [
        ({"README.md": CARD}, "config 'default' names 'data/*.parquet', which matches no file"),
        ({"manifest.json": b'{"files": [{"path": "a", "sha256": "0"}]}'}, "a is not there"),
        (
            {"a": b"1", "manifest.json": b'{"files": [{"path": "a", "sha256": "0"}]}'},
            "a has other bytes",
        ),
        ({"manifest.json": b"{}"}, "manifest.json: no list of files"),
        ({"README.md": b"---\nconfigs: {}\n---\n"}, '"configs" must be a list of mappings'),
    ],
)
def test_a_violation_is_noted(changes: dict[str, bytes | None], violation: str) -> None:
    with Hub() as hub:
        hub.create("me/planted")
        sound = {"data/a.parquet": b"PAR1", "README.md": CARD}
        hub.commit("me/planted", sound, title="Sound")
        assert hub.violations == []
        hub.commit("me/planted", {**dict.fromkeys(sound), **changes}, title="Planted")
        assert len(hub.violations) == 1
        assert "(Planted)" in hub.violations[0]
        assert violation in hub.violations[0]


def test_a_repository_is_created_once(hub: Hub, api: HfApi) -> None:
    url = api.create_repo("lab/once", repo_type="dataset", private=True)
    assert (str(url), hub.private("lab/once")) == (f"{hub.url}/datasets/lab/once", True)
    assert api.create_repo("lab/once", repo_type="dataset", exist_ok=True) == url
    with pytest.raises(HfHubHTTPError) as error:
        api.create_repo("lab/once", repo_type="dataset")
    assert status(error) == 409
    api.update_repo_settings("lab/once", repo_type="dataset", private=False)
    assert not hub.private("lab/once")
    api.delete_repo("lab/once", repo_type="dataset")
    assert not hub.exists("lab/once")


def test_a_token_that_reads_cannot_write(hub: Hub, api: HfApi, reader: HfApi, repo: str) -> None:
    assert (reader.whoami()["name"], api.whoami()["orgs"][0]["name"]) == ("me", "lab")
    with pytest.raises(HfHubHTTPError, match="role write") as error:
        reader.create_commit(repo, [add("a", b"1")], commit_message="A", repo_type="dataset")
    assert status(error) == 403
    with pytest.raises(HfHubHTTPError) as error:
        reader.create_repo("me/new", repo_type="dataset")
    assert (status(error), hub.exists("me/new")) == (403, False)
    address = f"/api/datasets/{repo}/auth-check/write"
    for client, expected in ((api, 200), (reader, 403)):
        headers = {"Authorization": f"Bearer {client.token}"}
        connection = http.client.HTTPConnection(urlsplit(hub.url).netloc)
        connection.request("GET", address, headers=headers)
        assert connection.getresponse().status == expected
        connection.close()


def test_no_one_writes_to_what_is_others(nobody: HfApi, stranger: HfApi, repo: str) -> None:
    for client, expected in ((stranger, 403), (nobody, 401)):
        with pytest.raises(HfHubHTTPError) as error:
            client.create_commit(repo, [add("a", b"1")], commit_message="A", repo_type="dataset")
        assert status(error) == expected


def test_a_wrong_token_is_told(hub: Hub, repo: str) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as error:
        HfApi(endpoint=hub.url, token="hf_wrong").dataset_info(repo)  # noqa: S106
    assert status(error) == 401


def test_private_and_missing_look_the_same(
    hub: Hub, api: HfApi, stranger: HfApi, nobody: HfApi
) -> None:
    hub.create("me/secret", private=True)
    assert api.dataset_info("me/secret").private
    for name in ("me/secret", "me/none"):
        for client, expected in ((stranger, 404), (nobody, 401)):
            with pytest.raises(RepositoryNotFoundError) as error:
                client.dataset_info(name)
            assert status(error) == expected
            with pytest.raises(RepositoryNotFoundError):
                list(client.list_repo_tree(name, repo_type="dataset"))


def test_a_gated_repository_shows_no_files_to_others(
    hub: Hub, stranger: HfApi, nobody: HfApi, tmp_path: Path
) -> None:
    hub.create("me/gated", gated=True)
    assert nobody.dataset_info("me/gated").gated == "manual"
    for client, expected in ((stranger, 403), (nobody, 401)):
        with pytest.raises(GatedRepoError) as error:
            client.auth_check("me/gated", repo_type="dataset")
        assert status(error) == expected
        with pytest.raises(GatedRepoError):
            client.hf_hub_download(
                "me/gated", ".gitattributes", repo_type="dataset", cache_dir=tmp_path
            )
    hub.grant("me/gated", "you")
    assert stranger.hf_hub_download(
        "me/gated", ".gitattributes", repo_type="dataset", cache_dir=tmp_path
    )
