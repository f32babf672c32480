"""Gets the embedded Kafka ready before anybody waits for it: `python -m maestro.embedded.set_up`."""

import logging
import sys

from maestro.embedded.class_cache import ensure_class_cache
from maestro.embedded.errors import EmbeddedError
from maestro.embedded.jars import ensure_jars
from maestro.embedded.settings import EmbeddedSettings


def main() -> None:
    """Fetch the jars and let Java learn their classes, saying so; exits with 1 where there are no jars."""
    # A broker that is a second old has no coordinator yet, of which the client tells again and again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        jars = ensure_jars(EmbeddedSettings(), _say)
    except EmbeddedError as error:
        sys.exit(f"kafka: {error}")
    _ = ensure_class_cache(jars, _say)


def _say(line: str) -> None:
    _ = sys.stderr.write(f"kafka: {line}\n")


if __name__ == "__main__":
    main()
