"""The committed Avro schemas: every version of every topic, read from the package's own files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AVRO_FOLDER = Path(__file__).parent / "avro"


@dataclass(frozen=True, slots=True)
class Committed:
    """For each topic (without prefix) its schemas by version number, oldest first."""

    versions: Mapping[str, Mapping[int, dict[str, Any]]]

    def newest(self, topic: str) -> int:
        """Return the number of the newest version of `topic`, 0 when there is none."""
        return max(self.versions.get(topic, {}), default=0)


def read_committed(folder: Path = AVRO_FOLDER) -> Committed:
    """Read every version under `folder`."""
    versions: dict[str, dict[int, dict[str, Any]]] = {}
    for path in sorted((folder / "versions").glob("*/*.avsc"), key=lambda path: int(path.stem)):
        versions.setdefault(path.parent.name, {})[int(path.stem)] = json.loads(path.read_text())
    return Committed(versions)
