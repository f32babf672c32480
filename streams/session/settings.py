"""Settings of the session step."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.session.rules import Rules


class SessionSettings(BaseSettings):
    """How sessions live and how their steps wait. Read from `MAESTRO_SESSION_*`."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_SESSION_", frozen=True)

    default_agent_id: str = Field(
        default="assistant", min_length=1, description="Agent of a session whose messages name none."
    )
    ttl_s: int = Field(
        default=86_400,
        ge=1,
        description="Seconds without activity until a context expires, unless its agent says else.",
    )
    max_ttl_s: int = Field(
        default=2_592_000, ge=1, description="Longest time to live that an agent or a command can ask for."
    )
    idle_s: int = Field(
        default=900,
        ge=0,
        description="Seconds without activity until a session is called idle; 0: never. Kept with the session"
        " when it begins and when it is used again.",
    )
    grace_s: int = Field(
        default=60,
        ge=1,
        description="Seconds that Redis keeps a context beyond its time, so that its expiry can be decided.",
    )
    history_bytes: int = Field(
        default=65_536,
        ge=1_024,
        le=65_536,
        description="Bytes of earlier runs' messages that the model sees whole; older ones are summarized.",
    )
    summary_bytes: int = Field(
        default=8_192, ge=256, le=8_192, description="Bytes of the summary of what the history left out."
    )
    barrier_limit_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that a step waits for the Postgres sink before it starts over.",
    )
    timer_poll_s: float = Field(
        default=0.5, gt=0, description="Seconds between looks at the timers; they fire that much late."
    )
    timer_batch: int = Field(default=500, ge=1, description="Timers of one partition that fire at a time.")
    max_rounds: int = Field(
        default=16,
        ge=1,
        description="Times that a step starts over at once when another process was faster; then it pauses.",
    )
    remembered_deliveries: int = Field(
        default=100_000,
        ge=1,
        description="Sessions whose last decision is known to be delivered; others publish it again.",
    )
    kept_bytes: int = Field(
        default=33_554_432,
        ge=0,
        description="Bytes of contexts that a worker keeps, by their stored size; others are loaded.",
    )

    fast_path: bool = Field(
        default=False,
        description="Whether a session that must be new by its id (a UUIDv7 made less than a minute ago)"
        " begins without asking the record. Only where producers' clocks and Redis' agree within a minute.",
    )

    def rules(self) -> Rules:
        """Return the limits that decisions obey."""
        return Rules(
            default_agent_id=self.default_agent_id,
            ttl_s=self.ttl_s,
            max_ttl_s=self.max_ttl_s,
            idle_s=self.idle_s,
            max_history_bytes=self.history_bytes,
            max_summary_bytes=self.summary_bytes,
        )
