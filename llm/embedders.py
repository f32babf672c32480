"""The embedder that the settings name."""

from llm.embedding import Embedder
from llm.embedding_settings import EmbeddingSettings
from llm.hashed import NAME, HashedEmbedder
from llm.provider_embedding import ProviderEmbedder


def build_embedder(settings: EmbeddingSettings) -> Embedder:
    """Return the offline embedder or a provider's model."""
    return HashedEmbedder() if settings.model == NAME else ProviderEmbedder(settings)
