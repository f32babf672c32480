"""A completion request as the provider library's arguments. Pure."""

from typing import Any

import httpx

from llm.completion import CompletionRequest, ToolSpec
from llm.settings import ModelSettings


def arguments_of(request: CompletionRequest, settings: ModelSettings) -> dict[str, Any]:
    """Return the arguments of one streamed call that is not retried by the library itself."""
    connect_s = min(settings.connect_timeout_s, request.timeout_s)
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": [dict(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "timeout": httpx.Timeout(request.timeout_s, connect=connect_s),
        "num_retries": 0,
        "max_retries": 0,
        "drop_params": True,
        # Without it, any tool makes the library import a package for tool gateways.
        "_skip_mcp_handler": True,
        "extra_headers": {"Idempotency-Key": request.id},
        **server_of(settings),
    }
    if request.tools:
        arguments["tools"] = [_tool(tool) for tool in request.tools]
    if request.parameters.temperature is not None:
        arguments["temperature"] = request.parameters.temperature
    if request.parameters.max_output_tokens is not None:
        arguments["max_tokens"] = request.parameters.max_output_tokens
    return arguments


def server_of(settings: ModelSettings) -> dict[str, Any]:
    """Return where all real models are asked and with which key, as far as the settings say so."""
    server: dict[str, Any] = {}
    if settings.base_url is not None:
        server["api_base"] = settings.base_url
    if settings.api_key is not None:
        server["api_key"] = settings.api_key.get_secret_value()
    return server


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
