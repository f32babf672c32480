"""How to reach Kafka, as values that the composition root fills in."""

import ssl
from dataclasses import dataclass, field
from typing import Literal

SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Brokers as `host:port`, and credentials. TLS is used with an `ssl_context`, SASL with a mechanism."""

    bootstrap_servers: tuple[str, ...]
    ssl_context: ssl.SSLContext | None = None
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    client_id: str = "maestro"
