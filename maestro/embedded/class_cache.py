"""Java's memory of Kafka: classes as they are after loading, and which of their code was hot. Made once.

A broker that finds it is up for half the CPU time. Java makes it at the end of a run that it was told to
learn from (JEP 483, 514 and 515), and ignores one that does not fit its own build or the jars: it is never
wrong, and never needed.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from bus.admin import Admin
from bus.codec import Codec
from bus.consumer import Consumer
from bus.follower import Stream
from bus.message import Place
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.settings import KafkaSettings, TopicSettings
from maestro.embedded.errors import EmbeddedError
from maestro.embedded.kafka import Kafka, java_version
from maestro.embedded.part import Say
from maestro.embedded.ports import LOOPBACK, HeldPorts
from maestro.embedded.process import ChildProcess
from schemas.errors import MaestroError

_LEARN_WITHIN_S = 240.0
_STOP_WITHIN_S = 120.0
"""The cache is written while Java stops."""
_ROUNDS = 300
_PARTITIONS = 12
_TOPIC = "lesson"


def cache_file(jars: Path) -> Path:
    """Return where the cache for these jars and this Java lies, if there is one."""
    return jars / f"classes-{java_version()}.aot"


def ensure_class_cache(jars: Path, say: Say) -> Path | None:
    """Make the cache unless it is there; return its file, or None where it cannot be made."""
    wanted = cache_file(jars)
    if wanted.is_file():
        return wanted
    say("letting Java learn Kafka's classes (once, about 20 s)")
    try:
        with tempfile.TemporaryDirectory(dir=jars, prefix=".learn-") as scratch:
            made = asyncio.run(_learn(jars, Path(scratch)))
            made.replace(wanted)
    except (OSError, EmbeddedError, MaestroError, TimeoutError) as error:
        say(f"Java's class cache was not made ({error}); Kafka starts more slowly without")
        return None
    return wanted


async def _learn(jars: Path, scratch: Path) -> Path:
    """Run a broker through what it does all day, and return what Java writes when it ends."""
    made = scratch / "classes.aot"
    ports = HeldPorts()
    try:
        kafka = Kafka(
            folder=scratch / "kafka",
            jars=jars,
            port=ports.pick(),
            controller_port=ports.pick(),
            cluster_id="classes-are-learnt-AAA",
            log=scratch / "kafka.log",
            pid_file=scratch / "pid",
        )
        await kafka.prepare(lambda _: None)
        broker = ChildProcess(replace(kafka, learn_to=made).spec)
        broker.start()
        try:
            async with asyncio.timeout(_LEARN_WITHIN_S):
                await broker.wait_ready(kafka.is_ready, kafka.ready_within_s)
                await _work(kafka.port)
        finally:
            await broker.stop(_STOP_WITHIN_S)
    finally:
        ports.release()
    if not made.is_file():
        message = "Java wrote none: " + broker.log_tail().strip()[-200:]
        raise EmbeddedError(message)
    return made


async def _work(port: int) -> None:
    """Make topics, publish, and read as a member of a group."""
    kafka = KafkaSettings(bootstrap_servers=f"{LOOPBACK}:{port}", security_protocol="PLAINTEXT")
    topics = TopicSettings(prefix="", partitions=_PARTITIONS, replication=1)
    async with AsyncExitStack() as clients:
        admin = await clients.enter_async_context(Admin(kafka, topics))
        (topic, *_) = await admin.create_topics()
        publisher = Publisher(kafka, names=TopicNames(""), codec=Codec(), source=_TOPIC)
        await publisher.start()
        clients.push_async_callback(publisher.stop)
        reader = Consumer(kafka, streams=(Stream(topics=(topic,)),), group=_TOPIC, on_assigned=_beginning)
        await reader.start()
        clients.push_async_callback(reader.stop)
        for number in range(_ROUNDS):
            text = str(number).encode()
            await asyncio.gather(
                *(
                    publisher.send_raw(topic, partition=partition, key=text, value=bytes(300), headers=())
                    for partition in range(_PARTITIONS)
                )
            )
            read = await reader.get_batch(max_records=1_000, timeout_s=1.0)
            if read:
                await reader.commit({place: messages[-1].offset + 1 for place, messages in read.items()})


async def _beginning(places: frozenset[Place]) -> dict[Place, int]:
    return dict.fromkeys(places, 0)
