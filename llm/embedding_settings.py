"""Settings of embeddings: which model makes the vectors, and how it is asked."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class EmbeddingSettings(BaseSettings):
    """Which model embeds. Keys of providers keep their own names."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_EMBEDDING_", frozen=True, extra="ignore")

    model: str = Field(
        default="offline",
        min_length=1,
        max_length=200,
        description="Model that makes vectors: `offline` counts words and needs nothing;"
        " real ones are written provider/model, for example openai/text-embedding-3-small.",
    )
    base_url: str | None = Field(
        default=None, description="Address that the embedding model is asked at; unset, its provider's own."
    )
    api_key: SecretStr | None = Field(
        default=None, description="Key for the embedding model; unset, its provider's own variable is used."
    )
    timeout_s: float = Field(default=60.0, gt=0, description="Seconds that one call may take.")
    batch_texts: int = Field(default=64, ge=1, le=2048, description="Most texts of one call.")
