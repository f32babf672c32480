"""The real classes fit the ports of the session step: checked by the type checker, called by name here."""

import inspect

import pytest

from bus.admin import Admin
from bus.agents_table import AgentsTable
from bus.codec import Codec
from bus.deadletter import DeadLetters
from bus.names import TopicNames
from bus.publisher import Publisher
from stores.postgres.progress import Progress
from stores.postgres.runs import Runs
from stores.postgres.session_logs import SessionLogs
from stores.postgres.timers import Timers as RecordedTimers
from stores.redis.contexts import Contexts
from stores.redis.timers import Timers
from streams import barrier
from streams.runtime.role import Role
from streams.session import ports
from streams.session.role import SessionRole


def fits(  # noqa: PLR0917 - one line for each port
    contexts: Contexts,
    timers: Timers,
    publisher: Publisher,
    admin: Admin,
    codec: Codec,
    names: TopicNames,
    dead_letters: DeadLetters,
    agents: AgentsTable,
    logs: SessionLogs,
    runs: Runs,
    recorded: RecordedTimers,
    progress: Progress,
    own_barrier: barrier.Barrier,
    role: SessionRole,
) -> tuple[
    ports.Contexts,
    ports.Timers,
    ports.Publisher,
    ports.EndOffsets,
    ports.Decoder,
    ports.TopicNames,
    ports.DeadLetters,
    ports.Agents,
    ports.SessionLogs,
    ports.Runs,
    ports.RecordedTimers,
    barrier.Progress,
    ports.Barrier,
    Role,
]:
    return (
        contexts,
        timers,
        publisher,
        admin,
        codec,
        names,
        dead_letters,
        agents,
        logs,
        runs,
        recorded,
        progress,
        own_barrier,
        role,
    )


@pytest.mark.parametrize(
    ("real", "port"),
    [
        (Contexts, ports.Contexts),
        (Timers, ports.Timers),
        (Publisher, ports.Publisher),
        (Admin, ports.EndOffsets),
        (Codec, ports.Decoder),
        (TopicNames, ports.TopicNames),
        (DeadLetters, ports.DeadLetters),
        (AgentsTable, ports.Agents),
        (SessionLogs, ports.SessionLogs),
        (Runs, ports.Runs),
        (RecordedTimers, ports.RecordedTimers),
        (Progress, barrier.Progress),
        (barrier.Barrier, ports.Barrier),
    ],
)
def test_a_real_class_has_every_method_of_its_port_with_the_same_options(real: type, port: type) -> None:
    for name, wanted in inspect.getmembers(port, inspect.isfunction):
        if name.startswith("_"):
            continue
        found = inspect.signature(getattr(real, name)).parameters
        assert list(found)[: len(inspect.signature(wanted).parameters)] == list(
            inspect.signature(wanted).parameters
        )
