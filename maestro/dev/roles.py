"""Which role processes dev keeps running. Pure."""

from typing import Final

from maestro.embedded.keeper import RoleSpec

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "session": ("worker", "session"),
    "generate": ("worker", "generate"),
    "execute": ("worker", "execute"),
    "sink-postgres": ("sink", "postgres"),
    "sink-embeddings": ("sink", "embeddings"),
    "sink-recents": ("sink", "recents"),
}


def role_specs(workers: int) -> tuple[RoleSpec, ...]:
    """Return `workers` processes of each role, named role-1 … role-N."""
    return tuple(
        RoleSpec(name=f"{role}-{number}", arguments=arguments)
        for role, arguments in COMMANDS.items()
        for number in range(1, workers + 1)
    )
