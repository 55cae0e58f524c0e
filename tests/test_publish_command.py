import json
import os
import pty
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rawshelf.cli import cli
from rawshelf.errors import HubError, RawshelfError
from rawshelf.imagenet_sketch import miniature as sketch
from rawshelf.miniature import pack_zip
from tests.conftest import Conversion
from tests.hub import Fault, Hub
from tests.hub.client import online
from tests.publishing import REPO, desk, local, written


@dataclass
class Done:
    """What a command gave: exit code, standard output, standard error."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Shell:
    """A user at a command line whose Hub is one of this machine.

    Attributes:
        hub: The hub.
        home: For caches.
        token: Of the user `me`.
        capture: Of what is printed.
    """

    hub: Hub
    home: Path
    token: str
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: object) -> Done:
        """Run the command line in this process, which has no terminal."""
        self.capture.readouterr()
        try:
            status = cli.main([*map(str, arguments)], standalone_mode=False) or 0
        except RawshelfError as error:
            out, told = self.capture.readouterr()
            return Done(error.exit_code, out, f"{told}{error}")
        return Done(status, *self.capture.readouterr())

    def python(self, *arguments: object, answer: str = "") -> subprocess.CompletedProcess[str]:
        """Run Python from a terminal at which somebody answers."""
        controller, terminal = pty.openpty()
        try:
            os.write(controller, f"{answer}\n".encode())
            return subprocess.run(
                [sys.executable, *map(str, arguments)],
                env=self.hub.environment(self.home, self.token),
                stdin=terminal,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            os.close(controller)
            os.close(terminal)


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    with Hub() as hub, online(hub):
        token = hub.user("me")
        monkeypatch.setenv("HF_TOKEN", token)
        yield Shell(hub, tmp_path / "home", token, capsys)


def test_push_tells_terms_and_files_then_publishes(shell: Shell, conversion: Conversion) -> None:
    """The result alone goes to standard output; a second push finds all of it there."""
    done = shell.run("push", conversion.out, REPO, "--yes")

    assert 0 == done.returncode, done.stderr
    assert "Terms: No licence file" in done.stderr
    assert "new, private" in done.stderr
    assert "  add     data/pairs/test-00000-of-00001.parquet" in done.stderr
    assert done.stdout.startswith("Published, and every file checked: ")
    assert local(conversion.out).items() <= shell.hub.files(REPO).items()
    again = shell.run("push", conversion.out, REPO)
    assert "Nothing to do" in again.stdout
    checked = shell.run("verify", "--hub", REPO, conversion.out)
    assert (0, 2) == (checked.returncode, checked.stdout.count("all agree"))


def test_push_prints_json(shell: Shell, conversion: Conversion) -> None:
    """One object, with what became of each file."""
    done = shell.run("push", conversion.out, REPO, "--yes", "--json")

    result = json.loads(done.stdout)
    assert {"add": 11, "change": 0, "keep": 0, "delete": 0} == result["counts"]
    assert set(local(conversion.out)) == {change["path"] for change in result["changes"]}
    assert result["commit"] == shell.hub.commits(REPO)[-1].id


def test_a_dry_run_needs_no_confirmation(shell: Shell, conversion: Conversion) -> None:
    """It lists what would change, and changes nothing."""
    done = shell.run("push", conversion.out, REPO, "--dry-run")

    assert 0 == done.returncode
    assert "  add     README.md" in done.stdout
    assert "Dry run: nothing was changed." in done.stdout
    assert [] == written(shell.hub)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 2),
        (("--yes",), 0),
        (("--public", "--yes"), 2),
        (("--public", "--have-rights"), 2),
        (("--public", "--yes", "--have-rights"), 0),
    ],
)
def test_without_a_terminal_options_confirm(
    options: tuple[str, ...], status: int, shell: Shell, conversion: Conversion
) -> None:
    """Making unlicensed images public takes one more than a push does."""
    done = shell.run("push", conversion.out, REPO, *options)

    assert status == done.returncode, done.stderr
    assert (status == 0) == shell.hub.exists(REPO)
    assert ("Nobody is there to confirm" in done.stderr) == (status == 2)


@pytest.mark.parametrize(
    ("options", "answer", "status", "question"),
    [
        ((), "y", 0, "Push?"),
        ((), "n", 2, "Push?"),
        (("--public", "--yes"), "n", 2, "right to publish"),
    ],
)
def test_at_a_terminal_an_answer_confirms(
    options: tuple[str, ...],
    answer: str,
    status: int,
    question: str,
    shell: Shell,
    conversion: Conversion,
) -> None:
    """The question is asked even with --yes where unlicensed images would become public.

    The client's own log, of an upload that is tried again, holds no token either.
    """
    shell.hub.inject(Fault(kind="lfs-put", status=503))
    command = ("-m", "rawshelf", "push", conversion.out, REPO, *options)

    done = shell.python(*command, answer=answer)

    assert status == done.returncode, done.stderr
    assert question in done.stderr
    assert (status == 0) == shell.hub.exists(REPO) == ("503" in done.stderr)
    assert shell.token not in done.stdout + done.stderr


def test_verify_tells_differences_by_exit_code(
    shell: Shell, conversion: Conversion, tmp_path: Path
) -> None:
    """People get found and expected, programs JSON."""
    (tmp_path / "out").mkdir()
    text = (conversion.out / "manifest.json").read_text()
    (tmp_path / "out" / "manifest.json").write_text(text)

    done = shell.run("verify", tmp_path / "out")
    assert 1 == done.returncode
    assert "DIFFERS data/pairs/test-00000-of-00001.parquet: presence" in done.stdout
    assert "10 files differ" in done.stdout

    (verdict,) = json.loads(shell.run("verify", tmp_path / "out", "--json").stdout)
    assert not verdict["agrees"]
    assert 10 == len(verdict["differences"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("verify",), "Nothing to verify"),
        (("verify", "a", "b"), "no dataset"),
        (("verify", "a", "b", "c"), "One conversion or one release"),
        (("verify", "a", "--revision", "b"), "no revisions"),
        (("verify", "--hub", "me"), "name of a repository"),
        (("push", "a", "me"), "name of a repository"),
        (("push", "a", REPO, "--revision", "b", "--pull-request"), "pull request"),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], expected: str, shell: Shell) -> None:
    """Before any request."""
    done = shell.run(*arguments)

    assert 2 == done.returncode
    assert expected in done.stderr
    assert [] == shell.hub.requests


def _echo(token: str, kind: str, status: int) -> Fault:
    """Return a fault whose answer repeats what it should not."""
    message = f"Authorization: Bearer {token} for {token}"
    return Fault(kind=kind, status=status, headers={"X-Error-Message": message}, times=20)


@pytest.mark.parametrize(
    "fault",
    [
        ("whoami", 401),
        ("info", 403),
        ("create", 400),
        ("preupload", 403),
        ("validate-yaml", 400),
        ("commit", 400),
    ],
)
@pytest.mark.fault(40)
def test_the_token_is_nowhere(fault: tuple[str, int], shell: Shell, conversion: Conversion) -> None:
    """Not in output, caches or conversion, even where the server repeats it."""
    shell.hub.inject(_echo(shell.token, *fault))

    done = shell.run("push", conversion.out, REPO, "--yes")

    assert 7 == done.returncode
    assert shell.token not in done.stdout + done.stderr
    for folder in (Path(os.environ["HF_HOME"]), conversion.out):
        for path in folder.rglob("*"):
            assert not path.is_file() or shell.token.encode() not in path.read_bytes()


@pytest.mark.fault(40)
def test_the_token_is_in_no_traceback(conversion: Conversion) -> None:
    """An error that somebody prints whole holds none either, nor does what led to it."""
    with desk() as me:
        me.hub.inject(_echo(me.token, "commit", 400))

        with pytest.raises(HubError) as caught:
            me.push(conversion.out)

        assert me.token not in "".join(traceback.format_exception(caught.value))
        assert me.token not in repr(caught.value.args)


@pytest.mark.fault(35)
def test_nobody_is_logged_in(
    shell: Shell, conversion: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is to log in; no request is made."""
    monkeypatch.delenv("HF_TOKEN")

    done = shell.run("push", conversion.out, REPO, "--yes")

    assert 7 == done.returncode
    assert "hf auth login" in done.stderr
    assert [] == shell.hub.requests


def test_from_a_release_to_the_hub_in_one_go(
    shell: Shell, repository_root: Path, tmp_path: Path
) -> None:
    """Convert, verify, push; further options reach the push."""
    script = repository_root / "scripts" / "push_to_hub.py"
    if not script.exists():
        pytest.skip("the script is in a checkout only")
    raw = pack_zip(sketch.members(wnids=sketch.WNIDS[:1]), tmp_path / "ImageNet-Sketch.zip")
    steps = ("imagenet_sketch", raw, tmp_path / "out", REPO)

    done = shell.python(script, *steps, "--yes", "--revision", "v1")

    assert 0 == done.returncode, done.stderr
    expected = local(tmp_path / "out").items()
    assert expected <= shell.hub.files(REPO, "v1").items()
    assert [] == shell.hub.violations
