"""What the processes of a whole Maestro show of themselves over HTTP while it works."""

import asyncio
import re

import pytest

from maestro.metrics_docs import name_of
from telemetry.metrics import CATALOGUE
from tests.integration.observed.house import SESSIONS, Deadline, House, Sample

pytestmark = pytest.mark.timeout(240)

WITHIN_S = 40.0
_AN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE)
WORKERS = ("session-1", "generate-1", "execute-1")


def total(samples: list[Sample], name: str, **labels: str) -> float:
    """The sum over all processes of what fits the labels."""
    return sum(
        sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
    )


async def test_every_process_is_live_ready_and_says_who_it_is(house: House) -> None:
    for status in house.statuses:
        for path in ("/live", "/ready"):
            answer = await house.get(status, path)
            assert (answer.status_code, answer.json()) == (200, {"ok": True, "reason": ""}), status.name
    infos = [sample for sample in await house.samples() if sample.name == "maestro_process_info"]
    assert sorted(sample.labels["program"] for sample in infos) == [
        "execute",
        "generate",
        "session",
        "sink-embeddings",
        "sink-postgres",
        "sink-recents",
    ]


async def test_every_process_is_a_member_with_partitions_and_has_its_stores(house: House) -> None:
    samples = await house.samples()
    for status in house.statuses:
        own = [sample for sample in samples if sample.program == status.name]
        assert total(own, "maestro_member") == 1, status.name
        assert total(own, "maestro_owned_partitions") > 0, status.name
        assert total(own, "maestro_rebalances_total") >= 1, status.name
        assert [sample.value for sample in own if sample.name == "maestro_store_up"], status.name
        assert all(sample.value for sample in own if sample.name == "maestro_store_up"), status.name
        assert total(own, "process_resident_memory_bytes") > 0, status.name


async def test_what_was_done_is_counted(house: House) -> None:
    samples = await house.samples()
    assert total(samples, "maestro_runs_ended_total", status="completed", reason="answered") == SESSIONS
    assert total(samples, "maestro_run_seconds_count", status="completed") == SESSIONS
    assert total(samples, "maestro_generations_total", status="completed") == 2 * SESSIONS
    assert total(samples, "maestro_generation_seconds_count", model="rehearsal") == 2 * SESSIONS
    assert total(samples, "maestro_generation_tokens_total", kind="completion") > 0
    assert total(samples, "maestro_tool_calls_total", tool="shout", outcome="failed") == SESSIONS
    assert total(samples, "maestro_tool_calls_total", tool="repeat_after_me", outcome="succeeded") == SESSIONS
    assert total(samples, "maestro_dead_letters_total") > 0
    assert total(samples, "maestro_sink_batch_seconds_count", sink="postgres") > 0
    assert total(samples, "maestro_tokens_bought_twice_total") == 0
    assert total(samples, "maestro_record_gaps_total") == 0


async def test_everybody_shows_its_backlog_and_in_the_end_nothing_waits(house: House) -> None:
    deadline = Deadline(WITHIN_S)
    names = {status.name for status in house.statuses}
    while True:
        samples = await house.samples()
        shown = [sample for sample in samples if sample.name == "maestro_lag_messages"]
        if {sample.program for sample in shown} == names and not any(sample.value for sample in shown):
            break
        deadline.check(f"a lag of 0 everywhere: {shown}")
        await asyncio.sleep(0.5)
    assert total(samples, "maestro_oldest_message_age_seconds") == 0


async def test_no_label_is_an_id_and_every_metric_of_ours_is_in_the_catalogue(house: House) -> None:
    known = {name_of(metric) for metrics in CATALOGUE.values() for metric in metrics}
    for sample in await house.samples():
        assert not any(_AN_ID.search(value) for value in sample.labels.values()), sample
        if sample.name.startswith("maestro_"):
            plain = re.sub(r"_(bucket|count|sum|created)$", "", sample.name)
            assert {plain, f"{plain}_total"} & known, sample
