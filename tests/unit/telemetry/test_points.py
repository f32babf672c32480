"""Named points: nothing without a harness, a catalogue with one."""

import pytest

from telemetry import points


async def test_a_point_does_nothing_without_a_harness() -> None:
    await points.point("session.stored")


async def test_a_harness_is_told_each_point(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def note(name: str) -> None:
        seen.append(name)

    monkeypatch.setattr(points, "ENABLED", note)
    await points.point("session.stored")
    assert seen == ["session.stored"]
    with pytest.raises(KeyError):
        await points.point("session.nowhere")
