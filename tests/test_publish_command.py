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

from rawshelf.errors import HubError
from tests.conftest import Conversion
from tests.hub import Fault, Hub
from tests.publishing import REPO, desk, local, written


@dataclass
class Shell:
    """A user at a command line whose Hub is one of this machine.

    Attributes:
        hub: The hub.
        home: For caches.
        token: Of the user `me`.
    """

    hub: Hub
    home: Path
    token: str

    def run(
        self, *arguments: object, answer: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line; with an answer, from a terminal."""
        return self.python("-m", "rawshelf", *arguments, answer=answer)

    def python(
        self, *arguments: object, answer: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Python."""
        controller, terminal = pty.openpty()
        try:
            if answer is not None:
                os.write(controller, f"{answer}\n".encode())
            return subprocess.run(
                [sys.executable, *map(str, arguments)],
                env=self.hub.environment(self.home, self.token),
                stdin=subprocess.DEVNULL if answer is None else terminal,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            os.close(controller)
            os.close(terminal)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Hub() as hub:
        yield Shell(hub, tmp_path / "home", hub.user("me"))


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
    ("options", "answer", "status"),
    [
        ((), "y", 0),
        ((), "n", 2),
        ((), None, 2),
        (("--public",), "y", 0),
        (("--public",), "n", 2),
        (("--public", "--yes"), None, 2),
        (("--public", "--yes"), "n", 2),
        (("--public", "--yes", "--have-rights"), None, 0),
        (("--public", "--have-rights"), None, 2),
    ],
)
def test_a_push_is_confirmed(
    options: tuple[str, ...],
    answer: str | None,
    status: int,
    shell: Shell,
    conversion: Conversion,
) -> None:
    """By an answer or an option; making unlicensed images public takes one more."""
    done = shell.run("push", conversion.out, REPO, *options, answer=answer)

    assert status == done.returncode, done.stderr
    assert (status == 0) == shell.hub.exists(REPO)
    assert ("right to publish" in done.stderr) == ("--public" in options and answer is not None)


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
        (("verify", "a", "b"), "One conversion"),
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
    assert "Traceback" not in done.stderr
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
def test_the_token_is_nowhere(fault: tuple[str, int], shell: Shell, conversion: Conversion) -> None:
    """Not in output, caches or conversion, even where the server repeats it."""
    shell.hub.inject(_echo(shell.token, *fault))

    done = shell.run("push", conversion.out, REPO, "--yes")

    assert 7 == done.returncode
    assert "Traceback" not in done.stderr
    assert shell.token not in done.stdout + done.stderr
    for folder in (shell.home, conversion.out):
        for path in folder.rglob("*"):
            assert not path.is_file() or shell.token.encode() not in path.read_bytes()


def test_the_token_is_in_no_traceback(conversion: Conversion) -> None:
    """An error that somebody prints whole holds none either, nor does what led to it."""
    with desk() as me:
        me.hub.inject(_echo(me.token, "commit", 400))

        with pytest.raises(HubError) as caught:
            me.push(conversion.out)

        assert me.token not in "".join(traceback.format_exception(caught.value))
        assert me.token not in repr(caught.value.args)


def test_nobody_is_logged_in(shell: Shell, conversion: Conversion) -> None:
    """The remedy is to log in; no request is made."""
    anonymous = Shell(shell.hub, shell.home, "")

    done = anonymous.run("push", conversion.out, REPO, "--yes")

    assert 7 == done.returncode
    assert "hf auth login" in done.stderr
    assert [] == shell.hub.requests


def test_from_a_release_to_the_hub_in_one_go(
    shell: Shell, conversion: Conversion, repository_root: Path, tmp_path: Path
) -> None:
    """Convert, verify, push; further options reach the push."""
    script = repository_root / "scripts" / "push_to_hub.py"
    steps = ("spair71k", conversion.raw, tmp_path / "out", REPO)

    done = shell.python(script, *steps, "--yes", "--revision", "v1")

    assert 0 == done.returncode, done.stderr
    expected = local(tmp_path / "out").items()
    assert expected <= shell.hub.files(REPO, "v1").items()
    assert [] == shell.hub.violations
