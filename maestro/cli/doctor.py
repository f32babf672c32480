"""`maestro doctor`: what is missing on this machine and in its services, and how to mend it."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import click

from maestro.cli.output import EXIT_FAILED, json_option, out, print_json
from maestro.dev.check_machine import check_machine
from maestro.dev.check_running import check_dev, check_model, check_settings
from maestro.dev.check_services import check_services
from maestro.dev.environment import data_dir, external_services
from maestro.dev.finding import Finding, Verdict, is_well, noted
from maestro.dev.state import running
from maestro.embedded.settings import EmbeddedSettings

SIGNS = {Verdict.OK: "[green]✓[/green]", Verdict.NOTE: "[yellow]·[/yellow]", Verdict.WRONG: "[red]✗[/red]"}
NAME_WIDTH = 12


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Check this machine, the settings and every service; exit 1 when something has to be mended."""
    findings = asyncio.run(_examine(as_json=as_json))
    raise SystemExit(0 if is_well(findings) else EXIT_FAILED)


async def _examine(*, as_json: bool) -> list[Finding]:
    findings: list[Finding] = []
    async for finding in _findings():
        findings.append(finding)
        if as_json:
            print_json(dataclasses.asdict(finding))
        else:
            _show(finding)
    return findings


async def _findings() -> AsyncIterator[Finding]:
    root = data_dir()
    is_up = running(root) is not None
    # What a running dev serves is set in the environment too, but is not somewhere else.
    external = () if is_up else external_services()
    settings = check_settings()
    for finding in (*check_machine(EmbeddedSettings(), external), *settings):
        yield finding
    if not is_well(settings):
        return
    yield check_model()
    for finding in await check_dev(root):
        yield finding
    if not external_services():
        yield noted("services", "no URLs are set and no dev is up", "`maestro dev` starts its own.")
        return
    async for finding in check_services():
        yield finding


def _show(finding: Finding) -> None:
    out.print(f"{SIGNS[finding.verdict]} {finding.name:<{NAME_WIDTH}} ", end="")
    out.print(finding.found, markup=False)
    if finding.mend:
        out.print(f"{'':<{NAME_WIDTH + 3}}{finding.mend}", markup=False, style="dim")
