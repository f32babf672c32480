"""Settings of the embedded services: where their data and their programs are."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EmbeddedSettings(BaseSettings):
    """Where the embedded Kafka, PostgreSQL and Redis keep their data and find their programs."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_", frozen=True, extra="ignore")

    data_dir: Path = Field(
        default=Path("~/.local/share/maestro"),
        description="Folder for the data, logs, ports and passwords of the embedded services.",
    )
    kafka_jars_dir: Path | None = Field(
        default=None,
        description="Folder with Kafka's jars; by default in the virtual environment or the user's cache.",
    )
    maven_mirror: str | None = Field(
        default=None,
        description="Base URL of a Maven repository to fetch Kafka's jars from instead of the public one.",
    )
