import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rawshelf.errors import HubError, VerificationError
from rawshelf.publish import PushOptions, push
from rawshelf.retry import Retry
from tests.hub import Fault
from tests.publishing import REPO, Desk, agree, build, copied, desk, local, written

CARD = "README.md"
DATA = "data/default/test-00000-of-00001.parquet"
NOTES = {"notes.txt": b"mine"}


@pytest.fixture
def me() -> Iterator[Desk]:
    with desk() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sketches")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """Return a build with both configs."""
    return build("imagenet_sketch", folder)


@pytest.fixture(scope="module")
def other(folder: Path) -> Path:
    """Return another build of the same release, with one config in another order."""
    return build("imagenet_sketch", folder, "default", order="release")


FAULTS = {
    "conflict": Fault(status=409),
    "stale": Fault(status=412),
    "limit": Fault.rate_limit(),
    "error": Fault(status=500),
    "unavailable": Fault(status=503),
    "cut before": Fault(cut="before"),
    "cut in upload": Fault(cut="upload"),
    "cut after": Fault(cut="after"),
    "cut in answer": Fault(cut="answer"),
    "foreign": Fault(foreign={"more.txt": b"theirs"}),
}


# Requests that name no repository: nobody can commit to one just before them.
NOWHERE = {"whoami", "create", "validate-yaml"}


def _laid(me: Desk, out: Path) -> None:
    """Let the repository hold a build, as a push would leave it, and a file of somebody else."""
    me.hub.create(REPO, private=True)
    me.hub.commit(REPO, {**local(out), **NOTES})


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small build of three shards."""
    return build("spair71k", tmp_path_factory.mktemp("pairs"), "pairs")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return another one, of the same dataset."""
    return build("spair71k", tmp_path_factory.mktemp("images"), "images")


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client itself not wait between its attempts; nobody hands it a clock."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


def _sweep(name: str, out: Path, before: Path | None) -> None:
    """Push with one fault, at each request of an undisturbed push in turn."""
    with desk() as me:
        _begin(me, name, before)
        me.push(out)
        numbers = [r.number for r in me.hub.requests if name != "foreign" or r.kind not in NOWHERE]

    assert len(numbers) > 10
    for number in numbers:
        with desk() as me:
            _begin(me, name, before)
            me.hub.inject(replace(FAULTS[name], request=number))
            _survives(me, out, before, set(FAULTS[name].foreign or ()))
            assert [] == me.hub.pending


def _begin(me: Desk, name: str, before: Path | None) -> None:
    if before is not None:
        _laid(me, before)
    elif name == "foreign":
        me.hub.create(REPO, private=True)
    me.hub.reset_requests()


def _survives(me: Desk, out: Path, before: Path | None, theirs: set[str]) -> None:
    """Push, again if need be, and look at what is there after each."""
    try:
        me.push(out)
    except HubError:
        held = me.hub.files(REPO) if me.hub.exists(REPO) else {}
        ours = {path: held[path] for path in held if path == CARD or path.startswith("data/")}
        # All of the new, or all of the old: nobody ever sees a mixture.
        assert ours in [_visible(out), _visible(before)]
        me.push(out)
    # What others had put there, or put there in between, has stayed.
    assert me.holds(out) == (set(NOTES) if before else set()) | theirs


def _visible(out: Path | None) -> dict[str, bytes]:
    files = {} if out is None else local(out)
    return {path: data for path, data in files.items() if path != "manifest.json"}


@pytest.mark.slow
@pytest.mark.usefixtures("no_sleep")
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.fault(33, only="limit|error|unavail|cut")
@pytest.mark.fault(34, only="conflict|stale|foreign")
@pytest.mark.fault(36, only="cut")
def test_a_first_push_survives_a_fault_of_any_request(name: str, pairs: Path) -> None:
    """By itself, or when it is started again; the repository is never half-made."""
    _sweep(name, pairs, None)


@pytest.mark.slow
@pytest.mark.usefixtures("no_sleep")
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.fault(33, only="limit|error|unavail|cut")
@pytest.mark.fault(34, only="conflict|stale|foreign")
@pytest.mark.fault(36, only="cut")
def test_a_later_push_survives_a_fault_of_any_request(name: str, pairs: Path, images: Path) -> None:
    """The old build stands until the new one does, and the files of others stay."""
    _sweep(name, pairs, images)


@pytest.mark.fault(33)
def test_a_commit_whose_answer_was_lost_is_not_made_twice(me: Desk, whole: Path) -> None:
    """The repository is read first, and holds the build."""
    me.hub.inject(Fault(kind="commit", cut="after"))

    done = me.push(whole)

    assert [done.commit] == [commit.id for commit in me.hub.commits(REPO)[1:]]
    assert 1 == written(me.hub).count("commit")


@pytest.mark.fault(33)
def test_a_pull_request_whose_answer_was_lost_is_not_opened_twice(me: Desk, whole: Path) -> None:
    """It is found by its title and author."""
    me.hub.create(REPO, private=True)
    me.hub.inject(Fault(kind="commit", cut="after"))

    done = me.push(whole, PushOptions(pull_request=True))

    assert done.url.endswith("/discussions/1")
    assert 1 == written(me.hub).count("commit")


@pytest.mark.fault(36)
def test_a_push_goes_on_where_it_was_stopped(me: Desk, whole: Path) -> None:
    """What the Hub has is not sent again; before the commit nothing was to be seen."""

    def interrupted(work: str, done: int, _: int) -> None:
        if work == "sending" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(str(whole), REPO, confirm=agree, api=me.api(), advance=interrupted)
    assert {".gitattributes"} == set(me.hub.files(REPO))
    me.hub.reset_requests()

    me.push(whole)

    assert 1 == written(me.hub).count("lfs-put")
    assert set() == me.holds(whole)


@pytest.mark.parametrize("status", [409, 412, 429, 500, 503])
@pytest.mark.fault(33)
def test_commits_are_tried_again_with_growing_random_pauses(
    status: int, me: Desk, whole: Path
) -> None:
    """Four refusals in a row; the commit carries the head that was read after each."""
    me.hub.inject(Fault(kind="commit", status=status, times=4))

    me.push(whole)

    assert 5 == written(me.hub).count("commit")
    assert [2.0**power for power in range(4)] == [_ceiling(pause) for pause in me.waits]


def _ceiling(pause: float) -> float:
    return next(limit for limit in (1.0, 2.0, 4.0, 8.0, 16.0) if limit / 2 <= pause <= limit)


@pytest.mark.fault(33)
def test_the_number_of_attempts_is_bounded(me: Desk, whole: Path) -> None:
    """The error says that nothing was committed, and how to go on."""
    me.hub.inject(Fault(kind="commit", status=412, times=100))

    with pytest.raises(HubError, match="nothing was committed"):
        me.push(whole)

    assert me.retry.attempts == written(me.hub).count("commit")
    assert {".gitattributes"} == set(me.hub.files(REPO))


@pytest.mark.fault(33)
def test_the_hub_says_how_long_to_wait(me: Desk, whole: Path) -> None:
    """As seconds, by whichever of its headers."""
    limit = Fault.rate_limit("commit", seconds=40)
    me.hub.inject(limit)
    me.hub.inject(replace(limit, nth=2, headers={"RateLimit": '"api";r=0;t=50'}))
    me.hub.inject(replace(limit, nth=3, headers={"Retry-After": "not a date"}))

    me.push(whole)

    assert [40.0, 51.0] == me.waits[:2]
    assert me.waits[2] <= 4


@pytest.mark.fault(33)
def test_nobody_waits_for_an_hour(me: Desk, whole: Path) -> None:
    """A long wait is told instead."""
    me.hub.inject(Fault.rate_limit("commit", seconds=3600))

    with pytest.raises(HubError, match="429"):
        me.push(whole)

    assert [] == me.waits


@pytest.mark.fault(34)
def test_a_foreign_commit_in_between_is_kept(me: Desk, whole: Path) -> None:
    """The commit names its parent, so that the Hub refuses it, and it is planned anew."""
    me.hub.create(REPO, private=True)
    me.hub.inject(Fault(kind="commit", foreign=NOTES))

    me.push(whole)

    assert {"notes.txt"} == me.holds(whole)
    assert 2 == written(me.hub).count("commit")
    assert 2 == written(me.hub).count("lfs-put")


@pytest.mark.fault(34)
def test_a_card_edited_in_between_is_not_lost(me: Desk, whole: Path, other: Path) -> None:
    """Also where the edit comes after everything was planned and sent."""
    _laid(me, whole)
    edited = local(whole)[CARD] + b"\nThanks.\n"
    me.hub.inject(Fault(kind="commit", foreign={CARD: edited}))

    with pytest.raises(HubError, match="--overwrite-card"):
        me.push(other)

    assert edited == me.hub.files(REPO)[CARD]


@pytest.mark.fault(34)
def test_of_two_pushes_at_once_one_wins_whole(me: Desk, whole: Path, other: Path) -> None:
    """The other is told, and does not mix its files with those of the first."""
    me.hub.create(REPO, private=True)
    me.hub.inject(Fault(kind="commit", foreign=local(whole)))

    with pytest.raises(HubError, match="Another build was pushed meanwhile"):
        me.push(other)
    assert set() == me.holds(whole)

    me.push(other)
    assert set() == me.holds(other)


@pytest.mark.fault(34)
def test_two_pushes_of_one_build_at_once_agree(me: Desk, whole: Path) -> None:
    """The slower one finds that all is done."""
    me.hub.create(REPO, private=True)
    me.hub.inject(Fault(kind="commit", foreign=local(whole)))

    me.push(whole)

    assert set() == me.holds(whole)
    assert 1 == written(me.hub).count("commit")


@pytest.mark.fault(36)
def test_a_build_that_changes_while_it_is_pushed_is_not_committed(
    me: Desk, whole: Path, tmp_path: Path
) -> None:
    """What is sent has the hash that was verified."""
    out = copied(whole, tmp_path)

    def damage(_: object) -> bool:
        (out / DATA).write_bytes((out / DATA).read_bytes()[::-1])
        return True

    with pytest.raises(VerificationError, match="changed while it was pushed"):
        push(str(out), REPO, confirm=damage, api=me.api(), retry=me.retry)

    assert "commit" not in written(me.hub)


@pytest.mark.parametrize(
    ("user", "write"), [("me", False), ("somebody", True), ("somebody", False)]
)
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.fault(35)
def test_a_token_without_the_right_is_refused_before_anything_is_sent(
    user: str, write: bool, exists: bool, me: Desk, whole: Path
) -> None:
    """The remedy is a token that has it."""
    if exists:
        me.hub.create(REPO)
    token = me.hub.user(user, write=write)

    with pytest.raises(HubError, match=r"hf auth login") as caught:
        me.push(whole, PushOptions(public=True), token=token)

    assert 7 == caught.value.exit_code
    assert {"lfs-batch", "lfs-put", "commit"}.isdisjoint(written(me.hub))
    assert token not in str(caught.value)


@pytest.mark.fault(35)
def test_a_token_that_is_not_valid_is_refused(me: Desk, whole: Path) -> None:
    """By the first request."""
    with pytest.raises(HubError, match="hf auth login") as caught:
        me.push(whole, token="hf_expired0000")  # noqa: S106 - no token

    assert "hf_expired0000" not in str(caught.value)
    assert ["whoami"] == [request.kind for request in me.hub.requests]


@pytest.mark.fault(35)
def test_a_gated_repository_is_refused_with_where_to_ask(me: Desk, whole: Path) -> None:
    """Its manifest cannot be read, so nothing is known of what a push would replace."""
    _laid(me, whole)
    me.hub.create("they/data", gated=True)
    me.hub.commit("they/data", local(whole))

    with pytest.raises(HubError, match="gated"):
        push(
            str(whole),
            "they/data",
            PushOptions(public=True),
            confirm=agree,
            api=me.api(),
            retry=Retry(sleep=me.waits.append),
        )


@pytest.mark.fault(33)
def test_a_hub_that_is_not_there_is_told(me: Desk, whole: Path) -> None:
    """After as many attempts as always."""
    api = me.api()
    api.endpoint = "http://127.0.0.1:9"

    with pytest.raises(HubError, match="Run the same command again"):
        push(str(whole), REPO, confirm=agree, api=api, retry=me.retry)

    assert me.retry.attempts - 1 == len(me.waits)
