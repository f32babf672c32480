"""Settings of model calls, and what the provider library must find in the environment."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from llm.patience import Patience
from llm.rehearsal import NAME


class ModelSettings(BaseSettings):
    """Which model answers, and how long it may take. Keys of providers keep their own names."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_MODEL_", frozen=True)

    default: str = Field(
        default=NAME,
        min_length=1,
        max_length=200,
        description="Model of the built-in agents: `rehearsal` works offline;"
        " real ones are written provider/model, for example openai/gpt-4o-mini.",
    )
    base_url: str | None = Field(
        default=None,
        description="Address that all real models are asked at, for example an OpenAI-compatible server;"
        " unset, each provider's own.",
    )
    api_key: SecretStr | None = Field(
        default=None, description="Key for all real models; unset, each provider's own variable is used."
    )
    timeout_s: float = Field(default=120.0, gt=0, description="Seconds that one model call may take.")
    connect_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds until the provider must have accepted the connection."
    )
    first_token_s: float = Field(
        default=60.0, gt=0, description="Seconds until the first piece of an answer must have come."
    )
    token_gap_s: float = Field(
        default=30.0, gt=0, description="Longest silence in the middle of an answer, in seconds."
    )
    tries: int = Field(
        default=3,
        ge=1,
        description="Calls of one model where the trouble may pass; then the fall-back models are asked.",
    )
    retry_first_s: float = Field(
        default=0.5,
        ge=0,
        description="Seconds until the second call; doubles each time, and a part of it is left to chance.",
    )
    retry_most_s: float = Field(
        default=20.0,
        ge=0,
        description="Longest such wait; who asks for more is left for the next model, where there is one.",
    )
    rehearsal_scripts: Path | None = Field(
        default=None,
        description="Folder with scripts of your own for the rehearsal model:"
        " NAME.yaml there is the model rehearsal:NAME.",
    )

    @property
    def expects_provider(self) -> bool:
        """Whether real models are likely to be asked: one answers by default, or a way to one is named."""
        is_offline = self.default.partition(":")[0] == NAME
        return not is_offline or self.base_url is not None or self.api_key is not None


def patience_of(settings: ModelSettings) -> Patience:
    """Return how patiently models are asked."""
    return Patience(
        tries=settings.tries,
        first_wait_s=settings.retry_first_s,
        most_wait_s=settings.retry_most_s,
        call_limit_s=settings.timeout_s,
    )


def prepare_environment() -> None:
    """Keep the provider library from fetching its price table over the network while it is imported."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
