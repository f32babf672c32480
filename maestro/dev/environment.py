"""The environment around dev: services set there, what roles get, where clients find a running dev."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from maestro.dev.state import running_urls
from maestro.embedded.part import PartName
from maestro.embedded.settings import EmbeddedSettings

SERVICE_URLS: Final[Mapping[PartName, str]] = {
    PartName.KAFKA: "KAFKA_BOOTSTRAP_SERVERS",
    PartName.POSTGRES: "DATABASE_URL",
    PartName.REDIS: "REDIS_URL",
}
SQL_URL: Final = "MAESTRO_SQL_URL"


def data_dir(chosen: Path | None = None) -> Path:
    """Return the data folder that is meant: the one chosen, else the setting's."""
    settings = EmbeddedSettings() if chosen is None else EmbeddedSettings(data_dir=chosen)
    return settings.data_dir.expanduser().absolute()


def external_services() -> dict[PartName, str]:
    """Return the services that run elsewhere, with their URLs: those that the environment names."""
    return {part: os.environ[name] for part, name in SERVICE_URLS.items() if os.environ.get(name)}


def value_of(name: str) -> str | None:
    """Return a variable's value; None when it has none."""
    return os.environ.get(name) or None


def publish(values: Mapping[str, str]) -> None:
    """Make values known to this process' settings and to the processes it starts."""
    os.environ.update(values)


def for_children() -> dict[str, str]:
    """Return the environment of roles and commands that we start: ours, with keys of model providers."""
    return dict(os.environ)


def adopt_running() -> Collection[str]:
    """Use the running dev of the default data folder when the environment names no service.

    Returns the names of the variables that were taken from it.
    """
    if external_services():
        return ()
    urls = running_urls(data_dir()) or {}
    taken = {name: url for name, url in urls.items() if value_of(name) is None}
    publish(taken)
    return tuple(taken)
