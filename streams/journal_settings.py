"""Settings of the step journal: how long a claim holds, how long a result is kept."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class JournalSettings(BaseSettings):
    """How the steps generate and execute are claimed and remembered. Read from `MAESTRO_JOURNAL_*`."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_JOURNAL_", frozen=True)

    lease_s: float = Field(
        default=8.0,
        gt=0,
        description="Seconds that a claimed step belongs to its worker without renewal; keep it below the"
        " session timeout, so that who takes over the partition need not wait.",
    )
    keep_s: int = Field(
        default=3600,
        ge=60,
        description="Seconds that a result stays in the journal; older steps are looked up in the record.",
    )
    margin_s: float = Field(
        default=10.0,
        ge=0,
        description="Seconds by which the clocks of Redis and Kafka may differ; a step born within them after"
        " Redis forgot its data is looked up in the record first.",
    )
