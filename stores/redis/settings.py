"""Settings of the live state in Redis."""

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class RedisSettings(BaseSettings):
    """Where the live state is and how patiently it is asked."""

    model_config = SettingsConfigDict(
        env_prefix="MAESTRO_REDIS_", frozen=True, extra="ignore", populate_by_name=True
    )

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        validation_alias=AliasChoices("REDIS_URL"),
        description="Connection URL: redis://, rediss:// (TLS) or unix://, with user, password and database.",
    )
    prefix: str = Field(
        default="maestro:",
        min_length=1,
        pattern=r"^[^{}\s]+$",
        description="What all key names begin with; installations that share a Redis need different ones.",
    )
    connections: int = Field(
        default=2, ge=1, le=32, description="Connections of one process that commands are spread over."
    )
    blocking_connections: int = Field(
        default=64, ge=1, description="Most connections of one process that wait for entries of live feeds."
    )
    connect_timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds until an attempt to connect is given up."
    )
    start_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds that a starting process waits for Redis before it gives up."
    )
    command_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds until a command without an answer has failed."
    )
    token_keep_s: int = Field(
        default=3600,
        ge=120,
        description="Seconds that a rebuild of a context may take before it has to begin again.",
    )
    journal_claim_keep_s: int = Field(
        default=86_400, ge=60, description="Seconds that an attempt without a result is remembered."
    )
    feed_max_entries: int = Field(
        default=2_000,
        ge=10,
        description="Entries of a session's live feed when a stage is added, about; older ones go.",
    )
