"""`maestro dev`: everything on this machine, in the foreground or in the background."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from api.settings import ApiSettings
from maestro.cli.options import login_name
from maestro.cli.output import EXIT_FAILED, err, json_option, note, out, print_json, print_rows
from maestro.dev import daemon, texts
from maestro.dev.api_role import reached, ready_made
from maestro.dev.environment import data_dir, external_services, for_children
from maestro.dev.question import DEMO, ask
from maestro.dev.run import STARTED_MARK, Dev, Plan
from maestro.dev.state import DevState, Phase, holder, running, running_urls
from maestro.embedded.errors import EmbeddedError
from maestro.embedded.folder import DataFolder
from maestro.embedded.part import PartName
from maestro.settings import load
from maestro.settings_catalogue import CATALOGUE

MOST_WORKERS = 16


@click.command()
@click.option(
    "--ask", "question", metavar="QUESTION", help="Ask, show stages and answer, stop what was started."
)
@click.option("--detach", is_flag=True, help="Run in the background; return when it is up.")
@click.option("--stop", "action", flag_value="stop", help="Stop the one in the background.")
@click.option("--status", "action", flag_value="status", help="Show every service and role.")
@click.option("--env", "action", flag_value="env", help="Print the URLs as lines for a shell to evaluate.")
@click.option("--reset", "action", flag_value="reset", help="Delete the data folder with all that is in it.")
@click.option("--yes", is_flag=True, help="Do not ask before --reset.")
@click.option(
    "--data-dir",
    "chosen",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for data, logs and passwords.  [default: MAESTRO_DATA_DIR]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes of each role.",
)
@click.option("--quiet", is_flag=True, help="No question on the first start, no hints.")
@json_option
def dev(
    *,
    question: str | None,
    detach: bool,
    action: str | None,
    yes: bool,
    chosen: Path | None,
    workers: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Start Kafka, PostgreSQL, Redis and every role, and keep them running until Ctrl-C.

    A service whose URL is set in the environment (KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL, REDIS_URL) is used
    where it is and not started. Other commands find what runs here by themselves when none of them is set.
    """
    root = data_dir(chosen)
    if action is not None:
        if question is not None or detach:
            message = f"--{action} goes alone"
            raise click.UsageError(message)
        raise SystemExit(_act(action, root, yes=yes, as_json=as_json))
    _ = load(*CATALOGUE.values())  # all problems now, before anything is started
    plan = Plan(root=root, workers=workers)
    if question is not None:
        raise SystemExit(_answer(plan, question, detach=detach, as_json=as_json))
    # Asked now: a dev that is up has set the variable for itself.
    has_shop = PartName.POSTGRES not in external_services()
    if detach:
        _detach(plan, quiet=quiet, has_shop=has_shop)
        return
    daemon.refuse_second(root)
    front = _quiet_front if quiet else partial(_front, root, has_shop)
    raise SystemExit(asyncio.run(Dev(plan, err).run(front)))


def _act(action: str, root: Path, *, yes: bool, as_json: bool) -> int:
    match action:
        case "stop":
            pid = daemon.stop(root)
            note("maestro dev is not running" if pid is None else f"stopped (process {pid})")
            return 0
        case "status":
            return _status(root, as_json=as_json)
        case "env":
            return _env(root)
        case _:
            return _reset(root, yes=yes)


def _answer(plan: Plan, question: str, *, detach: bool, as_json: bool) -> int:
    """Ask on the one that runs, else on one that is started for it (and stays, with --detach)."""
    if holder(plan.root) is not None:
        state = daemon.wait_until_ready(plan.root)
    elif detach:
        state = daemon.start_detached(plan, err)
    else:

        async def front(_: bool) -> int:
            return await ask(question, env=for_children(), as_json=as_json)

        return asyncio.run(Dev(plan, err).run(front))
    return asyncio.run(ask(question, env={**for_children(), **state.urls}, as_json=as_json))


def _detach(plan: Plan, *, quiet: bool, has_shop: bool) -> None:
    is_first = not (plan.root / STARTED_MARK).exists()
    state = daemon.start_detached(plan, err)
    if quiet:
        return
    if is_first and has_shop:
        asyncio.run(_show_demo({**for_children(), **state.urls}))
    _hint(plan.root, stop=f"{_command()} dev --stop")


async def _front(root: Path, has_shop: bool, is_first: bool) -> int:
    if is_first and has_shop:
        await _show_demo(for_children())
    _hint(root, stop="Ctrl-C")
    return await _quiet_front(is_first)


async def _quiet_front(_: bool) -> int:
    await asyncio.Event().wait()  # until a signal cancels it
    return 0


async def _show_demo(env: dict[str, str]) -> None:
    err.print(f"\nA first question, about the demo shop: [bold]{DEMO}[/bold]")
    code = await ask(DEMO, env=env)
    if code != 0:
        note("The question was not answered; `maestro doctor` says what may be missing.")


def _status(root: Path, *, as_json: bool) -> int:
    state = running(root)
    if as_json:
        empty: dict[str, object] = {"running": False, "data_dir": str(root), "parts": []}
        print_json({**empty, "running": state is not None, **(_fields(state) if state else {})})
    elif state is None:
        note(f"maestro dev is not running on {root}")
    else:
        note(f"maestro dev is {state.phase} on {root} (process {state.pid})")
        print_rows(texts.status_rows(state), ("name", "state", "pid", "port", "restarts"), as_json=False)
        note(f"logs are in {DataFolder(root).logs}")
        if state.phase is Phase.READY:
            note(f"the API is at {_api(state.urls)[0]}; `{_command()} token` makes a token for it")
    return 0 if state is not None and state.is_well else EXIT_FAILED


def _fields(state: DevState) -> dict[str, object]:
    url, token = _api(state.urls)
    api = {"url": url, "token": token} if state.phase is Phase.READY else None
    return {"pid": state.pid, "phase": state.phase, "api": api, "parts": texts.status_rows(state)}


def _api(urls: Mapping[str, str]) -> tuple[str, str | None]:
    """Return where the API of a running dev is, and a token for whoever asks."""
    settings = reached(load(ApiSettings)[0], urls)
    return settings.public_url, ready_made(settings, login_name(), now=datetime.now(UTC))


def _env(root: Path) -> int:
    urls = running_urls(root)
    if urls is None:
        note(f"maestro dev is not running on {root}; start it with `maestro dev --detach`")
        return EXIT_FAILED
    click.echo(texts.exports(urls))
    return 0


def _reset(root: Path, *, yes: bool) -> int:
    daemon.refuse_second(root)
    if not root.exists():
        note(f"there is nothing at {root}")
        return 0
    if not yes and not click.confirm(
        f"Delete {root} with every session, record and password in it?", err=True
    ):
        return EXIT_FAILED
    try:
        DataFolder(root).remove()
    except EmbeddedError as error:
        note(str(error))
        return EXIT_FAILED
    note(f"{root} is deleted")
    return 0


def _hint(root: Path, *, stop: str) -> None:
    text = texts.how_to_go_on(
        command=_command(),
        root=root,
        is_default_root=root == data_dir(),
        stop=stop,
        api=_api(running_urls(root) or {}),
    )
    out.print(f"\n{text}\n", markup=False, soft_wrap=True)


def _command() -> str:
    """Return how this person calls maestro: by name where the shell finds it, else by its path."""
    if shutil.which("maestro"):
        return "maestro"
    return os.path.relpath(Path(sys.executable).with_name("maestro"))
