"""The built-in agents: they parse, name only tools that exist, are nobody's, and are published when new."""

from datetime import UTC, datetime, timedelta

import pytest

from llm.rehearsal import NAME as REHEARSAL
from maestro.agents import built_in_agents, built_in_records
from maestro.agents.publish import to_publish
from maestro.wiring.tools import build_registry
from schemas.agent_file import configuration_of
from schemas.lists import AgentStatus
from streams.session.settings import SessionSettings

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_there_is_one_to_answer_messages_that_name_none() -> None:
    assert SessionSettings.model_fields["default_agent_id"].default in {
        agent.id for agent in built_in_agents()
    }


def test_each_names_only_tools_that_come_with_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAESTRO_TOOL_MODULES", raising=False)
    known = set(build_registry().names)
    for agent in built_in_agents():
        assert set(agent.tools) <= known, agent.id


def test_ids_are_unique_and_sorted() -> None:
    names = [agent.id for agent in built_in_agents()]
    assert names == sorted(set(names))


def test_a_default_model_takes_the_place_of_the_rehearsal() -> None:
    assert {agent.model for agent in built_in_agents()} == {REHEARSAL}
    assert {agent.model for agent in built_in_agents("provider/model")} == {"provider/model"}


def test_their_records_belong_to_nobody_and_carry_the_whole_configuration() -> None:
    for agent, record in zip(
        built_in_agents("provider/model"), built_in_records("provider/model", now=NOW), strict=True
    ):
        assert (record.id, record.user_id, record.status) == (agent.id, None, AgentStatus.ACTIVE)
        assert (record.created_at, record.updated_at) == (NOW, NOW)
        assert configuration_of(record) == agent.configuration()


def test_each_is_limited_in_calls_and_time() -> None:
    for agent in built_in_agents():
        assert agent.limits.generations is not None
        assert agent.limits.seconds is not None


def test_agents_that_nobody_knows_are_published() -> None:
    agents = built_in_records("rehearsal", now=NOW)
    assert to_publish(agents, ()) == agents


def test_known_agents_are_published_when_a_release_or_the_default_model_changed_them() -> None:
    agents = built_in_records("rehearsal", now=NOW)
    later = built_in_records("rehearsal", now=NOW + timedelta(days=1))
    assert to_publish(later, agents) == ()
    changed = built_in_records("openai/gpt-4o-mini", now=NOW)
    assert to_publish(changed, agents) == changed


@pytest.mark.parametrize("theirs", [{"user_id": "alice"}, {"type": "assistant"}])
def test_an_agent_that_somebody_put_in_their_place_is_left_alone(theirs: dict[str, str]) -> None:
    agents = built_in_records("rehearsal", now=NOW)
    known = [agent.model_copy(update={"configuration": "{}"} | theirs) for agent in agents]
    assert to_publish(agents, known) == ()
