"""The command line. Output is for people; ``--json`` gives the same for programs."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import click

from rawshelf import errors
from rawshelf.commands.card import card_group
from rawshelf.commands.convert import convert_command
from rawshelf.commands.demo import demo_command
from rawshelf.commands.describe import info, list_command
from rawshelf.commands.evaluate import evaluate_command
from rawshelf.commands.export import export_command
from rawshelf.commands.inspect import inspect_command
from rawshelf.commands.preview import preview_command
from rawshelf.commands.push import push_command
from rawshelf.commands.verify import verify_command

_INTERRUPTED, _TERMINATED = 130, 143
_EXIT_CODES = "\b\n" + "\n".join(
    line for line in (errors.__doc__ or "").splitlines() if line[:1].isdigit()
)


@click.group(epilog=f"Exit codes:\n\n{_EXIT_CODES}")
@click.version_option(package_name="rawshelf")
def cli() -> None:
    """Turn raw public releases of vision datasets into verified, Arrow-backed datasets."""


cli.add_command(list_command)
cli.add_command(info)
cli.add_command(inspect_command)
cli.add_command(convert_command)
cli.add_command(preview_command)
cli.add_command(export_command)
cli.add_command(evaluate_command)
cli.add_command(card_group)
cli.add_command(verify_command)
cli.add_command(push_command)
cli.add_command(demo_command)


class _Terminated(SystemExit):
    """SIGTERM, on its way through the clean-up of whatever runs."""


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    signal.signal(signal.SIGTERM, _terminate)
    # A spawned worker would import an `array.py` of the working folder in place of Python's own.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        status = cli.main(standalone_mode=False)
    except errors.RawshelfError as error:
        click.echo(f"rawshelf: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("rawshelf: interrupted; run the same command to resume", err=True)
        sys.exit(_INTERRUPTED)
    except _Terminated:
        click.echo("rawshelf: terminated; run the same command to resume", err=True)
        raise
    # What is done is done: a signal during the interpreter's own end must not tell otherwise.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(status if isinstance(status, int) else 0)


def _terminate(_: int, __: FrameType | None) -> None:
    raise _Terminated(_TERMINATED)
