"""Settings of a process: its name, its health port, how it logs."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProcessSettings(BaseSettings):
    """What every long-running process needs to know about itself."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_", frozen=True)

    static_name: str | None = Field(
        default=None,
        description="Unique name that this process keeps over restarts. Set it only where that is certain:"
        " the consumer group then waits for the restart instead of moving the partitions.",
    )
    health_host: str = Field(
        default="127.0.0.1",
        description="Address on which /live, /ready and /metrics are served. They ask for no password:"
        " do not serve them to everybody.",
    )
    health_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port of /live, /ready and /metrics; 0 serves none of them."
        " `maestro dev` gives each process its own.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log line that is written."
    )
    log_format: Literal["json", "text"] = Field(default="json", description="How log lines on stderr look.")
