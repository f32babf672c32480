"""Settings of the execute role: which tools, how many at a time, how large their results."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class ToolSettings(BaseSettings):
    """What tools may do. Read from `MAESTRO_TOOL_*`."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_TOOL_", frozen=True)

    modules: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Python modules with tools of your own, separated by commas."
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

    @field_validator("modules", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
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
