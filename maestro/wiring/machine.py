"""Builds the machine of paid steps that generate and execute share."""

import time

from maestro.settings import load
from maestro.wiring.wires import Wires
from stores.postgres.once_claims import OnceClaims
from stores.postgres.steps import Steps
from stores.redis.journal import Journal
from streams.end_barrier import EndBarrier
from streams.journal_settings import JournalSettings
from streams.journaled import StepMachine


def step_machine(wires: Wires) -> StepMachine:
    """Return the machine on the process's own stores and topics."""
    (settings,) = load(JournalSettings)
    return StepMachine(
        journal=Journal(wires.redis),
        once_claims=OnceClaims(wires.database),
        barrier=EndBarrier(names=wires.bus.names, ends=wires.ends, barrier=wires.barrier),
        erasures=Steps(wires.database),
        publisher=wires.bus.publisher,
        settings=settings,
        now_ms=lambda: time.time_ns() // 1_000_000,
    )
