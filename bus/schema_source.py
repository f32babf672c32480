"""Makes the codec: with the ids of the schema registry where one is set, else with the built-in ones."""

from bus.codec import Codec, RegisteredSchema
from bus.names import TopicNames
from bus.settings import SchemaSettings
from schemas.topics import TopicSpec


async def open_codec(settings: SchemaSettings, names: TopicNames) -> Codec:
    """Return the codec; with a registry it writes that registry's ids, and looks unknown ones up there.

    Raises:
        TransientError: the registry cannot be reached.
        FatalError: it refuses us, or has a topic but not its current schema.

    """
    if settings.url is None:
        return Codec()
    # An HTTP client and its TLS cost a tenth of a second, which programs without a registry need not pay.
    from bus.registry import Registry  # noqa: PLC0415  see above
    from bus.schema_lookup import SchemaLookup  # noqa: PLC0415  likewise

    # A message that waits for its schema is tried again by whoever reads it.
    hurried = settings.model_copy(update={"tries": 1})

    async def ask(spec: TopicSpec, number: int) -> RegisteredSchema | None:
        async with Registry(hurried, names) as registry:
            return await registry.schema(spec, number)

    async with Registry(settings, names) as registry:
        registered = await registry.schemas()
    return Codec(registered, lookup=SchemaLookup(ask))
