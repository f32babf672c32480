"""`maestro api`: one process that serves applications over HTTP."""

import click

from maestro.cli.worker import run_process


@click.command()
def api() -> None:
    r"""Serve the HTTP API until SIGTERM; start more of them behind a load balancer.

    \b
    It needs Kafka, PostgreSQL and Redis like every role, and from the environment:
      MAESTRO_API_JWT_SECRET     secret of the callers' tokens, for HS256 at least 32 bytes
      or MAESTRO_API_JWKS_URL    where the keys of their issuer are published
      MAESTRO_API_JWT_ISSUER     the `iss` of their tokens
      MAESTRO_API_JWT_AUDIENCE   the `aud` of their tokens
      MAESTRO_API_HOST, _PORT    where it listens: 127.0.0.1:8000, plain HTTP

    GET /live and GET /ready are for the load balancer, GET /openapi.json describes every call;
    `maestro config` shows all settings. On a developer's machine `maestro dev` starts it by itself.
    """
    run_process("api", "maestro.wiring.api:api_process")
