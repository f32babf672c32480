"""Settings of a sink: sizes and ages of batches, patience, and when too much is refused."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SinkSettings(BaseSettings):
    """How a sink batches, waits and gives up."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_SINK_", frozen=True, extra="ignore")

    batch_rows: int = Field(default=1000, ge=1, description="Records that wait for no more company.")
    behind_batch_rows: int = Field(default=5000, ge=1, description="Most records of one transaction.")
    buffer_records: int = Field(
        default=10_000,
        ge=1,
        description="Decoded records in memory at which fetching pauses, for the log and for the rest each.",
    )
    buffer_bytes: int = Field(
        default=32_000_000,
        ge=1,
        description="Their bytes at which fetching pauses, for the log and for the rest each.",
    )
    linger_ms: float = Field(
        default=400.0,
        ge=0,
        description="Milliseconds that records wait for company; fences never do: rebuilds wait for them.",
    )
    retry_first_s: float = Field(
        default=0.1,
        gt=0,
        description="Seconds until the first retry when the store is away; doubles each time.",
    )
    retry_most_s: float = Field(
        default=5.0, gt=0, description="Longest wait between two retries, in seconds."
    )
    refused_limit: int = Field(
        default=100,
        ge=0,
        description="Records refused within the window beyond which the sink stops.",
    )
    refused_window_s: float = Field(
        default=3600.0, gt=0, description="Seconds over which refused records are counted."
    )
    weeks_ahead: int = Field(
        default=4, ge=1, description="Weekly partitions of the log that are made ahead of time."
    )
    drain_limit_s: float = Field(
        default=10.0, gt=0, description="Seconds that transactions in flight get to finish at the end."
    )
    membership_limit_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds out of the consumer group (start included) after which a sink exits with 1.",
    )
