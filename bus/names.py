"""Topic names: the configured prefix and the names of the contract."""

from dataclasses import dataclass

from schemas.topics import BY_NAME, TopicSpec


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Names of topics and consumer groups under one prefix, for example `maestro.`."""

    prefix: str = "maestro."

    def full(self, spec: TopicSpec) -> str:
        """Return the topic's name in Kafka."""
        return f"{self.prefix}{spec.name}"

    def spec_of(self, full_name: str) -> TopicSpec | None:
        """Return which topic of the contract `full_name` is; None when it is none of ours."""
        if not full_name.startswith(self.prefix):
            return None
        return BY_NAME.get(full_name.removeprefix(self.prefix))

    def group(self, name: str) -> str:
        """Return the consumer group of a role or sink, for example `maestro.session`."""
        return f"{self.prefix}{name}"
