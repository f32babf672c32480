"""Asks a question through `maestro ask`, as a person would, on the running dev."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

DEMO: Final = "Which product sold best last month?"
ASK_LIMIT_S: Final = 300.0
END_LIMIT_S: Final = 10.0
EXIT_TIMEOUT: Final = 5

# -P: modules of the current folder must not take the place of ours.
PROGRAM: Final = (sys.executable, "-P", "-m", "maestro")


async def ask(question: str, *, env: Mapping[str, str], as_json: bool = False) -> int:
    """Show stages and answer of one question on our own terminal; return the exit code of `maestro ask`."""
    options = ("--json",) if as_json else ()
    asking = await asyncio.create_subprocess_exec(*PROGRAM, "ask", *options, "--", question, env=dict(env))
    try:
        async with asyncio.timeout(ASK_LIMIT_S):
            return await asking.wait()
    except TimeoutError:
        return EXIT_TIMEOUT
    finally:
        if asking.returncode is None:
            with suppress(ProcessLookupError):
                asking.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(END_LIMIT_S):
                    _ = await asking.wait()
