"""Settings of the execute role: which tools, how many at a time, how large their results."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from streams.execute.host_patterns import is_pattern


class ToolSettings(BaseSettings):
    """What tools may do. Read from `MAESTRO_TOOL_*`."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_TOOL_", frozen=True)

    modules: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Python modules with tools of your own, separated by commas."
    )
    path: str = Field(
        default=".",
        description="Folders, separated by colons, in which these modules are looked up after all others;"
        " relative ones begin where the process was started.",
    )
    pool_size: int = Field(
        default=64, ge=1, description="Calls at a time of each pool of tools in one process."
    )
    result_limit_bytes: int = Field(
        default=100_000,
        ge=1_000,
        le=600_000,
        description="Largest result, as JSON, that goes back to the model; a larger one is cut with a note.",
    )

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of `path`."""
        return tuple(part for part in self.path.split(":") if part)

    @field_validator("modules", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value)


class HttpToolSettings(BaseSettings):
    """What the tool `http_fetch` may read. Read from `MAESTRO_TOOL_HTTP_*`."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_TOOL_HTTP_", frozen=True)

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Hosts that http_fetch may ask, separated by commas: `example.org` alone,"
        " `*.example.org` for all names below it, `*` for any. Unset, the tool is off. Addresses that are not"
        " on the public internet are refused whatever stands here.",
    )
    time_limit_s: float = Field(
        default=20.0, gt=0, description="Seconds for one fetch, with all its redirections."
    )
    max_bytes: int = Field(
        default=1_000_000, ge=1_000, description="Bytes of a text that are read, decompressed ones."
    )
    redirect_limit: int = Field(default=4, ge=0, le=20, description="Redirections that are followed.")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value.lower() if isinstance(value, str) else value)

    @field_validator("allowed_hosts")
    @classmethod
    def _fit(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        odd = [part for part in value if not is_pattern(part)]
        if odd:
            message = f"{', '.join(odd)}: a host is a name, `*.` and a name, or `*`; no scheme, port or path"
            raise ValueError(message)
        return value


class SqlSettings(BaseSettings):
    """The database that the tool `sql_query` reads. Read from `MAESTRO_SQL_*`."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_SQL_", frozen=True)

    url: SecretStr | None = Field(
        default=None,
        description="Database for sql_query, with a role of its own that may read what the model may see and"
        " nothing else; never the record's. Unset, the tool says that there is none.",
    )
    row_limit: int = Field(default=200, ge=1, le=10_000, description="Most rows that one query returns.")
    time_limit_s: float = Field(default=15.0, gt=0, description="Seconds after which a query is cancelled.")
    connections: int = Field(
        default=8, ge=1, description="Queries at a time of one process; each has a connection of its own."
    )


def _parts(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value
