"""How every client of ours connects: addresses, security, time limits. And what Kafka's errors mean to us."""

import ssl
from typing import Any

from aiokafka import errors

from bus.settings import KafkaSettings
from schemas.errors import ErrorCode, FatalError, MaestroError, TransientError

_FENCED = (
    errors.OutOfOrderSequenceNumber,
    errors.ProducerFenced,
    errors.InvalidProducerEpoch,
    errors.UnknownProducerId,
)
_REFUSED = (
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.SaslAuthenticationFailed,
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
)
_TRANSIENT = (
    errors.KafkaTimeoutError,
    errors.KafkaConnectionError,
    errors.UnknownTopicOrPartitionError,
    # A commit that a rebalance overtook: the place has another owner, or will be given out again.
    errors.CommitFailedError,
    errors.IllegalGenerationError,
    errors.RebalanceInProgressError,
    errors.UnknownMemberIdError,
)


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the arguments that every aiokafka client takes.

    Raises:
        FatalError: a certificate file cannot be read.

    """
    password = settings.sasl_password
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": settings.client_id,
        "request_timeout_ms": settings.request_timeout_ms,
        "security_protocol": settings.security_protocol,
        "ssl_context": _ssl_context(settings) if settings.security_protocol.endswith("SSL") else None,
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
    }


def translated(error: errors.KafkaError | TimeoutError, *, doing: str) -> MaestroError:
    """Return what `error`, met while `doing` something, means: try again later or stop."""
    name = type(error).__name__
    # The client's own errors begin with their name, others do not.
    text = str(error)
    detail = text if text.startswith(name) else f"{name}: {text}" if text else name
    if isinstance(error, TimeoutError):
        return TransientError(f"{doing}: no answer from Kafka in time; is the broker up?")
    if isinstance(error, _FENCED):
        return FatalError(f"{doing}: another producer took over ({detail}); restart", code=ErrorCode.FENCED)
    if isinstance(error, _REFUSED):
        return FatalError(f"{doing}: Kafka refuses us ({detail}); check the KAFKA_ settings and ACLs")
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return TransientError(f"{doing}: the topic is missing; create it with `maestro topics`")
    if isinstance(error, _TRANSIENT) or error.retriable:
        return TransientError(f"{doing}: {detail}")
    return FatalError(f"{doing}: {detail}; restart", code=ErrorCode.UNKNOWN)


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        context.check_hostname = settings.ssl_check_hostname
        if settings.ssl_certfile:
            password = settings.ssl_password
            context.load_cert_chain(
                settings.ssl_certfile, settings.ssl_keyfile, password.get_secret_value() if password else None
            )
    except (OSError, ssl.SSLError) as error:
        message = f"a file of KAFKA_SSL_CAFILE, _CERTFILE or _KEYFILE cannot be used: {error}"
        raise FatalError(message) from error
    return context
