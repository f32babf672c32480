"""The provider library: imported at its first use, told to keep to itself, and nothing of it remembered."""

import importlib
import warnings
from typing import Any

from llm.settings import prepare_environment


def import_library() -> Any:
    """Return the library's module. Takes seconds: call it in a thread."""
    prepare_environment()
    # About how it is written, not about how it is used: nobody who reads a worker's log can act on it.
    warnings.filterwarnings("ignore", message=r"Item .* on TypedDict class", category=UserWarning)
    library: Any = importlib.import_module("litellm")
    library.suppress_debug_info = True
    # Its own connection pool on aiohttp is never closed; httpx is closed with the client.
    library.disable_aiohttp_transport = True
    # Nothing but the model's own address is spoken to.
    library.telemetry = False
    library.disable_hf_tokenizer_download = True
    library.turn_off_message_logging = True
    for name in ("callbacks", "input_callback", "success_callback", "failure_callback"):
        setattr(library, name, [])
    library._async_success_callback = []  # noqa: SLF001  the library has no other switch for these
    library._async_failure_callback = []  # noqa: SLF001
    return library
