"""Checks of the dev that runs, of the settings and of the default model."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from llm.keys import missing_keys
from llm.rehearsal import NAME as REHEARSAL
from llm.settings import ModelSettings
from maestro.dev.finding import Finding, noted, ok, wrong
from maestro.dev.state import Kind, PartState, Phase, running
from maestro.embedded.keeper import answers_ok
from maestro.settings import SettingsError, load
from maestro.settings_catalogue import CATALOGUE


def check_settings() -> tuple[Finding, ...]:
    """Look whether the environment makes valid settings."""
    try:
        _ = load(*CATALOGUE.values())
    except SettingsError as error:
        return tuple(wrong("settings", problem, "Change or unset it.") for problem in error.problems)
    return (ok("settings", "all fit"),)


def check_model() -> Finding:
    """Look whether the built-in agents' model can be asked."""
    (settings,) = load(ModelSettings)
    model = settings.default
    if model == REHEARSAL or model.startswith(f"{REHEARSAL}:"):
        mend = "MAESTRO_MODEL_DEFAULT=provider/model names a real one."
        return noted("model", f"{model}: scripted answers, offline", mend)
    if settings.api_key is not None or settings.base_url is not None:
        return ok("model", f"{model}, with MAESTRO_MODEL_API_KEY or MAESTRO_MODEL_BASE_URL")
    missing = missing_keys(model)
    if missing:
        return wrong("model", f"{model} needs {', '.join(missing)}", "Set it, in the environment or in .env.")
    return ok("model", f"{model}, its key is set")


async def check_dev(root: Path) -> tuple[Finding, ...]:
    """Look at every part of the dev that runs on the folder."""
    state = running(root)
    if state is None:
        return (noted("dev", f"does not run on {root}", "`maestro dev` starts everything."),)
    if state.phase is not Phase.READY:
        return (noted("dev", f"is {state.phase} (process {state.pid})", "Look again in a minute."),)
    parts = await asyncio.gather(*(_part(part) for part in state.parts))
    return (ok("dev", f"runs on {root} (process {state.pid})"), *unwell(parts))


def unwell(parts: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return those that have to be mended; one finding for all when there are none."""
    bad = tuple(part for part in parts if part.mend)
    return bad or (ok("roles", f"{len(parts)} services and roles are ready"),)


async def _part(part: PartState) -> Finding:
    is_ready = part.state in {"ready", "external"}
    if is_ready and part.kind is Kind.ROLE and part.port is not None:
        is_ready = await answers_ok(part.port, "/ready")
    if is_ready:
        return ok(part.name, part.state)
    return wrong(
        part.name, f"is {part.state}, restarted {part.restarts} times", f"Its log says why: {part.log}"
    )
