"""The command line. Output is for people; ``--json`` gives the same for programs."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from types import FrameType

import click

from rawshelf import errors
from rawshelf.startup import prepare

_INTERRUPTED, _TERMINATED = 130, 143
_EXIT_CODES = "\b\n" + "\n".join(
    line for line in (errors.__doc__ or "").splitlines() if line[:1].isdigit()
)

# name: the module below `rawshelf.commands` that defines it, and what it is called there
_COMMANDS = {
    "list": ("describe", "list_command"),
    "info": ("describe", "info"),
    "inspect": ("inspect", "inspect_command"),
    "convert": ("convert", "convert_command"),
    "preview": ("preview", "preview_command"),
    "export": ("export", "export_command"),
    "evaluate": ("evaluate", "evaluate_command"),
    "card": ("card", "card_group"),
    "verify": ("verify", "verify_command"),
    "push": ("push", "push_command"),
    "demo": ("demo", "demo_command"),
}


class _Commands(click.Group):
    """Imports a command when it is asked for: each pays for what it needs itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name."""
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"rawshelf.commands.{module}"), name)
        return command


@click.group(cls=_Commands, epilog=f"Exit codes:\n\n{_EXIT_CODES}")
@click.version_option(package_name="rawshelf")
def cli() -> None:
    """Turn raw public releases of vision datasets into verified, Arrow-backed datasets."""


class _Terminated(SystemExit):
    """SIGTERM, on its way through the clean-up of whatever runs."""


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    signal.signal(signal.SIGTERM, _terminate)
    prepare()
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
