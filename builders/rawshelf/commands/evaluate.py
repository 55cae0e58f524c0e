"""Predictions against a conversion; each dataset brings its own metrics."""

from __future__ import annotations

import click

from rawshelf import catalog


class _Evaluations(click.Group):
    """The datasets that can be evaluated on, as commands; a dataset is read when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for name in catalog.names() if catalog.find(name).tools().evaluate is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        known = self.list_commands(ctx)
        command = catalog.find(cmd_name).tools().evaluate if cmd_name in known else None
        if command is None:
            raise catalog.unknown("dataset to evaluate on", cmd_name, tuple(known))
        return command


@click.group("evaluate", cls=_Evaluations)
def evaluate_command() -> None:
    """Compute the metrics of predictions on a conversion OUT of a dataset."""
