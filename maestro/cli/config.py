"""`maestro config`: every setting, its value in force and where it comes from."""

import dataclasses
from itertools import groupby

import click
from rich.table import Table

from maestro.cli.output import json_option, out, print_json
from maestro.settings import effective
from maestro.settings_catalogue import CATALOGUE


@click.command()
@json_option
@click.option("--changed", is_flag=True, help="Only what differs from the default.")
@click.pass_context
def config(context: click.Context, *, as_json: bool, changed: bool) -> None:
    """Show every setting with its value in force; secrets are masked."""
    sources: dict[str, str] = context.obj or {}
    settings = [s for s in effective(CATALOGUE, sources) if not changed or s.source != "default"]
    if as_json:
        for setting in settings:
            print_json(dataclasses.asdict(setting))
        return
    for section, group in groupby(settings, key=lambda setting: setting.section):
        table = Table(
            box=None,
            pad_edge=False,
            show_header=False,
            title=section,
            title_justify="left",
            title_style="bold",
        )
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(style="dim")
        for setting in group:
            table.add_row(setting.name, setting.value, setting.source)
        out.print(table)
