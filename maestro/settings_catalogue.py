"""Every settings model of the project under the heading that its reference page shows."""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic_settings import BaseSettings

from api.settings import ApiSettings
from bus.settings import KafkaSettings, SchemaSettings, TopicSettings
from llm.embedding_settings import EmbeddingSettings
from llm.settings import ModelSettings
from maestro.embedded.settings import EmbeddedSettings
from maestro.process_settings import ProcessSettings
from sinks.embeddings.settings import EmbeddingsSinkSettings
from sinks.recents.settings import RecentsSettings
from sinks.settings import SinkSettings
from stores.postgres.settings import PostgresSettings
from stores.redis.settings import RedisSettings
from streams.execute.settings import HttpToolSettings, SqlSettings, ToolSettings
from streams.generate.settings import GenerateSettings
from streams.journal_settings import JournalSettings
from streams.runtime.settings import RuntimeSettings
from streams.session.settings import SessionSettings

CATALOGUE: Mapping[str, type[BaseSettings]] = MappingProxyType(
    {
        "Kafka": KafkaSettings,
        "Topics": TopicSettings,
        "Schema registry": SchemaSettings,
        "PostgreSQL": PostgresSettings,
        "Redis": RedisSettings,
        "Sessions": SessionSettings,
        "Models": ModelSettings,
        "Generate": GenerateSettings,
        "Step journal": JournalSettings,
        "Tools": ToolSettings,
        "SQL tool": SqlSettings,
        "Web tool": HttpToolSettings,
        "Sinks": SinkSettings,
        "Recents sink": RecentsSettings,
        "Embeddings": EmbeddingSettings,
        "Embeddings sink": EmbeddingsSinkSettings,
        "HTTP API": ApiSettings,
        "Workers": RuntimeSettings,
        "Processes": ProcessSettings,
        "Embedded services": EmbeddedSettings,
    }
)
