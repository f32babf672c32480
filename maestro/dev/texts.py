"""What dev says: how to go on, what runs, which variables to export. Pure."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from maestro.dev.state import DevState


def exports(urls: Mapping[str, str]) -> str:
    """Return lines that a shell evaluates to have the variables."""
    return "\n".join(f"export {name}={shlex.quote(url)}" for name, url in urls.items())


def how_to_go_on(
    *, command: str, root: Path, is_default_root: bool, stop: str, api: tuple[str, str | None]
) -> str:
    """Return what a person can do next. `command` is how they call maestro, `stop` how they end this.

    `api` is where the API is, with a token for it where one could be made.
    """
    steps = {
        f'{command} ask "Who are our best customers?"': "ask one question",
        f"{command} chat": "talk in a session",
        f"{command} tail runs --from-beginning": "read a topic",
        f"{command} dev --status": "what runs, with its logs",
        f'eval "$({command} dev --env)"': "the URLs, for clients of your own",
        stop: "stop; the data stays",
    }
    where = f"Maestro is up; its data is in {root}"
    chosen = "" if is_default_root else f"\n  export MAESTRO_DATA_DIR={shlex.quote(str(root))}\n"
    width = max(map(len, steps))
    lines = "\n".join(f"  {step:<{width}}  {what}" for step, what in steps.items())
    return f"{where}\n{chosen}\n{lines}\n\n{over_http(*api)}"


def over_http(url: str, token: str | None) -> str:
    """Return how the API is called from a shell."""
    known = f"  TOKEN={token}" if token is not None else "  TOKEN=…  # from the issuer of your tokens"
    return f'Over HTTP:\n\n{known}\n  curl -H "Authorization: Bearer $TOKEN" {url}/chat-sessions/'


def status_rows(state: DevState) -> list[dict[str, object]]:
    """Return a row for each service and role."""
    return [
        {
            "name": part.name,
            "state": part.state,
            "pid": part.pid,
            "port": part.port,
            "restarts": part.restarts,
            "log": part.log,
        }
        for part in state.parts
    ]
