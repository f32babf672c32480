"""Settings of the generate role: how the words of an answer reach those who watch."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class GenerateSettings(BaseSettings):
    """The live feed of a generation. Read from `MAESTRO_GENERATE_*`."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_GENERATE_", frozen=True)

    delta_interval_s: float = Field(
        default=0.05,
        gt=0,
        description="Seconds of text that are put together into one entry of the live feed.",
    )
    run_check_s: float = Field(
        default=2.0,
        gt=0,
        description="Seconds between two looks whether the run goes on; the call of an ended one is closed.",
    )
    feed_keep_s: int = Field(
        default=3600, ge=1, description="Seconds that the live feed of a session is kept."
    )
    feed_max_entries: int = Field(
        default=5000,
        ge=10,
        description="Most entries of a session's live feed when words are added; older ones go.",
    )
