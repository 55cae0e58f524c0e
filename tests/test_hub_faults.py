"""The faults of the local Hub, and its HTTP where the clients do not look."""

import hashlib
import http.client
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.hub import Fault, Hub
from tests.hub.client import online

REPO = "me/a"
CONTENT = bytes(range(256)) * 1024
# Whether the client knows the headers of rate limits and takes up downloads where they broke.
NEWER = int(metadata.version("huggingface_hub").split(".")[0]) >= 2


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub, online(hub):
        hub.create(REPO)
        yield hub
        assert hub.pending == []


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.user("me"))


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the client wait no time, and return how long it wanted to."""
    waited: list[float] = []
    clock = SimpleNamespace(**{**vars(time), "sleep": waited.append})
    monkeypatch.setattr("huggingface_hub.utils._http.time", clock)
    return waited


@pytest.fixture
def raw(hub: Hub) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", int(hub.url.rpartition(":")[2]))
    yield connection
    connection.close()


def upload(api: HfApi, path: str = "a.parquet", parent: str | None = None) -> None:
    api.create_commit(
        REPO,
        [CommitOperationAdd(path, CONTENT)],
        commit_message="Mine",
        parent_commit=parent,
        repo_type="dataset",
    )


def statuses(hub: Hub, kind: str) -> list[int | None]:
    return [request.status for request in hub.requests if request.kind == kind]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_goes_by(hub: Hub, api: HfApi, status: int) -> None:
    hub.inject(Fault(kind="lfs-put", status=status, times=2))
    upload(api)
    assert statuses(hub, "lfs-put") == [status, status, 200]
    assert hub.files(REPO)["a.parquet"] == CONTENT


@pytest.mark.parametrize("status", [409, 412, 429, 503])
def test_a_refused_commit_changes_nothing(hub: Hub, api: HfApi, status: int) -> None:
    hub.inject(Fault(kind="commit", status=status))
    with pytest.raises(HfHubHTTPError) as error:
        upload(api)
    assert error.value.response.status_code == status
    assert len(hub.commits(REPO)) == 1


@pytest.mark.skipif(not NEWER, reason="huggingface_hub 0.x does not read these headers")
def test_a_rate_limit_says_how_long(hub: Hub, api: HfApi, waits: list[float]) -> None:
    hub.inject(Fault.rate_limit("preupload", seconds=7))
    upload(api)
    assert statuses(hub, "preupload") == [429, 200]
    assert waits == [8.0]


def test_a_rate_limit_carries_its_headers(hub: Hub, raw: http.client.HTTPConnection) -> None:
    hub.inject(Fault.rate_limit(seconds=7))
    raw.request("GET", f"/api/datasets/{REPO}")
    answer = raw.getresponse()
    assert answer.status == 429
    assert answer.headers["RateLimit"] == '"api";r=0;t=7'
    assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize(("cut", "commits"), [("before", 1), ("after", 2)])
def test_a_commit_without_an_answer(hub: Hub, api: HfApi, cut: str, commits: int) -> None:
    hub.inject(Fault(kind="commit", cut=cut))  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"(?i)disconnected|reset|aborted"):
        upload(api)
    assert statuses(hub, "commit") == [None]
    assert len(hub.commits(REPO)) == commits


def test_an_upload_that_breaks_is_begun_again(hub: Hub, api: HfApi) -> None:
    hub.inject(Fault(method="PUT", cut="upload"))
    upload(api)
    puts = [request for request in hub.requests if request.method == "PUT"]
    assert [(put.status, put.received) for put in puts] == [
        (None, len(CONTENT) // 2),
        (200, len(CONTENT)),
    ]
    assert hub.files(REPO)["a.parquet"] == CONTENT


def test_an_answer_that_breaks(hub: Hub, raw: http.client.HTTPConnection) -> None:
    hub.commit(REPO, {"a.parquet": CONTENT})
    hub.inject(Fault(kind="resolve", cut="answer"))
    raw.request("GET", f"/datasets/{REPO}/resolve/main/a.parquet")
    with pytest.raises(http.client.IncompleteRead) as error:
        raw.getresponse().read()
    assert error.value.partial == CONTENT[: len(CONTENT) // 2]
    assert [(request.status, request.sent) for request in hub.requests] == [(200, 131072)]


@pytest.mark.skipif(not NEWER, reason="huggingface_hub 0.x gives up where an answer ends early")
def test_a_download_that_breaks_is_taken_up(
    hub: Hub, api: HfApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1024)
    hub.commit(REPO, {"a.parquet": CONTENT})
    hub.inject(Fault(kind="resolve", method="GET", cut="answer"))
    path = api.hf_hub_download(REPO, "a.parquet", repo_type="dataset", cache_dir=tmp_path)
    assert Path(path).read_bytes() == CONTENT
    gets = [request for request in hub.requests if request.method == "GET"]
    assert [(get.status, get.sent, get.range) for get in gets] == [
        (200, 131072, None),
        (206, 131072, "bytes=131072-"),
    ]


def test_somebody_is_faster(hub: Hub, api: HfApi) -> None:
    parent = hub.commits(REPO)[-1].id
    hub.inject(Fault(kind="commit", foreign={"b.txt": b"theirs"}))
    with pytest.raises(HfHubHTTPError, match="A commit has happened since"):
        upload(api, parent=parent)
    assert [commit.title for commit in hub.commits(REPO)[1:]] == ["Somebody else's commit"]
    hub.inject(Fault(kind="commit", foreign={"b.txt": None}))
    upload(api)
    assert [commit.title for commit in hub.commits(REPO)[2:]] == ["Somebody else's commit", "Mine"]
    assert "b.txt" not in hub.files(REPO)


def test_a_delay(hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    monkeypatch.setattr("tests.hub.wire.time", SimpleNamespace(sleep=delays.append))
    hub.inject(Fault(kind="commit", delay=2.5), Fault(kind="commit", delay=0.5))
    upload(api)
    assert sum(delays) == 3.0


def test_which_request_has_the_fault(hub: Hub, api: HfApi) -> None:
    hub.inject(Fault(kind="info", nth=2, status=500))
    assert api.dataset_info(REPO).id == REPO
    with pytest.raises(HfHubHTTPError):
        api.dataset_info(REPO)
    hub.reset_requests()
    hub.inject(Fault(request=2, times=2, status=500))
    api.list_repo_refs(REPO, repo_type="dataset")
    for _ in range(2):
        with pytest.raises(HfHubHTTPError):
            api.dataset_info(REPO)
    assert [request.status for request in hub.requests] == [200, 500, 500]


def test_a_kept_connection_goes_on_after_errors(hub: Hub, raw: http.client.HTTPConnection) -> None:
    hub.inject(Fault(request=1, status=503))
    seen = []
    for method, path in (("POST", "/api/repos/create"), ("POST", "/none"), ("HEAD", "/none")):
        raw.request(method, path, body=b"x" * 100_000 if method == "POST" else None)
        answer = raw.getresponse()
        seen.append((answer.status, bool(answer.read())))
        assert int(answer.headers["Content-Length"]) > 0
    assert seen == [(503, True), (404, True), (404, False)]
    assert [request.received for request in hub.requests] == [100_000, 100_000, 0]


def test_a_body_may_come_in_chunks(hub: Hub, raw: http.client.HTTPConnection) -> None:
    oid = hashlib.sha256(CONTENT).hexdigest()
    for body, expected in ((CONTENT, 200), (CONTENT[1:], 400)):
        parts = (body[begin : begin + 5000] for begin in range(0, len(body), 5000))
        raw.request("PUT", f"/lfs/{REPO}/{oid}", body=parts, encode_chunked=True)
        answer = raw.getresponse()
        answer.read()
        assert answer.status == expected
    assert [request.received for request in hub.requests] == [len(CONTENT), len(CONTENT) - 1]


@pytest.mark.parametrize(
    ("asked", "status", "begin", "end"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=262140-", 206, 262140, 262144),
        ("bytes=-4", 206, 262140, 262144),
        ("bytes=262140-999999", 206, 262140, 262144),
        ("bytes=262144-", 416, 0, 0),
        ("bytes=0-1,5-6", 200, 0, 262144),
        (None, 200, 0, 262144),
    ],
)
def test_ranges(
    hub: Hub, raw: http.client.HTTPConnection, asked: str | None, status: int, begin: int, end: int
) -> None:
    commit = hub.commit(REPO, {"a.parquet": CONTENT})
    headers = {} if asked is None else {"Range": asked}
    raw.request("GET", f"/datasets/{REPO}/resolve/main/a.parquet", headers=headers)
    answer = raw.getresponse()
    body = answer.read()
    assert answer.status == status
    assert answer.headers["X-Repo-Commit"] == commit.id
    if status == 416:
        assert answer.headers["Content-Range"] == "bytes */262144"
    else:
        assert body == CONTENT[begin:end]
        expected = f"bytes {begin}-{end - 1}/262144" if status == 206 else None
        assert answer.headers["Content-Range"] == expected
    assert hub.requests[-1].range == asked


def test_a_missing_file_tells_the_commit(hub: Hub, raw: http.client.HTTPConnection) -> None:
    raw.request("HEAD", f"/datasets/{REPO}/resolve/main/none")
    answer = raw.getresponse()
    assert (answer.status, answer.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert answer.headers["X-Repo-Commit"] == hub.commits(REPO)[-1].id


def test_a_client_may_go_in_the_middle(hub: Hub, raw: http.client.HTTPConnection) -> None:
    # More than the buffers of both ends hold, which is what Linux lets them grow to.
    content = CONTENT * 128
    hub.commit(REPO, {"a.parquet": content})
    raw.request("GET", f"/datasets/{REPO}/resolve/main/a.parquet")
    raw.getresponse().read(10)
    raw.close()
    assert hub.requests[-1].sent < len(content)
