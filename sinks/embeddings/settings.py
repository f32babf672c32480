"""Settings of the embeddings sink: how texts are cut, and whose documents everybody may search."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class EmbeddingsSinkSettings(BaseSettings):
    """How the sink cuts texts and writes vectors."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_EMBEDDING_", frozen=True, extra="ignore")

    chunk_chars: int = Field(
        default=1500, ge=100, le=20_000, description="Most characters of one piece of a text."
    )
    overlap_chars: int = Field(
        default=200,
        ge=0,
        description="Characters that a piece shares with the one before; less than half a piece.",
    )
    write_records: int = Field(
        default=200,
        ge=1,
        description="Most messages and documents of one transaction: all are embedded before it.",
    )
    shared_owner: str | None = Field(
        default=None, description="User whose documents everybody may search; unset, there is none."
    )

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.overlap_chars >= self.chunk_chars / 2:
            message = "overlap_chars must be less than half of chunk_chars"
            raise ValueError(message)
        return self
