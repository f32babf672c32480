"""Settings of the lists of recent sessions."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RecentsSettings(BaseSettings):
    """How long and how many recent sessions of a user are kept."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_RECENTS_", frozen=True, extra="ignore")

    keep_s: int = Field(
        default=30 * 86_400, ge=1, description="Seconds that a session stays listed after its last activity."
    )
    most: int = Field(
        default=200, ge=1, le=5_000, description="Sessions of one user that are listed; the oldest go first."
    )
