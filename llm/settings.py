"""Settings of model calls, and what the provider library must find in the environment."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ModelSettings(BaseSettings):
    """Which model answers, and how long it may take. Keys of providers keep their own names."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_MODEL_", frozen=True)

    default: str = Field(
        default="rehearsal",
        min_length=1,
        max_length=200,
        description="Model of the built-in agents: `rehearsal` works offline;"
        " real ones are written provider/model, for example openai/gpt-4o-mini.",
    )
    base_url: str | None = Field(
        default=None, description="Address of an OpenAI-compatible server that all real models are asked at."
    )
    api_key: SecretStr | None = Field(
        default=None, description="Key for all real models; unset, each provider's own variable is used."
    )
    timeout_s: float = Field(default=120.0, gt=0, description="Seconds that one model call may take.")
    rehearsal_scripts: Path | None = Field(
        default=None,
        description="Folder with scripts of your own for the rehearsal model:"
        " NAME.yaml there is the model rehearsal:NAME.",
    )


def prepare_environment() -> None:
    """Keep the provider library from fetching its price table over the network while it is imported."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
