"""`maestro token`: a token for the API of a developer's machine."""

from datetime import UTC, datetime, timedelta

import click

from api.auth.minting import mint
from api.settings import ApiSettings
from maestro.cli.options import checked_name, login_name
from maestro.dev.api_role import reached
from maestro.dev.environment import data_dir
from maestro.dev.state import running_urls
from maestro.settings import load

_MOST_HOURS = 24 * 30


@click.command()
@click.argument("user", default=login_name, callback=checked_name)
@click.option(
    "--hours",
    type=click.IntRange(1, _MOST_HOURS),
    default=24,
    show_default=True,
    help="Hours until it expires.",
)
def token(*, user: str, hours: int) -> None:
    r"""Print a token that names USER (by default your login) to the API of the running `maestro dev`.

    \b
      curl -H "Authorization: Bearer $(maestro token ada)" http://127.0.0.1:8000/chat-sessions/

    It refuses where no dev runs: elsewhere the issuer of your users' tokens makes them.
    """
    (settings,) = load(ApiSettings)
    if not settings.dev:
        # Where the environment names services of its own, it was not filled from the running dev.
        settings = reached(settings, running_urls(data_dir()) or {})
    click.echo(mint(settings, user, now=datetime.now(UTC), lives=timedelta(hours=hours)))
