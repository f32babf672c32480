"""Settings of the runtime, with the values that were measured to be safe as defaults."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RuntimeSettings(BaseSettings):
    """How one worker process consumes, runs steps and gives up. Read from `MAESTRO_RUNTIME_*`."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_RUNTIME_", frozen=True)

    max_in_flight: int = Field(
        default=256,
        ge=1,
        description="Steps that run at a time in one process; more wait and slow the intake down.",
    )
    partition_window: int = Field(
        default=500,
        ge=1,
        description="Messages of one topic partition between the oldest unfinished and the newest taken;"
        " bounds what is repeated after a crash.",
    )
    session_timeout_s: float | None = Field(
        default=None,
        gt=0,
        description="Seconds without a heartbeat after which the broker gives a worker's partitions away."
        " Unset: 10, or 45 with a static member name.",
    )
    heartbeat_interval_s: float = Field(
        default=3.0, gt=0, description="Seconds between heartbeats to the broker."
    )
    rebalance_timeout_s: float = Field(
        default=60.0, gt=0, description="Seconds the broker waits for a member to rejoin in a rebalance."
    )
    request_timeout_s: float = Field(
        default=90.0,
        gt=0,
        description="Seconds until a request to the broker fails; more than the rebalance timeout,"
        " because joining waits for it, and at least the session timeout.",
    )
    commit_interval_s: float = Field(
        default=0.1,
        gt=0,
        description="Seconds between commits of offsets; what is later is repeated after a crash.",
    )
    rebalance_limit_s: float = Field(
        default=5.0,
        gt=0,
        description="Seconds a rebalance waits for the last commit of offsets.",
    )
    drain_limit_s: float = Field(
        default=30.0,
        ge=0,
        description="Seconds that running steps get to finish after SIGTERM; then they are cancelled.",
    )
    stop_limit_s: float = Field(
        default=4.0, gt=0, description="Seconds for the last commit and the leave request after the drain."
    )
    membership_limit_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds out of the consumer group (start included) after which a worker exits with 1.",
    )
    probe_interval_s: float = Field(default=0.5, gt=0, description="Seconds between looks at the membership.")
    retry_backoff_min_s: float = Field(
        default=0.1, gt=0, description="Seconds before a failed step's first repeat; doubles."
    )
    retry_backoff_max_s: float = Field(
        default=10.0, gt=0, description="Longest pause in seconds between repeats of a step."
    )
    buffer_messages: int = Field(
        default=4096,
        ge=64,
        description="Messages that wait in a process for its steps, at most, counted in whole takes of"
        " `MAESTRO_RUNTIME_MAX_POLL_RECORDS`.",
    )
    max_poll_records: int = Field(default=500, ge=1, description="Messages taken from the client per fetch.")
    fetch_max_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Bytes fetched per partition and request, at most."
    )
    event_loop: Literal["auto", "uvloop", "asyncio"] = Field(
        default="auto", description="Event loop of the process. auto: uvloop where it is installed."
    )

    def session_timeout_of(self, *, static: bool) -> float:
        """Return the session timeout in seconds: 10, or 45 for a member whose name survives its restarts."""
        if self.session_timeout_s is not None:
            return self.session_timeout_s
        return 45.0 if static else 10.0

    def backoff_s(self, attempt: int) -> float:
        """Return the pause in seconds after failed attempt number `attempt` (the first is 1)."""
        # The exponent is bounded because a step may fail for days and 2**attempts would not fit a float.
        return min(self.retry_backoff_max_s, self.retry_backoff_min_s * 2.0 ** min(attempt - 1, 30))
