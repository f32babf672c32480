"""Builds the machine of paid steps that generate and execute share."""

import time
from collections.abc import Iterator

from maestro.process_settings import ProcessSettings
from maestro.settings import SettingsError, load
from maestro.wiring.wires import Wires
from schemas.ids import new_id
from stores.postgres.once_claims import OnceClaims
from stores.postgres.steps import Steps
from stores.redis.journal import Journal
from stores.redis.settings import RedisSettings
from streams.end_barrier import EndBarrier
from streams.journal_settings import JournalSettings
from streams.journaled import StepMachine
from streams.runtime.settings import RuntimeSettings


def journal_settings() -> JournalSettings:
    """Return the journal's settings, which others must fit.

    Raises:
        SettingsError: some do not fit, alone or together; all are named.

    """
    journal, runtime, process, redis = load(JournalSettings, RuntimeSettings, ProcessSettings, RedisSettings)
    session_timeout_s = runtime.session_timeout_of(static=process.static_name is not None)
    problems = tuple(_problems(journal, redis, session_timeout_s))
    if problems:
        raise SettingsError(problems)
    return journal


def _problems(journal: JournalSettings, redis: RedisSettings, session_timeout_s: float) -> Iterator[str]:
    if journal.lease_s > session_timeout_s:
        yield (
            f"MAESTRO_JOURNAL_LEASE_S is {journal.lease_s:g}, more than the session timeout of"
            f" {session_timeout_s:g} s (MAESTRO_RUNTIME_SESSION_TIMEOUT_S): whoever takes a partition over"
            " would wait for a dead worker's leases"
        )
    if redis.journal_claim_keep_s < journal.keep_s:
        yield (
            f"MAESTRO_REDIS_JOURNAL_CLAIM_KEEP_S is {redis.journal_claim_keep_s}, less than"
            f" MAESTRO_JOURNAL_KEEP_S ({journal.keep_s}): an attempt would be forgotten before its step is"
            " looked up in the record"
        )
    if 2 * journal.margin_s >= journal.keep_s:
        yield (
            f"MAESTRO_JOURNAL_MARGIN_S is {journal.margin_s:g}, half of MAESTRO_JOURNAL_KEEP_S"
            f" ({journal.keep_s}) or more: every step would be looked up in the record"
        )


def token_prefix(group: str) -> str:
    """Return what begins the tokens of a process with a static name in a consumer group; else nothing.

    The broker lets nobody else have the name in the group, and the time-ordered id says who came later.
    """
    (process,) = load(ProcessSettings)
    return f"{group}.{process.static_name}:{new_id()}:" if process.static_name else ""


def step_machine(wires: Wires, group: str) -> StepMachine:
    """Return the machine on the process's own stores and topics, for a member of a consumer group."""
    return StepMachine(
        journal=Journal(wires.redis),
        once_claims=OnceClaims(wires.database),
        barrier=EndBarrier(names=wires.bus.names, ends=wires.ends, barrier=wires.barrier),
        erasures=Steps(wires.database),
        publisher=wires.bus.publisher,
        settings=journal_settings(),
        now_ms=lambda: time.time_ns() // 1_000_000,
        token_prefix=token_prefix(group),
    )
