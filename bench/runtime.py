"""What one hop (consume, send on, acknowledge) costs through the runtime and in a bare aiokafka loop."""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from maestro.embedded.part import PartName
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack

PARTITIONS = 12
KEYS = 500
VALUE_BYTES = 600
CHILD_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to move messages."""

    name: str
    event_loop: str
    linger_ms: int = 0

    @property
    def label(self) -> str:
        """How the table calls it."""
        return f"{self.name}, {self.event_loop}, linger {self.linger_ms} ms"


FLOOR = Variant("bare", "asyncio")
VARIANTS = (
    FLOOR,
    Variant("runtime", "asyncio"),
    Variant("runtime", "uvloop"),
    Variant("runtime", "uvloop", linger_ms=5),
)


async def measure(bootstrap: str, variant: Variant, messages: int) -> dict[str, float]:
    """Return `cpu_us` (microseconds of the measured process per message) and `per_s` of one run."""
    tag = uuid.uuid4().hex[:8]
    source, target = f"bench-{tag}-in", f"bench-{tag}-out"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in (source, target)])
        await _fill(bootstrap, source, messages)
        options = {
            "variant": variant.name,
            "event_loop": variant.event_loop,
            "linger_ms": variant.linger_ms,
            "bootstrap": bootstrap,
            "source": source,
            "target": target,
            "group": f"bench-{tag}",
            "messages": messages,
        }
        return await _run_child(options)
    finally:
        await admin.delete_topics([source, target])
        await admin.close()


async def _fill(bootstrap: str, topic: str, messages: int) -> None:
    client: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=262_144)
    async with client as producer:
        value = b"x" * VALUE_BYTES
        deliveries = [
            await producer.send(topic, value, key=f"key-{number % KEYS}".encode())
            for number in range(messages)
        ]
        await asyncio.gather(*deliveries)


async def _run_child(options: Mapping[str, object]) -> dict[str, float]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.runtime_child", json.dumps(options)), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(CHILD_LIMIT_S):
            output, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        message = f"the measured process ended with {child.returncode}"
        raise RuntimeError(message)
    result: dict[str, float] = json.loads(output)
    return result


async def main(argv: list[str]) -> int:
    """Print a line for each variant: median CPU a message, the ratio to the bare loop, and the rate."""
    parser = argparse.ArgumentParser(prog="bench runtime", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000, help="messages of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each variant; the median is shown")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="maestro-bench-") as folder:
        external = {
            PartName.POSTGRES: "postgresql://unused.invalid/",
            PartName.REDIS: "redis://unused.invalid/",
        }
        async with EmbeddedStack(EmbeddedSettings(data_dir=Path(folder)), external=external) as stack:
            runs: dict[Variant, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
            for _ in range(options.rounds):
                for variant in VARIANTS:
                    runs[variant].append(await measure(stack.urls.kafka_bootstrap, variant, options.messages))
    table = {
        variant.label: {
            name: statistics.median(run[name] for run in runs[variant]) for name in ("cpu_us", "per_s")
        }
        for variant in VARIANTS
    }
    floor = table[FLOOR.label]["cpu_us"]
    for label, figures in table.items():
        figures["cpu_ratio"] = figures["cpu_us"] / floor
        print(
            f"{label:34} {figures['cpu_us']:6.0f} µs CPU a message  {figures['cpu_ratio']:5.1f} x bare"
            f"  {figures['per_s']:7.0f} messages/s"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(table, indent=2) + "\n")
    return 0
