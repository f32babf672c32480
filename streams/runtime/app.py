"""The door to Faust: one app, one agent on all topics of a role, everything it may do for us."""

import asyncio
import logging
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import faust
from faust.types import TP
from yarl import URL

from bus.membership import MembershipFacts, facts_of
from streams.runtime.acker import Place
from streams.runtime.connection import ConnectionOptions
from streams.runtime.consumer import Consumer, RebalanceHooks, Transport
from streams.runtime.settings import RuntimeSettings
from streams.runtime.take import Take

_log = logging.getLogger(__name__)

_NEVER_S = 1e9
"""For limits of Faust that only write misleading log lines about slow steps."""
_YEAR_S = 31_536_000.0
"""The client alone checks its poll interval: a worker idle or busy for longer would leave for good."""

Dispatch = Callable[[Take], Awaitable[None]]


class _App(faust.App):
    """An app without files."""

    async def on_first_start(self) -> None:
        """Make no directories: there are no tables."""


class FaustDoor:
    """Faust as the runtime needs it. Takes go to `dispatch`, rebalances to `hooks`, failures to `fail`."""

    def __init__(
        self,
        *,
        topics: tuple[str, ...],
        group: str,
        static_name: str | None,
        settings: RuntimeSettings,
        connection: ConnectionOptions,
        dispatch: Dispatch,
        hooks: RebalanceHooks,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._topics = topics
        self._dispatch = dispatch
        self._fail = fail
        self._unanswered = 0
        self._app: Any = _App(group, **_options(group, static_name, settings, connection))
        transport = Transport(self._app.conf.broker_consumer, self._app)
        transport.hooks = hooks
        self._app.transport = transport
        channel = self._app.topic(
            *topics,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )
        self._app.agent(channel, name=f"{group}.dispatch", concurrency=1)(self._consume)

    async def start(self) -> None:
        """Connect, join the group and wait for the first assignment. Raises what the client raises."""
        await self._app.start()

    async def stop(self) -> None:
        """Commit, leave the group (a static member stays listed) and close the connections."""
        await self._app.stop()

    def acknowledge(self, place: Place, offset: int) -> None:
        """Let everything of a place before `offset` be committed."""
        self._consumer.acknowledge(place, offset)

    def pause(self, place: Place) -> None:
        """Fetch no more from a partition. What is on the way still arrives."""
        self._consumer.on_buffer_full(TP(*place))

    def resume(self, place: Place) -> None:
        """Fetch from a partition again."""
        self._consumer.on_buffer_drop(TP(*place))

    def partition_counts(self) -> dict[str, int | None]:
        """Return the number of partitions of each topic, as far as the client knows it."""
        return {topic: self._consumer.topic_partitions(topic) for topic in self._topics}

    def membership(self) -> MembershipFacts:
        """Look at the group membership."""
        if (crash := self._crash()) is not None:
            return MembershipFacts(crash=crash)
        thread: Any = getattr(self._app._consumer, "_thread", None)  # noqa: SLF001
        client = getattr(thread, "_consumer", None)
        coordinator = getattr(client, "_coordinator", None)
        unanswered = 0 if coordinator is None else self._unanswered_by(thread.thread_loop)
        return facts_of(coordinator, rebalancing=self._app.rebalancing, unanswered=unanswered)

    def _unanswered_by(self, loop: asyncio.AbstractEventLoop) -> int:
        """Ask the loop of the consumer's thread whether it goes round; return how often it did not say so."""
        self._unanswered += 1
        if self._unanswered == 1:
            with suppress(RuntimeError):  # closed: the thread has ended, which is told as a crash
                loop.call_soon_threadsafe(self._answer)
        return self._unanswered - 1

    def _answer(self) -> None:
        self._unanswered = 0

    @property
    def _consumer(self) -> Consumer:
        consumer: Consumer = self._app.consumer
        return consumer

    def _crash(self) -> str | None:
        app = self._app
        consumer = app._consumer  # noqa: SLF001
        for service in (app, consumer, getattr(consumer, "_thread", None)):
            if service is not None and service.crashed:
                return repr(service.crash_reason)
        return None

    async def _consume(self, stream: Any) -> None:
        consumer = self._consumer
        consumer.feed(stream.channel.queue)
        try:
            # The channel itself: the stream around it would do for each what is needed once per message.
            async for take in stream.channel:
                await self._dispatch(take)
                consumer.handed_on()
        except Exception as error:
            # Faust would restart the agent and the messages would be gone.
            self._fail(error)
            raise


def _options(
    group: str, static_name: str | None, settings: RuntimeSettings, connection: ConnectionOptions
) -> dict[str, Any]:
    # The assignor compares this address with what it saved in the group; a static member must come back under
    # the same one, and any other member must not share one. Nothing connects to it.
    host = static_name or uuid.uuid4().hex
    return {
        # Explicit, because Faust lets its environment variables win over arguments.
        "env": {},
        "version": 1,
        "autodiscover": False,
        "broker": [URL(f"kafka://{server}") for server in connection.bootstrap_servers],
        "broker_client_id": connection.client_id,
        "broker_credentials": _credentials(connection),
        "canonical_url": URL(f"http://{host}.{group}.worker.invalid"),
        "consumer_group_instance_id": None if static_name is None else f"{group}.{static_name}",
        "datadir": Path(tempfile.gettempdir()) / "maestro-unused",
        "store": "memory://",
        "processing_guarantee": "at_least_once",
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 1,  # 0 selects another assignor, which separates the topics' partitions
        "key_serializer": "raw",
        "value_serializer": "raw",
        "web_enabled": False,
        "stream_wait_empty": False,
        "stream_publish_on_commit": False,
        "stream_buffer_maxsize": settings.buffer_messages,
        "stream_processing_timeout": _NEVER_S,
        "broker_commit_livelock_soft_timeout": _NEVER_S,
        "broker_commit_interval": settings.commit_interval_s,
        "broker_max_poll_records": settings.max_poll_records,
        "broker_max_poll_interval": _YEAR_S,
        "broker_heartbeat_interval": settings.heartbeat_interval_s,
        "broker_session_timeout": settings.session_timeout_of(static=static_name is not None),
        "broker_rebalance_timeout": settings.rebalance_timeout_s,
        "broker_request_timeout": settings.request_timeout_s,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": settings.fetch_max_bytes,
        # Faust's own producer is started with the app and stays idle.
        "producer_acks": -1,
        "producer_linger": 0.0,
        "producer_request_timeout": 30.0,
    }


def _credentials(connection: ConnectionOptions) -> faust.SASLCredentials | faust.SSLCredentials | None:
    if connection.sasl_mechanism is not None:
        return faust.SASLCredentials(
            username=connection.sasl_username,
            password=connection.sasl_password,
            ssl_context=connection.ssl_context,
            mechanism=connection.sasl_mechanism,
        )
    if connection.ssl_context is not None:
        return faust.SSLCredentials(context=connection.ssl_context)
    return None
