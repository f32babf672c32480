"""Settings of the record in Postgres."""

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class PostgresSettings(BaseSettings):
    """Where the record is and how patiently it is asked."""

    model_config = SettingsConfigDict(
        env_prefix="MAESTRO_POSTGRES_", frozen=True, extra="ignore", populate_by_name=True
    )

    database_url: SecretStr = Field(
        default=SecretStr("postgresql://maestro@127.0.0.1:5432/maestro"),
        validation_alias=AliasChoices("DATABASE_URL"),
        description="Connection URL of the record: postgresql://user:password@host:port/database.",
    )
    pool_min: int = Field(
        default=1, ge=0, description="Connections that a process opens at its start and keeps."
    )
    pool_max: int = Field(
        default=8,
        ge=1,
        description="Most connections of one process; the sum over all stays below Postgres' limit.",
    )
    connect_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds until an attempt to connect is given up."
    )
    acquire_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds that a query waits for a free connection."
    )
    command_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds that one statement may take before it is cancelled."
    )
