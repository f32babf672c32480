"""Settings of the bus: how to reach Kafka, how topics are made, where schema ids come from."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_PREFIX_LENGTH = 100
_TOPIC_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def _topic_characters(prefix: str) -> str:
    if not set(prefix) <= _TOPIC_CHARACTERS:
        message = "may hold letters, digits, dots, underscores and hyphens only"
        raise ValueError(message)
    return prefix


class KafkaSettings(BaseSettings):
    """How to reach Kafka, with the keys that every Kafka client knows."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_", frozen=True, extra="ignore")

    bootstrap_servers: str = Field(
        default="127.0.0.1:9092", min_length=1, description="Brokers, host:port, by comma."
    )
    security_protocol: SecurityProtocol = Field(
        default="PLAINTEXT", description="How connections are protected."
    )
    sasl_mechanism: SaslMechanism = Field(default="PLAIN", description="How we log in, with a SASL protocol.")
    sasl_username: str | None = Field(default=None, description="User to log in as.")
    sasl_password: SecretStr | None = Field(default=None, description="Password of that user.")
    ssl_cafile: str | None = Field(default=None, description="File with the authorities that we trust (PEM).")
    ssl_certfile: str | None = Field(default=None, description="File with our certificate (PEM).")
    ssl_keyfile: str | None = Field(default=None, description="File with our private key (PEM).")
    ssl_password: SecretStr | None = Field(default=None, description="Password of the private key.")
    ssl_check_hostname: bool = Field(
        default=True, description="Whether a certificate must name its broker's host."
    )
    client_id: str = Field(default="maestro", min_length=1, description="What brokers call us in their logs.")
    request_timeout_ms: int = Field(
        default=30_000, ge=1_000, description="Milliseconds that a broker may take."
    )
    delivery_timeout_s: float = Field(
        default=120,
        gt=0,
        description="Seconds until an unacknowledged publish counts as failed and is tried again.",
    )
    linger_ms: int = Field(
        default=0, ge=0, le=1_000, description="Milliseconds that a publish waits for company in its batch."
    )
    session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        description="Milliseconds without a heartbeat until a sink counts as dead; workers have"
        " MAESTRO_RUNTIME_SESSION_TIMEOUT_S.",
    )

    @model_validator(mode="after")
    def _credentials_are_complete(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL_") and not (self.sasl_username and self.sasl_password):
            message = (
                f"KAFKA_SECURITY_PROTOCOL={self.security_protocol} needs KAFKA_SASL_USERNAME and _PASSWORD"
            )
            raise ValueError(message)
        return self


class TopicSettings(BaseSettings):
    """How topics are named and made."""

    model_config = SettingsConfigDict(env_prefix="MAESTRO_TOPIC_", frozen=True, extra="ignore")

    prefix: Annotated[str, AfterValidator(_topic_characters)] = Field(
        default="maestro.",
        max_length=_PREFIX_LENGTH,
        description="Start of every topic and consumer group name.",
    )
    partitions: int = Field(
        default=12,
        ge=1,
        le=1_000,
        description="Partitions of every topic; choose generously, they are never changed.",
    )
    replication: int = Field(default=1, ge=1, le=9, description="Copies of every topic; 3 in production.")


class SchemaSettings(BaseSettings):
    """Where schema ids come from."""

    model_config = SettingsConfigDict(env_prefix="SCHEMA_REGISTRY_", frozen=True, extra="ignore")

    url: str | None = Field(
        default=None,
        description="Confluent-compatible schema registry, with the path of that interface;"
        " without one the built-in ids are used.",
    )
    username: str | None = Field(default=None, description="User of the registry.")
    password: SecretStr | None = Field(default=None, description="Password of that user.")
    token: SecretStr | None = Field(
        default=None, description="Bearer token of the registry, instead of user and password."
    )
    ssl_cafile: str | None = Field(
        default=None, description="File with the authorities that the registry's certificate rests on (PEM)."
    )
    timeout_s: float = Field(default=10, gt=0, description="Seconds that the registry may take to answer.")
    tries: int = Field(
        default=3, ge=1, le=10, description="Times that the registry is asked before it counts as away."
    )

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> "SchemaSettings":
        if self.token is not None and self.username is not None:
            message = "SCHEMA_REGISTRY_TOKEN and SCHEMA_REGISTRY_USERNAME exclude each other: unset one"
            raise ValueError(message)
        return self
