"""Confluent's clients at the registry face: they read every topic of a running fleet."""

from confluent_kafka.schema_registry import SchemaRegistryClient

from tests.e2e.edge.conftest import Edges
from tests.fleet.whole_life import TYPED, messages_of_a_whole_life, read_by_confluent


async def test_their_deserializer_reads_every_topic_by_the_edge(edges: Edges) -> None:
    messages = await messages_of_a_whole_life(edges.fleet)
    with SchemaRegistryClient({"url": f"{edges.one.url}/registry"}) as client:
        read = await read_by_confluent(edges.fleet, client, messages)
    assert read == {spec.name for spec in TYPED}
