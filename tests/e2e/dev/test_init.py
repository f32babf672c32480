"""What `maestro init` wrote, in use: its agent is published, and its tools run in the workers of a dev."""

import json
from typing import Any

import pytest

from tests.e2e.dev.installed import Maestro

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def agent(dev: Maestro) -> str:
    """The sample's agent, published."""
    (checked,) = dev.rows("agents", "check", "agents.yaml", "--json")
    assert checked["ok"], checked
    (applied,) = dev.rows("agents", "apply", "agents.yaml", "--json")
    return str(applied["id"])


def asked(dev: Maestro, agent: str, question: str) -> dict[str, Any]:
    return json.loads(dev.ok("ask", "--json", "--agent", agent, question))


def test_the_agents_own_tool_answers(dev: Maestro, agent: str) -> None:
    run = asked(dev, agent, "How much is tea?")
    assert (run["status"], run["output"]) == ("completed", "One tea costs 250 cents.")


def test_a_tool_with_an_effect_has_it_once(dev: Maestro, agent: str) -> None:
    run = asked(dev, agent, "Please order 2 coffee")
    assert run["output"] == "Ordered: 2 x coffee, 780 cents together."
    orders = (dev.folder / "orders.jsonl").read_text().splitlines()
    assert [json.loads(order)["pieces"] for order in orders] == [2]


def test_a_wrong_agent_file_is_not_published(dev: Maestro) -> None:
    (dev.folder / "wrong.yaml").write_text("id: wrong\ntools: [price_off]\nmodel: rehearsal:shp\n")
    done = dev.run("agents", "check", "wrong.yaml", "--json")
    assert done.returncode == 2
    (row,) = (json.loads(line) for line in done.stdout.splitlines())
    said = " ".join(problem["message"] for problem in row["problems"])
    assert "did you mean price_of?" in said
    assert "did you mean shop?" in said
