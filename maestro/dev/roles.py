"""Which role processes dev keeps running. Pure."""

from collections.abc import Mapping
from typing import Final

from maestro.embedded.keeper import RoleSpec

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "session": ("worker", "session"),
    "generate": ("worker", "generate"),
    "execute": ("worker", "execute"),
    "sink-postgres": ("sink", "postgres"),
    "sink-embeddings": ("sink", "embeddings"),
    "sink-recents": ("sink", "recents"),
    "api": ("api",),
}


def role_specs(workers: int, env: Mapping[str, Mapping[str, str]] | None = None) -> tuple[RoleSpec, ...]:
    """Return `workers` processes of each role, named role-1 … role-N; `env` has what some get besides."""
    return tuple(
        RoleSpec(name=name, arguments=arguments, env=(env or {}).get(name, {}))
        for role, arguments in COMMANDS.items()
        for name in names_of(role, workers)
    )


def names_of(role: str, workers: int) -> tuple[str, ...]:
    """Return the names of a role's processes."""
    return tuple(f"{role}-{number}" for number in range(1, workers + 1))
