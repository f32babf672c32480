"""Hooks of schemathesis: requests that fit get ids of the caller's own, so that they reach what is behind.

The ids come as JSON in MAESTRO_TEST_IDS, by the names of parameters in paths.
"""

import json
import os
from collections.abc import MutableMapping
from typing import Any

import schemathesis
from schemathesis import Case, HookContext
from schemathesis.generation import GenerationMode

IDS: dict[str, list[str]] = json.loads(os.environ["MAESTRO_TEST_IDS"])
SPENT = {"erase_session", "retire_agent", "change_agent", "change_session"}
"""What these are done to is gone or put away: each gets an id of its own, as long as there are some."""

OWN_NAMES = ("Idempotency-Key", "client_message_id")
"""A name that comes again with another request is refused, and rightly."""


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Give a request that fits ids that exist, and leave out what its document cannot forbid."""
    del context, kwargs
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    name = case.operation.definition.raw["operationId"]
    if name == "stream_events":
        # A stream of a session that exists does not end; streams are read by tests of their own.
        return
    _know(case, name)
    _leave_out(case)


def _know(case: Case[Any], name: str) -> None:
    for parameter in case.path_parameters or {}:
        if known := IDS.get(parameter):
            case.path_parameters[parameter] = known.pop() if name in SPENT and len(known) > 1 else known[0]


def _leave_out(case: Case[Any]) -> None:
    for part in (case.headers, case.body):
        for own in OWN_NAMES:
            if isinstance(part, MutableMapping) and own in part:
                del part[own]
    if isinstance(case.body, dict) and case.body.get("wait_seconds") is not None:
        case.body["wait_seconds"] = 0  # nothing works on runs here
    if {"after", "limit"} & set(case.query or {}):
        # The two ways to read messages exclude each other.
        for pages in ("page", "per_page"):
            case.query.pop(pages, None)
