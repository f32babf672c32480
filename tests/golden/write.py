"""Writes the golden records from the examples: `python tests/golden/write.py`."""

import json
import sys
from pathlib import Path

from bus.codec import Codec
from schemas import examples

FOLDER = Path(__file__).parent


def golden_files() -> dict[str, str]:
    """Return the text of each golden file by its name."""
    codec = Codec()
    return {
        f"{topic}.json": json.dumps(
            {"json": json.loads(record.model_dump_json()), "avro": codec.encode(record).hex()},
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
        for topic, record in examples.ALL.items()
    }


def main() -> int:
    """Write the files."""
    for name, text in golden_files().items():
        _ = (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
