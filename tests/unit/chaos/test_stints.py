"""A campaign covers every point and fault often enough, can be cut into parts, and its page adds them up."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from telemetry.points import POINTS as NAMED
from tests.chaos.harness import report, results, stints
from tests.chaos.harness.faults import FAULTS
from tests.chaos.harness.kills import POINTS
from tests.chaos.harness.results import Fault, Kill, Part


def test_a_full_campaign_kills_at_every_point_and_disturbs_everything_often_enough() -> None:
    campaign = stints.full_campaign(width=10, lanes=4)
    kills = Counter(point for stint in campaign for point in stint.points)
    faults = Counter(fault for stint in campaign for fault in stint.faults)
    assert kills.keys() == POINTS.keys() >= NAMED.keys()
    assert min(kills.values()) >= 10
    assert kills.total() >= 500
    assert faults.keys() == FAULTS.keys()
    assert min(faults.values()) >= 5
    assert {stint.shape.static for stint in campaign if stint.points} == {True, False}
    assert len({stint.shape.seed for stint in campaign}) == len(campaign)


def test_parts_add_up_to_the_whole() -> None:
    campaign = stints.full_campaign(width=10, lanes=4)
    parts = [stint for number in range(1, 8) for stint in stints.part_of(campaign, f"{number}/7")]
    assert sorted(stint.shape.seed for stint in parts) == [stint.shape.seed for stint in campaign]
    with pytest.raises(ValueError, match="no part"):
        stints.part_of(campaign, "8/7")


def test_a_seed_gives_the_same_kills_again() -> None:
    def stint(seed: int) -> stints.Stint:
        return stints.killing_stint(seed=seed, points=list(POINTS), kills=50, static=True, width=10, lanes=2)

    assert stint(3) == stint(3) != stint(4)


def test_the_page_adds_up_what_was_kept(tmp_path: Path) -> None:
    kill = Kill(
        point="generate.called",
        seed=1,
        static=True,
        process="generate-1",
        pid=7,
        at=0.0,
        gone_at=0.1,
        lanes=1,
        answer_s=3.0,
        all_s=4.0,
        model_repeats=1,
        tool_repeats={"pure": 2},
    )
    fault = Fault(fault="redis flush", seed=1, at=0.0, lasted_s=1.0, all_s=2.0, open=3, lost=1)
    part = Part(
        seed=1,
        static=True,
        seconds=9.0,
        sessions=2,
        runs=4,
        thrice=1,
        generations=8,
        model_calls=9,
        tool_starts={"once": 3},
        tool_repeats={"once": 0},
        fell=[],
        problems=["something is wrong"],
    )
    path = tmp_path / "results.jsonl"
    results.append(path, [kill])
    results.append(path, [fault, part])
    assert list(results.read(path)) == [kill, fault, part]
    among_others = replace(kill, lanes=4, answer_s=30.0, all_s=40.0)
    page = report.page([kill, among_others, fault, part])
    assert "| 2 | 0 | 2 | 4, 0, 0, 0 | 0 | 3.0, 3.0 | - | 4.0, 4.0 | 22.0, 40.0 |" in page
    assert "| kills at named points | 2 |" in page
    assert "| runs lost | 1 |" in page
    assert "| redis flush | 1 | 1 | 3 | 1 | 2.0, 2.0 | - |" in page
    assert "seed 1: something is wrong" in page
