"""The API of a dev: what its processes get, where it is reached, and a token that it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from api.auth.minting import mint
from api.settings import ApiSettings
from maestro.embedded.folder import DataFolder
from maestro.embedded.ports import HeldPorts

ROLE: Final = "api"
SECRET: Final = "api_jwt"  # noqa: S105  the name of the secret, not the secret
SECRET_BYTES: Final = 64
"""Enough for each HMAC algorithm."""

TOKEN_LIVES: Final = timedelta(hours=24)
_PREFIX: Final = "MAESTRO_API_"


class ApiPorts:
    """The ports of a dev's API processes: the same at each start, where they can be had."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._held = HeldPorts()

    def take(self, names: Sequence[str], *, wished: int) -> dict[str, int]:
        """Hold and return a port for each process; on its very first start the first one gets `wished`.

        Raises OSError when no port was found.
        """
        state = self._folder.state
        keys = {name: f"http-{name}" for name in names}
        ports = self._held.assign(keys.values(), {keys[names[0]]: wished, **state.ports})
        self._folder.save(replace(state, ports=ports))
        return {name: ports[key] for name, key in keys.items()}

    def release(self) -> None:
        """Let others have them."""
        self._held.release()


def environment(settings: ApiSettings, *, secret: str, port: int) -> dict[str, str]:
    """Return the variables of an API process that listens on `port`.

    Keys that the person has set stay in force; without any it gets the dev's own secret.
    """
    values = {f"{_PREFIX}DEV": "true", f"{_PREFIX}PORT": str(port)}
    if settings.jwt_secret is None and settings.jwks_url is None:
        values[f"{_PREFIX}JWT_SECRET"] = secret
    elif settings.jwt_secret is not None:
        values[f"{_PREFIX}JWT_SECRET"] = settings.jwt_secret.get_secret_value()
    return values


def reached(settings: ApiSettings, values: Mapping[str, str]) -> ApiSettings:
    """Return the settings in force in a process that gets the variables `values`."""
    names = {name.removeprefix(_PREFIX).lower(): value for name, value in values.items() if _is_ours(name)}
    return ApiSettings.model_validate({**settings.model_dump(), **names})


def ready_made(settings: ApiSettings, user_id: str, *, now: datetime) -> str | None:
    """Return a token for the user; None where the keys are an issuer's, who has to make it."""
    if settings.jwt_secret is None:
        return None
    return mint(settings, user_id, now=now, lives=TOKEN_LIVES)


def _is_ours(name: str) -> bool:
    return name.startswith(_PREFIX)
