"""The settings of one history, drawn from its seed: short spans and small batches find more."""

from random import Random

from sinks.settings import SinkSettings
from streams.journal_settings import JournalSettings
from streams.runtime.settings import RuntimeSettings
from streams.session.settings import SessionSettings
from tests.fakes.agents import FakeAgents, agent
from tests.simulation.answers import TOOLS

_LEASE_S = 0.8
"""Shorter than the group takes to notice a death."""
_MARGIN_S = 0.5


def runtime_settings(random: Random) -> RuntimeSettings:
    """Draw how many steps are in flight at once."""
    return RuntimeSettings(
        max_in_flight=random.choice([2, 8]),
        partition_window=random.choice([2, 16]),
        retry_backoff_min_s=0.05,
        retry_backoff_max_s=1.0,
    )


def journal_settings(random: Random) -> JournalSettings:
    """Draw how long the journal remembers; some spans are shorter than a step may wait."""
    return JournalSettings.model_construct(
        lease_s=_LEASE_S, keep_s=random.choice([4, 60, 3600]), margin_s=_MARGIN_S
    )


def session_settings(random: Random, *, fast_path: bool) -> SessionSettings:
    """Draw spans so short that idling, expiry and forgetting happen in a history."""
    return SessionSettings(
        ttl_s=random.choice([3, 12, 86_400]),
        grace_s=random.choice([1, 5]),
        idle_s=random.choice([0, 2, 900]),
        kept_bytes=random.choice([0, 3_000, 1 << 25]),
        fast_path=fast_path,
        barrier_limit_s=random.choice([2.0, 20.0]),
        timer_poll_s=random.choice([0.3, 1.0]),
        timer_batch=random.choice([1, 500]),
        remembered_deliveries=random.choice([1, 1000]),
    )


def sink_settings(random: Random) -> SinkSettings:
    """Draw batches of one row up to all that waits."""
    return SinkSettings(
        batch_rows=random.choice([1, 3, 1000]),
        behind_batch_rows=random.choice([3, 5000]),
        linger_ms=random.choice([0.0, 10.0, 100.0]),
        retry_first_s=0.05,
        retry_most_s=0.5,
        drain_limit_s=random.choice([0.1, 2.0]),
    )


def agents(random: Random) -> FakeAgents:
    """Draw deadlines, budgets, and which tools a person is asked about."""
    asks = random.choice([(), (), ("once",), ("pure", "once")])
    return FakeAgents(
        agent(
            "assistant",
            model="scripted",
            tools=list(TOOLS),
            generation_deadline_s=random.choice([2, 5, 20]),
            tool_deadline_s=random.choice([2, 5, 20]),
            approvals=dict.fromkeys(asks, "always"),
            approval_limit_s=random.choice([1, 6]),
            limits={"generations": random.choice([2, 16])},
        )
    )
