import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rawshelf import catalog
from rawshelf.errors import (
    HubError,
    MissingError,
    OutputError,
    RawshelfError,
    UsageError,
    VerificationError,
)
from rawshelf.proposal import Proposal
from rawshelf.publish import PushOptions, push
from rawshelf.remote import Remote
from rawshelf.verify import verify_hub
from tests.publishing import REPO, Desk, agree, build, copied, desk, local, written

DATA = "data/default/test-00000-of-00001.parquet"
QUALITY = "data/quality/test-00000-of-00001.parquet"


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


@pytest.mark.parametrize("name", catalog.names())
def test_a_repository_holds_what_was_converted(name: str, me: Desk, tmp_path: Path) -> None:
    """Every file of every dataset, in one commit of a private repository."""
    out = build(name, tmp_path)

    done = me.push(out)

    assert set() == me.holds(out)
    assert me.hub.private(REPO)
    assert [done.commit] == [commit.id for commit in me.hub.commits(REPO)[1:]]
    assert verify_hub(Remote(REPO, api=me.api()), out=str(out)).agrees


def test_a_second_push_sends_nothing_and_commits_nothing(me: Desk, whole: Path) -> None:
    """The repository says that it holds this build."""
    first = me.push(whole)
    me.hub.reset_requests()

    done = me.push(whole)

    assert [] == written(me.hub)
    assert (first.commit, False) == (done.commit, done.changed)


def test_a_dry_run_writes_nothing(me: Desk, whole: Path, other: Path) -> None:
    """It tells what would be added, and what changed, kept and deleted."""
    dry = PushOptions(dry_run=True)

    first = me.push(whole, dry)
    assert {"add": 4, "change": 0, "keep": 0, "delete": 0} == first.proposal.counts
    assert sum(map(len, local(whole).values())) == first.proposal.bytes
    assert not me.hub.exists(REPO)

    me.push(whole)
    me.hub.reset_requests()
    second = me.push(other, dry)
    assert {"add": 0, "change": 3, "keep": 0, "delete": 1} == second.proposal.counts
    assert [QUALITY] == [c.path for c in second.proposal.changes if c.action == "delete"]
    assert [] == written(me.hub)


def test_what_is_not_confirmed_is_not_written(me: Desk, whole: Path) -> None:
    """Terms and visibility are shown before the first request that changes anything."""
    shown: list[Proposal] = []

    def decline(proposal: Proposal) -> bool:
        shown.append(proposal)
        return False

    with pytest.raises(UsageError, match="Not confirmed"):
        push(str(whole), REPO, confirm=decline, api=me.api())

    assert [(True, True, False)] == [(p.private, p.restricted, p.exists) for p in shown]
    assert "Google image search" in shown[0].release.licence
    assert [] == written(me.hub)


@pytest.mark.fault(36)
def test_stale_files_go_and_those_of_others_stay(me: Desk, whole: Path, other: Path) -> None:
    """Only what an earlier manifest lists is deleted, in the commit that brings the new files."""
    me.push(whole)
    me.hub.commit(REPO, {"notes.txt": b"mine", "data/quality/notes.txt": b"mine too"})

    me.push(other)

    assert {"notes.txt", "data/quality/notes.txt"} == me.holds(other)
    assert QUALITY in me.hub.commits(REPO)[-1].paths


def test_files_that_the_card_would_read_are_refused(me: Desk, whole: Path) -> None:
    """The card's patterns would mix them into the split."""
    me.hub.create(REPO, private=True)
    me.hub.commit(REPO, {"data/default/test-mine.parquet": b"PAR1"})

    with pytest.raises(HubError, match="test-mine"):
        me.push(whole)


def test_another_dataset_is_not_replaced(me: Desk, other: Path, conversion_out: Path) -> None:
    """A wrong name of a repository costs nothing."""
    me.push(conversion_out)

    with pytest.raises(HubError, match="another dataset"):
        me.push(other)

    assert set() == me.holds(conversion_out)


@pytest.fixture(scope="module")
def conversion_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("spair71k", tmp_path_factory.mktemp("pairs"), "pairs")


@pytest.mark.fault(34)
def test_a_card_edited_on_the_hub_is_not_overwritten_unasked(
    me: Desk, whole: Path, other: Path
) -> None:
    """Whatever else somebody changed is no reason to refuse."""
    me.push(whole)
    edited = (whole / "README.md").read_bytes() + b"\nThanks to everybody.\n"
    me.hub.commit(REPO, {"README.md": edited})

    for out in (whole, other):
        with pytest.raises(HubError, match="--overwrite-card"):
            me.push(out)
    assert edited == me.hub.files(REPO)["README.md"]

    me.push(other, PushOptions(overwrite_card=True))
    assert set() == me.holds(other)


def test_a_card_edited_before_the_push_is_pushed(me: Desk, whole: Path, tmp_path: Path) -> None:
    """And pushing it once more changes nothing; a conversion's own card does not replace it."""
    mine = copied(whole, tmp_path)
    with (mine / "README.md").open("a") as card:
        card.write("\nWith regards from the converter.\n")

    me.push(mine)
    again = me.push(mine)

    assert not again.changed
    assert set() == me.holds(mine)
    with pytest.raises(HubError, match="--overwrite-card"):
        me.push(whole)


@pytest.mark.parametrize(
    ("private", "public", "refused"),
    [
        (True, None, False),
        (True, False, False),
        (True, True, True),
        (False, None, True),
        (False, False, True),
        (False, True, False),
    ],
)
def test_who_sees_a_repository_is_never_changed(
    private: bool, public: bool | None, refused: bool, me: Desk, whole: Path
) -> None:
    """Images that nobody licensed go into a public repository only if the user says so."""
    me.hub.create(REPO, private=private)
    options = PushOptions(public=public)

    if refused:
        with pytest.raises(HubError, match="who sees it"):
            me.push(whole, options)
    else:
        assert me.push(whole, options).changed
    assert private == me.hub.private(REPO)


@pytest.mark.parametrize("public", [None, True, False])
def test_a_new_repository_is_private_unless_the_user_says_public(
    public: bool | None, me: Desk, whole: Path
) -> None:
    """The default needs no knowledge of the dataset."""
    me.push(whole, PushOptions(public=public))

    assert (not public) == me.hub.private(REPO)


def test_annotations_alone_may_go_where_photographs_may_not(me: Desk, tmp_path: Path) -> None:
    """A build that holds shareable configs only is not held back from a public repository."""
    name = "partimagenet"
    kind = next(iter(json.loads((build(name, tmp_path) / "manifest.json").read_text())["files"]))
    config = kind["config"].removesuffix("_annotations")
    me.hub.create(REPO, private=False)

    done = me.push(build(name, tmp_path, f"{config}_annotations"))

    assert not done.proposal.restricted
    with pytest.raises(HubError, match="who sees it"):
        me.push(build(name, tmp_path, config))


def test_a_branch_is_created_and_leaves_main_alone(me: Desk, whole: Path, other: Path) -> None:
    """A branch begins with what main holds; the next push to it goes on there."""
    first = me.push(whole)
    options = PushOptions(revision="v2")

    me.push(other, options)
    again = me.push(other, options)

    assert set() == me.holds(other, "v2")
    assert set() == me.holds(whole)
    assert [first.commit] == [commit.id for commit in me.hub.commits(REPO)[1:]]
    assert not again.changed
    assert verify_hub(Remote(REPO, api=me.api()), "v2", str(other)).agrees


def test_a_pull_request_leaves_main_alone_and_is_opened_once(
    me: Desk, whole: Path, other: Path
) -> None:
    """Its address is told; a second push of the same build finds it."""
    me.push(whole)
    options = PushOptions(pull_request=True)

    done = me.push(other, options)
    again = me.push(other, options)

    assert f"{me.hub.url}/datasets/{REPO}/discussions/1" == done.url == again.url
    assert (True, False) == (done.changed, again.changed)
    assert set() == me.holds(other, "refs/pr/1")
    assert set() == me.holds(whole)


def test_a_pull_request_to_a_new_repository(me: Desk, whole: Path) -> None:
    """The repository is created first."""
    done = me.push(whole, PushOptions(pull_request=True))

    assert done.url.endswith("/discussions/1")
    assert set() == me.holds(whole, "refs/pr/1")


def test_a_pull_request_has_no_revision(me: Desk, whole: Path) -> None:
    """Both at once contradict."""
    with pytest.raises(UsageError, match="pull request"):
        me.push(whole, PushOptions(pull_request=True, revision="v2"))


@pytest.mark.parametrize("name", ["data", "me/data/more", "me/", "../data", "me/da ta"])
def test_a_repository_has_owner_and_name(name: str, me: Desk, whole: Path) -> None:
    """Before any request."""
    with pytest.raises(UsageError, match="name of a repository"):
        push(str(whole), name, confirm=agree, api=me.api())

    assert [] == me.hub.requests


def _edit(out: Path, **values: object) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    manifest.update(values)
    (out / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("field", "value", "allowing"),
    [
        (
            "quarantine",
            [{"member": "a.jpg", "reason": "no image"}],
            PushOptions(allow_quarantined=True),
        ),
        ("missing", ["b.jpg"], PushOptions(allow_incomplete=True)),
    ],
)
def test_a_build_without_every_row_is_refused_unless_allowed(
    field: str, value: object, allowing: PushOptions, me: Desk, whole: Path, tmp_path: Path
) -> None:
    """Strict is the default for what others will trust."""
    out = copied(whole, tmp_path)
    report = json.loads((out / "manifest.json").read_text())["report"]
    _edit(out, report={**report, field: value})

    with pytest.raises(VerificationError, match=f"report/{field}"):
        me.push(out)
    assert [] == me.hub.requests

    me.push(out, allowing)
    assert set() == me.holds(out)


def _flip(out: Path) -> None:
    data = bytearray((out / DATA).read_bytes())
    data[len(data) // 2] ^= 1
    (out / DATA).write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "error", "names"),
    [
        (lambda out: (out / "manifest.json").unlink(), MissingError, "manifest.json"),
        (lambda out: (out / "README.md").unlink(), VerificationError, "README.md"),
        (lambda out: (out / DATA).unlink(), VerificationError, DATA),
        (_flip, VerificationError, DATA),
        (lambda out: _edit(out, format=0), OutputError, "format 0"),
        (lambda out: _edit(out, format=2), OutputError, "format 2"),
        (lambda out: _edit(out, files=[{"path": "../x"}]), OutputError, "files"),
        (lambda out: _edit(out, dataset="nothing"), UsageError, "nothing"),
    ],
)
@pytest.mark.fault(37)
def test_a_damaged_build_never_reaches_the_hub(
    damage: object, error: type[RawshelfError], names: str, me: Desk, whole: Path, tmp_path: Path
) -> None:
    """It is refused before any request, with the file that is wrong."""
    out = copied(whole, tmp_path)
    damage(out)  # type: ignore[operator]

    with pytest.raises(error, match=names):
        me.push(out)

    assert [] == written(me.hub)
